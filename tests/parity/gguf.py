# SPDX-License-Identifier: Apache-2.0
"""llama.cpp over the GGUF files that run.sh made: the greedy answer, theirs against ours."""
import sys
from llama_cpp import Llama
bad = 0
for t in ("f32", "f16", "q8_0"):
    m = Llama(t + ".gguf", verbose=False, n_ctx=256, logits_all=False)
    r = m.create_chat_completion([{"role": "user", "content": "What is the capital of France?"}], max_tokens=24, temperature=0)
    a, b = r["choices"][0]["message"]["content"].strip(), open(t + ".text").read().strip()
    bad += a != b
    print("%s %-5s %r" % ("ok" if a == b else "NOT OK", t, b) + ("" if a == b else " theirs %r" % a))
sys.exit(bad)
