#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/tiny: a random llama of two layers with a real tokenizer, for tests and for the examples of the manual.

usage: make_tiny.py BANKING77.csv SMOLLM2_CHAT_TEMPLATE OUT

OUT/model/     config.json, generation_config.json, model.safetensors, tokenizer.json, tokenizer_config.json, chat_template.jinja
OUT/adapter/   a LoRA of rank 4 on every linear layer, as PEFT saves it, B not zero
OUT/chats.jsonl, OUT/test.jsonl    chats: system, user, assistant (banking77, CC-BY-4.0)
OUT/golden.jsonl    for each of test.jsonl: ids, labels, loss of the base and with the adapter, greedy continuation of both
"""
import csv, json, os, random, sys
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, AutoTokenizer
from peft import LoraConfig, get_peft_model

table, template, out = sys.argv[1:4]
SYSTEM = "Name the intent."
rows = list(csv.reader(open(table, encoding="utf-8")))[1:]
random.Random(0).shuffle(rows)
os.makedirs(out, exist_ok=True)

tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
tok.decoder = decoders.ByteLevel()
tok.train_from_iterator([r[0] + " " + r[1] for r in rows[:3000]] + ["system user assistant"] * 50,
    trainers.BpeTrainer(vocab_size=512, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
fast = PreTrainedTokenizerFast(tokenizer_object=tok, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>",
                               unk_token="<|endoftext|>", clean_up_tokenization_spaces=False)
fast.chat_template = open(template).read()
d = os.path.join(out, "model")
fast.save_pretrained(d)

def chat(r):
    return {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": r[0]}, {"role": "assistant", "content": r[1]}]}
short = [r for r in rows[3000:] if len(r[0]) < 60]
train, test = [chat(r) for r in short[:24]], [chat(r) for r in short[24:32]]
for name, l in (("chats", train), ("test", test)):
    with open(os.path.join(out, name + ".jsonl"), "w") as f: f.writelines(json.dumps(x) + "\n" for x in l)

torch.manual_seed(0)
m = LlamaForCausalLM(LlamaConfig(vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True,
    bos_token_id=1, eos_token_id=2, pad_token_id=2, attn_implementation="eager")).float().eval()
with torch.no_grad():
    for n, p in m.named_parameters():
        if p.dim() > 1: p.normal_(0, 0.12)
        else: p.add_(0.1 * torch.randn_like(p))
m.generation_config.eos_token_id = 2
m.save_pretrained(d)
t = AutoTokenizer.from_pretrained(d)

def ids(c):
    full = t.apply_chat_template(c["messages"], tokenize=False)
    pre = t.apply_chat_template(c["messages"][:2], tokenize=False, add_generation_prompt=True)
    a, b = (t(s, add_special_tokens=False)["input_ids"] for s in (pre, full[len(pre):]))
    return a, b
def measure(model):
    r = []
    for c in test:
        a, b = ids(c)
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([a + b]), labels=torch.tensor([[-100] * len(a) + b])).loss.item()
            g = model.generate(input_ids=torch.tensor([a]), attention_mask=torch.ones(1, len(a), dtype=torch.long),
                               max_new_tokens=12, do_sample=False, pad_token_id=2)[0][len(a):].tolist()
        r.append((loss, g))
    return r
before = measure(m)
p = get_peft_model(m, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
torch.manual_seed(1)
with torch.no_grad():
    for n, q in p.named_parameters():
        if "lora_" in n: q.normal_(0, 0.05)
p.save_pretrained(os.path.join(out, "adapter"))
for x in ("README.md",):
    f = os.path.join(out, "adapter", x)
    if os.path.exists(f): os.remove(f)
cfg = os.path.join(out, "adapter", "adapter_config.json")
j = json.load(open(cfg)); j["base_model_name_or_path"] = "tiny"; json.dump(j, open(cfg, "w"), indent=2, sort_keys=True)
after = measure(p.eval())
with open(os.path.join(out, "golden.jsonl"), "w") as f:
    for c, b, a in zip(test, before, after):
        x, y = ids(c)
        f.write(json.dumps({"input_ids": x + y, "labels": [-100] * len(x) + y, "loss": b[0], "greedy": b[1],
                            "adapter_loss": a[0], "adapter_greedy": a[1]}) + "\n")
