# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/optim.safetensors: what other software's optimisers and schedules do.

A matrix, a vector and a stack of matrices ("value.NAME.0", ".1") with given gradients ("grad.NAME.STEP") are moved STEPS times; "OPTIMISER.NAME"
is where they end.  "schedule.KIND" are transformers' factors of TOTAL steps.  usage: optim.py OUT
Needs torch, transformers, bitsandbytes, schedulefree."""
import sys
import bitsandbytes, schedulefree, torch, transformers
from safetensors.torch import save_file
from transformers import optimization

LR, DECAY, STEPS, TOTAL, WARMUP = 1e-2, 0.1, 4, 24, 5
g = torch.Generator().manual_seed(3)
shapes = {"matrix": (33, 130), "vector": (70,), "stack": (3, 9, 14)}
first = {k: torch.randn(s, generator=g) for k, s in shapes.items()}
grads = [{k: torch.randn(s, generator=g) * (0.5 + t) * 1e-2 for k, s in shapes.items()} for t in range(STEPS)]
out = {"value." + k: v for k, v in first.items()}
for t, step in enumerate(grads):
    for k, v in step.items():
        out["grad.%s.%d" % (k, t)] = v

makers = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=LR, weight_decay=DECAY),
    "adamw8bit": lambda p: bitsandbytes.optim.AdamW8bit(p, lr=LR, weight_decay=DECAY),
    "sgd": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9, weight_decay=DECAY),
    "lion": lambda p: bitsandbytes.optim.Lion(p, lr=LR, weight_decay=DECAY),
    "adafactor": lambda p: transformers.Adafactor(p, lr=LR, weight_decay=DECAY, scale_parameter=False, relative_step=False),
    "schedule-free": lambda p: schedulefree.AdamWScheduleFree(p, lr=LR, weight_decay=DECAY),
}
for name, make in makers.items():
    params = {k: torch.nn.Parameter(v.clone()) for k, v in first.items()}
    optimiser = make(list(params.values()))
    if hasattr(optimiser, "train"):
        optimiser.train()
    for step in grads:
        for k, p in params.items():
            p.grad = step[k].clone()
        optimiser.step()
    if hasattr(optimiser, "eval"):
        optimiser.eval()
    for k, p in params.items():
        out["%s.%s" % (name, k)] = p.data.clone()

one = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
schedules = {
    "constant": optimization.get_constant_schedule_with_warmup(one, WARMUP),
    "linear": optimization.get_linear_schedule_with_warmup(one, WARMUP, TOTAL),
    "cosine": optimization.get_cosine_with_min_lr_schedule_with_warmup(one, WARMUP, TOTAL, min_lr_rate=0.1),
    "cosine-with-restarts": optimization.get_cosine_with_hard_restarts_schedule_with_warmup(one, WARMUP, TOTAL, num_cycles=3),
    "polynomial": optimization.get_polynomial_decay_schedule_with_warmup(one, WARMUP, TOTAL, lr_end=0.1, power=2.0),
    "inverse-sqrt": optimization.get_inverse_sqrt_schedule(one, WARMUP),
    "warmup-stable-decay": optimization.get_wsd_schedule(one, WARMUP, 8, TOTAL, min_lr_ratio=0.1),
}
for name, schedule in schedules.items():
    out["schedule." + name] = torch.tensor([schedule.lr_lambdas[0](s) for s in range(TOTAL + 2)], dtype=torch.float64)
# what ReduceLROnPlateau makes of losses, one after the other: the rate after each
rate = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(rate, factor=0.3, patience=2, min_lr=0.02)
losses, rates = [3, 2.5, 2.4, 2.45, 2.41, 2.40001, 2.3, 2.3, 2.29999, 2.4, 2.2, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.1, 2.5], []
for loss in losses:
    plateau.step(loss)
    rates.append(rate.param_groups[0]["lr"])
out["plateau.losses"], out["plateau.rates"] = torch.tensor(losses, dtype=torch.float64), torch.tensor(rates, dtype=torch.float64)
save_file(out, sys.argv[1], {"lr": str(LR), "decay": str(DECAY)})
