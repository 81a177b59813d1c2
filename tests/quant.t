#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Storage types: properties, and the bytes of bitsandbytes and gguf-py
# (tests/parity/quant_golden.py, coded_golden.py and imatrix_golden.py make
# golden/quant).
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
golden=$TOP/tests/golden/quant
unit half-unit
unit encode-unit
unit sink-unit
zstd -dqc "$golden/ggml.safetensors.zst" >ggml.safetensors
unit blocks-unit
unit quant-unit
unit ggml-unit ggml.safetensors
zstd -dqc "$golden/imatrix.safetensors.zst" >imatrix.safetensors
unit ggml-unit imatrix.safetensors
zstd -dqc "$golden/bnb.safetensors.zst" >bnb.safetensors
unit bnb-unit bnb.safetensors
zstd -dqc "$golden/coded.safetensors.zst" >coded.safetensors
unit fast-unit coded.safetensors

# what transformers saves of the same model: keys, shapes, bytes, states
theirs() {
	from=$1 name=$2; shift 2
	peft-quantize -q -t "$from" base |
	    peft-quantize -q "$@" -f -o out.safetensors
	st-list out.safetensors | grep -v '^peft.file' | sort >got
	ok "$* from $from: what transformers saves" \
	    diff "$golden/tiny-$name.txt" got
}
theirs f32 nf4 -t nf4
theirs bf16 nf4-dq -t nf4 --double-quant
theirs f16 fp4 -t fp4

shared=${PEFT_SHARED:-$TOP/../shared}/golden/quant.safetensors.zst
if [ -f "$shared" ]; then
	zstd -dqc "$shared" >all.safetensors
	unit bnb-unit all.safetensors
fi
done_testing
