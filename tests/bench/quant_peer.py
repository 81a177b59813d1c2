# SPDX-License-Identifier: Apache-2.0
"""Millions of values a processor second that bitsandbytes and ggml quantise: quant_peer.py THREADS.  The best of several runs."""
import ctypes, os, sys, threading, time

threads = int(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(threads)
import numpy, torch, bitsandbytes
import llama_cpp

torch.set_num_threads(threads)
rows, cols, runs = 4096, 4096, 3
x = torch.randn(rows, cols)


def best(fn):
    least = 1e9
    for _ in range(runs):
        t = time.process_time()
        fn()
        least = min(least, time.process_time() - t)
    return rows * cols / least / 1e6


print("bitsandbytes nf4+dq %.0f" % best(lambda: bitsandbytes.functional.quantize_4bit(x, quant_type="nf4", compress_statistics=True)), flush=True)
lib = ctypes.CDLL(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so"))
q = lib.ggml_quantize_chunk
q.restype = ctypes.c_size_t
q.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
a = x.numpy()
dst = numpy.zeros(rows * cols * 2, dtype=numpy.uint8)


def chunks(kind):    # as llama.cpp's quantiser: threads take rows
    def work(k):
        n = rows // threads
        q(kind, a.ctypes.data, dst.ctypes.data, k * n * cols, n, cols, None)
    ts = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    [t.start() for t in ts]
    [t.join() for t in ts]


runs = 1
for name, kind in ("q8_0", 8), ("q4_0", 2), ("q4_k", 12), ("q6_k", 14):
    print("ggml %s %.0f" % (name, best(lambda: chunks(kind))), flush=True)
