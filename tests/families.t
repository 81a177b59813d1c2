#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Families: each small model of golden/families, as transformers and PEFT
# computed it (parity/families.py): logits, loss, gradients, a cache, layers
# computed again; merged; by way of a GGUF and back; and the refusals.
. "$TOP/tests/lib.sh"

# logits of another form of a model: TAP of one line
same() { run model-unit "$1" "$2" "$3"; ok "$2: $3" [ "$rc" -eq 0 ]; }

# What GGUF has no way to say, or nobody reads: a message each.
untold() {
	case $1 in
	cohere2|exaone4|gemma3)	echo '*: layer_types is not the pattern*' ;;
	smollm3)	echo '*: no_rope_layers is not the pattern*' ;;
	qwen2_window)	echo '*: the key "sliding_window" cannot be told*' ;;
	falcon_serial|phi|qwen3_moe_dense)	echo '*has no name in GGUF*' ;;
	mixtral|olmoe|qwen3_moe)
		echo '*has a layer'"'"'s experts in one tensor*' ;;
	rope_dynamic|rope_longrope)	echo '*rope scaling *cannot be told*' ;;
	glm|gptj|internlm2|minicpm|opt|deepseek_v2)	echo '*cannot be told in GGUF here*' ;;
	esac
}

to_gguf() {	# and back: the same logits, the same files
	peft-quantize -q -t f32 -o "$1.gguf" "$1/model" &&
	    peft-quantize -q -t bf16 -o "$1/back/" "$1.gguf" &&
	    peft-quantize -q -t bf16 -o "$1/as.safetensors" "$1/model" &&
	    peft-quantize -q -t bf16 -o "$1/is.safetensors" "$1/back" &&
	    st-list "$1/as.safetensors" | grep -v peft.file | sort >as &&
	    st-list "$1/is.safetensors" | grep -v peft.file | sort >is &&
	    cmp as is
}

for pack in "$TOP"/tests/golden/families/*.tar.zst; do
	name=$(basename "$pack" .tar.zst)
	mkdir "$name"
	zstd -dqc "$pack" | tar -C "$name" -xf -
	unit model-unit "$name"
	run peft-merge -q -m "$name/model" -a "$name/adapter" -t f32 \
	    -o "$name/merged/"
	ok "$name: merged" [ "$rc" -eq 0 ]
	same "$name" "$name/merged" adapter_logits
	why=$(untold "$name")
	if [ -n "$why" ]; then
		expect 2 "$why" peft-quantize -q -t f32 -o x.gguf "$name/model"
		ok "$name: nothing is left" [ ! -e x.gguf ]
	else
		ok "$name: to GGUF and back" to_gguf "$name"
		same "$name" "$name.gguf" logits
		same "$name" "$name/back" logits
	fi
	[ ! -f "$name/model.gguf" ] || same "$name" "$name/model.gguf" logits
	rm -rf "$name" "$name.gguf"
done

done_testing
