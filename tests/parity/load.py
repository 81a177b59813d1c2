# SPDX-License-Identifier: Apache-2.0
"""transformers, bitsandbytes and PEFT over the folders that run.sh made: the loss of each record, theirs against ours."""
import json, sys, torch
from transformers import AutoModelForCausalLM
from peft import PeftModel
recs = [json.loads(l) for l in open("some.tok")]
def ours(name):
    return [j["loss"] for j in map(json.loads, open(name + ".results")) if "record" in j]
def theirs(m):
    out = []
    for r in recs:
        with torch.no_grad():
            out.append(m(input_ids=torch.tensor([r["input_ids"]]), labels=torch.tensor([r["labels"]])).loss.item())
    return out
bad = 0
def compare(name, m, tol):
    global bad
    a, b = ours(name), theirs(m)
    d = max(abs(x - y) / y for x, y in zip(a, b))
    good = len(a) == len(b) and d <= tol
    bad += not good
    print("%s %-8s largest difference of a record's loss %.1e (limit %.0e)" % ("ok" if good else "NOT OK", name, d, tol))
base = AutoModelForCausalLM.from_pretrained("f32", dtype=torch.float32).eval()
compare("f32", base, 1e-4)
compare("adapter", PeftModel.from_pretrained(base, "adapter").eval(), 1e-4)
for n in ("nf4", "nf4dq"):
    compare(n, AutoModelForCausalLM.from_pretrained(n, dtype=torch.float32, device_map="cpu").eval(), 2e-2)
sys.exit(bad)
