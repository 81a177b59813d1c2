#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""transformers opens quantised folders, expands their weights and computes logits in f32: the largest difference from ours, in parts of the largest.

usage: readers_load.py TOKENS FOLDER ...   (ours are in FOLDER.logits); a line each, "ok" or "bad" in front
"""
import json, sys
import numpy, torch, transformers
from transformers import AutoModelForCausalLM, CompressedTensorsConfig, FineGrainedFP8Config

transformers.utils.logging.disable_progress_bar()
LIMIT = 1e-5        # what differently ordered sums make in a model as small as these
ids = json.loads(open(sys.argv[1]).readline())["input_ids"]
for folder in sys.argv[2:]:
    how = CompressedTensorsConfig(dequantize=True) if folder.startswith("ct-") else FineGrainedFP8Config(weight_block_size=(32, 32), dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", quantization_config=how).eval()
    with torch.no_grad():
        theirs = model(input_ids=torch.tensor([ids])).logits[0].float().numpy()
    ours = numpy.fromfile(folder + ".logits", dtype=numpy.float32).reshape(theirs.shape)
    error = abs(ours - theirs).max() / abs(theirs).max()
    print("ok" if error <= LIMIT else "bad", "%s: logits differ by %.1e of the largest" % (folder, error), flush=True)
