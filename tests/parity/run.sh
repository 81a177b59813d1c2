#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Other software reads what we write, and computes the same.
# usage: make parity PEERS=VENV [PEFT_MODEL=SmolLM2.gguf]
set -eu
[ -n "${PEERS:-}" ] || { echo "make parity: PEERS= names a virtual environment with the peers" >&2; exit 1; }
top=$(pwd) work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
model=${PEFT_MODEL:-$top/build/demo/SmolLM2-135M-Instruct.Q4_1.gguf}
[ -f "$model" ] || { echo "make parity: no $model: run make demo first, or name one by PEFT_MODEL=" >&2; exit 1; }
cd "$work"
peft-tokenize -q -m "$model" -o test.tok "$top/examples/banking/test.jsonl"
grep -v '"peft"' test.tok | head -n 12 >some.tok
peft-quantize -q -t f32 -o f32/ "$model"
peft-quantize -q -t nf4 -o nf4/ f32
peft-quantize -q -t nf4 --double-quant -o nf4dq/ f32
for t in f32 f16 q8_0; do peft-quantize -q -t "$t" -o "$t.gguf" "$model"; done
head -n 64 "$top/examples/banking/train.jsonl" | peft-tokenize -q -m "$model" |
    peft-train -q -m f32 --lr 1e-3 --rank 8 -o adapter/
for m in f32 nf4 nf4dq; do
	peft-eval -q -m "$m" some.tok >"$m.results"
done
peft-eval -q --no-base -m f32 -a adapter some.tok >adapter.results
"$PEERS/bin/python" "$top/tests/parity/load.py"
for t in f32 f16 q8_0; do
	peft-generate -m "$t.gguf" -p 'What is the capital of France?' --max-tokens 24 >"$t.text"
done
"$PEERS/bin/python" "$top/tests/parity/gguf.py"
