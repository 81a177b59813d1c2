# SPDX-License-Identifier: Apache-2.0
"""llama.cpp on a GGUF model: tokens a second made in one stream, and read.

usage: llama_peer.py MODEL.gguf THREADS
"""

import sys
import time

from llama_cpp import Llama

threads = int(sys.argv[2])
model = Llama(sys.argv[1], n_ctx=2048, n_batch=1024, n_ubatch=1024,
              n_threads=threads, n_threads_batch=threads, verbose=False)
ids = [(i * 7919 + 17) % 49152 for i in range(1024)]
read = made = 1e9
for _ in range(2):
    model.reset()
    start = time.monotonic()
    model.eval(ids)
    read = min(read, time.monotonic() - start)
model.reset()
model.eval(ids[:16])
for _ in range(3):
    start = time.monotonic()
    for _ in range(32):
        model.eval([model.sample(temp=0)])
    made = min(made, time.monotonic() - start)
print(round(32 / made), round(1024 / read))
