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


def best(fn, rows=rows):
    least = 1e9
    for _ in range(runs):
        t = time.process_time()
        fn()
        least = min(least, time.process_time() - t)
    return rows * cols / least / 1e6


print("bitsandbytes quantise nf4+dq %.0f" % best(lambda: bitsandbytes.functional.quantize_4bit(x, quant_type="nf4", compress_statistics=True)), flush=True)
lib = ctypes.CDLL(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so"))
q = lib.ggml_quantize_chunk
q.restype = ctypes.c_size_t
q.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
a = x.numpy()
dst = numpy.zeros(rows * cols * 2, dtype=numpy.uint8)


lib.ggml_quantize_init.argtypes = [ctypes.c_int]
importance = (1 + numpy.arange(cols) % 7).astype(numpy.float32)


def chunks(kind, weights, rows=rows):    # as llama.cpp's quantiser: threads take rows
    def work(k):
        n = rows // threads
        q(kind, a.ctypes.data, dst.ctypes.data, k * n * cols, n, cols, weights)
    ts = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    [t.start() for t in ts]
    [t.join() for t in ts]


runs = 2
for name, kind in ("q8_0", 8), ("q4_0", 2), ("q4_k", 12), ("q6_k", 14):
    print("ggml quantise %s %.0f" % (name, best(lambda: chunks(kind, None))), flush=True)
KINDS = dict(q4_0=2, q4_1=3, q5_0=6, q5_1=7, q2_k=10, q3_k=11, q4_k=12, q5_k=13, q6_k=14, iq4_nl=20, iq4_xs=23, mxfp4=39, tq1_0=34, tq2_0=35,
             iq3_s=21, iq3_xxs=18, iq2_s=22, iq2_xs=17, iq2_xxs=16, iq1_m=29, iq1_s=19)
for name, kind in KINDS.items():
    lib.ggml_quantize_init(kind)    # tables of near points are not counted
    for what, weights in ("quantise", None), ("weigh", importance.ctypes.data):
        if what == "weigh" and name in ("mxfp4", "tq1_0", "tq2_0") or what == "quantise" and name in ("iq2_xs", "iq2_xxs", "iq1_s"):
            continue
        print("ggml %s %s %.1f" % (what, name, best(lambda: chunks(kind, weights, 1024), 1024)), flush=True)
