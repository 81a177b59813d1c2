# SPDX-License-Identifier: Apache-2.0
"""bitsandbytes' LLM.int8 and torch's E4M3 of some values: coded_golden.py OUT.safetensors (tests/golden/quant/coded.safetensors).

Rows hold values that are halfway between codes, rows of zeros, of denormal and of large values.  For E4M3 the blocks are 32 x 32,
scales are the largest magnitude / 448, values are multiplied by the inverse of the scale.
"""
import sys, torch, bitsandbytes
from safetensors.torch import save_file

torch.manual_seed(7)
w = torch.randn(32, 96) * torch.logspace(-6, 3, 32)[:, None]
w[3] = 0
w[5] = torch.arange(96) / 2 - 20
w[5, 0] = 127
w[7, 1] = 6e4
w[9, ::2] = 2.0 ** -26
cb, scb, _ = bitsandbytes.functional.int8_vectorwise_quant(w.to(torch.float16))
blocks = w.view(1, 32, 3, 32).permute(0, 2, 1, 3)
scale = blocks.abs().amax((2, 3)) / 448
q = (blocks * (1 / scale)[:, :, None, None]).to(torch.float8_e4m3fn).permute(0, 2, 1, 3).reshape(32, 96)
# every bf16 within the range
x = torch.arange(65536, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).float()
x = x[x.abs() <= 448]
save_file({"w": w, "CB": cb, "SCB": scb, "f8": q.contiguous().view(torch.uint8), "f8.scale": scale.contiguous(),
           "codes": x.to(torch.float8_e4m3fn).view(torch.uint8)}, sys.argv[1])
