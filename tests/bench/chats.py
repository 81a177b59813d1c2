#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long transformers takes to make tokens of chats: its wall and processor seconds and peak memory (MiB), without loading.

usage: chats.py MODEL CHATS.jsonl
"""
import json, resource, sys, time
from transformers import AutoTokenizer

tok = AutoTokenizer.from_pretrained(sys.argv[1])
wall, cpu, n = time.monotonic(), time.process_time(), 0
for line in open(sys.argv[2], encoding="utf-8"):
    n += len(tok.apply_chat_template(json.loads(line)["messages"], tokenize=True, return_dict=True)["input_ids"])
print(f"{time.monotonic() - wall:.3f} {time.process_time() - cpu:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} {n}")
