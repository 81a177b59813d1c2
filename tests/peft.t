#!/bin/sh
# Adapters: by hand, and against what PEFT computed
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden
ok 'targets, patterns, configs' adapter-unit
ok 'hooks, and what is dropped' hook-unit
ok 'shared beginnings' tree-unit "$golden/llama/model"
ok 'only what is supervised goes through the last layer' \
    kept-unit "$golden/llama/model"
ok 'the same under virtual tokens' kept-unit "$golden/llama/model" \
    '{"peft_type":"PROMPT_TUNING","num_virtual_tokens":5}'
ok 'LoRA on all layers, as PEFT has it' peft-unit "$golden/llama/model" \
    "$golden/llama/adapter" "$golden/llama/golden.safetensors"
ok 'LoRA with a bias' peft-unit "$golden/llama/model" \
    "$golden/lora_bias" "$golden/lora_bias/golden.safetensors"

# logits, loss, gradients, merged weights of every method
for d in "$golden"/methods/*/golden.safetensors; do
	d=${d%/golden.safetensors}
	ok "${d##*/}" peft-unit "$golden/methods/base" "$d" \
	    "$d/golden.safetensors"
done

# of a model with biases, whose head is the embedding
for d in "$golden"/tied/*/golden.safetensors; do
	d=${d%/golden.safetensors}
	ok "tied: ${d##*/}" peft-unit "$golden/tied/base" "$d" \
	    "$d/golden.safetensors"
done

# over families that norm queries and keys
for d in "$golden"/norms/*/golden.safetensors; do
	d=${d%/golden.safetensors}
	mkdir "norms-${d##*/}"
	zstd -qdc "$golden/families/${d##*/}.tar.zst" |
	    tar -xf - -C "norms-${d##*/}"
	ok "norms: ${d##*/}" peft-unit "norms-${d##*/}/model" "$d" \
	    "$d/golden.safetensors"
done

# more of the same, where the reference numbers are at hand
shared=${PEFT_SHARED:-$TOP/../shared}/golden
if [ -d "$shared/methods" ]; then
	for d in "$shared"/methods/*/golden.safetensors; do
		d=${d%/golden.safetensors}
		ok "${d##*/}" peft-unit "$shared/methods/base" "$d" \
		    "$d/golden.safetensors"
	done
else
	skip 'PEFT, larger' 'no reference numbers'
fi
m=$shared/models/llama_tied_rope3
if [ -d "$m" ]; then
	ok 'a tied model' peft-unit "$m/model" "$m/adapter" \
	    "$m/golden.safetensors"
else
	skip 'a tied model' 'no reference numbers'
fi

done_testing
