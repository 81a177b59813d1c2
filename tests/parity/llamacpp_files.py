# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's numbers of types (llama.h, enum llama_ftype), and what is in a GGUF file."""
from gguf import GGUFReader

FTYPES = {"q4_0": 2, "q4_1": 3, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q3_k": 11, "q4_k": 14, "q5_k": 16, "q6_k": 18,
          "iq4_nl": 25, "iq4_xs": 30, "iq2_xxs": 19, "iq2_xs": 20, "iq3_xs": 22, "iq3_xxs": 23, "iq1_s": 24, "iq3_s": 26, "iq3_m": 27, "iq2_s": 28, "iq2_m": 29,
          "iq1_m": 31, "q2_k_s": 21, "tq1_0": 36, "tq2_0": 37}


def tensors(path):
    return {t.name: (t.tensor_type.name, t.data.tobytes()) for t in GGUFReader(path).tensors}
