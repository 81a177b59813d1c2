# SPDX-License-Identifier: Apache-2.0
"""Train with TRL's SFTTrainer as shared.sh does: LoRA of rank 16 on all linear layers, the last turn supervised; print
the seconds that it took.  usage: trl.py f32|bf16 MODEL CHATS.jsonl BATCH"""
import json, sys, time
import torch, transformers
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

dtype, model, chats, batch = {"f32": torch.float32, "bf16": torch.bfloat16}[sys.argv[1]], sys.argv[2], sys.argv[3], int(sys.argv[4])
transformers.utils.logging.disable_progress_bar()
records = [json.loads(line)["messages"] for line in open(chats)]
data = Dataset.from_list([{"prompt": m[:-1], "completion": m[-1:]} for m in records])
config = SFTConfig(output_dir="trl-out", use_cpu=True, bf16=False, per_device_train_batch_size=batch, num_train_epochs=1,
                   learning_rate=2e-4, report_to=[], save_strategy="no", gradient_checkpointing=False, max_length=None,
                   disable_tqdm=True, logging_strategy="no")
trainer = SFTTrainer(model=AutoModelForCausalLM.from_pretrained(model, dtype=dtype), args=config, train_dataset=data,
                     processing_class=AutoTokenizer.from_pretrained(model),
                     peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
began = time.time()
trainer.train()
print(time.time() - began)
