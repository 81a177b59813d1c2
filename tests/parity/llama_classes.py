#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/tok/class: tokenizer_config.json's that name a class of
transformers which makes its own stages, and what it makes of texts.

usage: llama_classes.py GOLDENS  (needs transformers)

The tokenizer.json and the texts are those of GOLDENS/llama2.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from transformers import AutoTokenizer

GOLD = sys.argv[1]
NAMES = {"bos_token": "<|begin|>", "eos_token": "<|end|>", "unk_token": "<unk>"}
CASES = {
    "llama": {"tokenizer_class": "LlamaTokenizer"},
    "llama_legacy": {"tokenizer_class": "LlamaTokenizerFast", "legacy": True},
    "llama_bare": {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False},
    "code": {"tokenizer_class": "CodeLlamaTokenizer", "legacy": True},
    "code_bare": {"tokenizer_class": "CodeLlamaTokenizerFast", "add_prefix_space": False},
}
texts = [json.loads(x)["text"] for x in subprocess.run(
    ["zstd", "-dqc", os.path.join(GOLD, "llama2.jsonl.zst")], check=True, capture_output=True)
    .stdout.decode().split("\n") if x]
os.makedirs(os.path.join(GOLD, "class"), exist_ok=True)
for name, case in CASES.items():
    with tempfile.TemporaryDirectory() as d:
        shutil.copy(os.path.join(GOLD, "llama2.json"), os.path.join(d, "tokenizer.json"))
        config = os.path.join(d, "tokenizer_config.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({**case, **NAMES}, f)
        shutil.copy(config, os.path.join(GOLD, "class", name + ".json"))
        t = AutoTokenizer.from_pretrained(d).backend_tokenizer
    lines = []
    for s in texts:
        e = t.encode(s, add_special_tokens=False)
        lines.append(json.dumps({"text": s, "ids": e.ids, "ids_special": e.ids, "offsets": e.offsets,
                                 "decoded": t.decode(e.ids, skip_special_tokens=False)},
                                ensure_ascii=False, separators=(",", ":")) + "\n")
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", os.path.join(GOLD, "class", name + ".jsonl.zst")],
                   input="".join(lines).encode(), check=True)
