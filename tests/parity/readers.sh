#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Quantised checkpoints of golden/readers: transformers opens them as they
# are and expands them, and computes what we do.  PEERS= names a virtual
# environment with torch, transformers and, if it is to be more than FP8,
# compressed-tensors.
. "$TOP/tests/lib.sh"
golden=$TOP/tests/golden/readers
TRANSFORMERS_VERBOSITY=error; export TRANSFORMERS_VERBOSITY

if ! "${PEERS:-none}/bin/python" -c 'import transformers' 2>/dev/null; then
	skip 'transformers opens quantised checkpoints' 'PEERS has none'
	done_testing
fi
cases='fp8-block fp8-ue8m0'
if "$PEERS/bin/python" -c 'import compressed_tensors' 2>/dev/null; then
	cases="$cases ct-int4 ct-int8 ct-w8a8 ct-fp8 ct-fp8-block"
else
	skip 'compressed-tensors' 'PEERS has none'
fi
perl -e '@i = map { 3 + ($_ * 7) % 29 } 1 .. 20; $i = join ",", @i;
    print "{\"input_ids\":[$i],\"labels\":[$i]}\n"' >tokens
for c in $cases; do
	mkdir "$c"
	cp "$golden/$c.json" "$c/config.json"
	zstd -dq "$golden/$c.safetensors.zst" -o "$c/model.safetensors"
	# the other side rounds to the type of the scales
	peft-quantize -q -t "$(head -n 1 "$golden/$c.txt")" -o "$c.own/" "$c"
	logits-tool "$c.own" <tokens >"$c.logits"
done
# shellcheck disable=SC2086
run "$PEERS/bin/python" "$TOP/tests/parity/readers_load.py" tokens $cases
cp out said
while read -r verdict what; do
	ok "$what" [ "$verdict" = ok ]
done <said
ok 'and that was all' [ "$rc" -eq 0 ]
done_testing
