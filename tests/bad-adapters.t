#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters that are not for this model, or not whole: what is said of each.
# shellcheck disable=SC2016,SC2086
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/methods
base=$golden/base
one='"input_ids":[5,7,11,4,9,8],"labels":[5,7,11,4,9,8],"task_id":0'
echo "{$one}" >tok

# with a config that is changed: the method, status, message, jq's change
while IFS='|' read -r m rc want how; do
	[ -n "$m" ] || continue
	rm -rf odd
	cp -r "$golden/$m" odd
	chmod -R u+w odd
	jq "$how" "$golden/$m/adapter_config.json" >odd/adapter_config.json
	expect "$rc" "*$want*" peft-eval -q -m "$base" -a odd -o scores tok
done <<-'END'
	lora_dora|3|the config targets no module of this model: target_modules is *zz*|.target_modules = ["zz"]
	ia3|3|target_modules is *zz*|.target_modules = ["zz"]
	lora_dora|2|pattern '(q', at character 3: missing closing|.target_modules = "(q"
	lora_dora|2|'(q': pattern *missing closing|.rank_pattern = {"(q": 2}
	lora_dora|2|the value for 'q_proj' is no number|.rank_pattern = {"q_proj": "2"}
	lora_dora|3|lora_A.weight has shape *, the config and the model call for *|.r = 3
	lora_dora|2|"r" is 0, not in|.r = 0
	loha|2|"r" is -1, not in|.r = -1
	vera|2|"r" is not a number|.r = "8"
	hra|2|a rank of 4096 is above its input's dimension, 16|.r = 4096
	oft|2|one of r and oft_block_size must be 0|.oft_block_size = 0
	fourierft|2|n_frequency|.n_frequency = 99999999
	adalora|2|rank_pattern is no object|.rank_pattern = "x"
	prompt_tuning|3|prompt_embeddings has shape *|.num_virtual_tokens = 4
	prompt_tuning|3|token_dim is 32, this model's is 16: the adapter is for another model|.token_dim = 32
	prompt_tuning|2|key "target_modules" is not honoured for PROMPT_TUNING|.target_modules = ["q_proj"]
	prefix_tuning|3|num_layers is 7, this model's is 2: the adapter is for another model|.num_layers = 7
	xlora|2|key "target_modules" is not honoured for XLORA|.target_modules = ["q_proj"]
	miss|2|key "mystery" is not honoured for MISS|.mystery = 3
	road|2|peft_type "NIX" is not known|.peft_type = "NIX"
	boft|2|peft_type is missing|del(.peft_type)
END

# with the tensors of another
mixed() {	# method, whose tensors, status, message
	rm -rf odd
	cp -r "$golden/$1" odd
	chmod -R u+w odd
	cp "$golden/$2/adapter_model.safetensors" odd/
	expect "$3" "*$4*" peft-eval -q -m "$base" -a odd -o scores tok
}
mixed ia3 loha 3 'fits nothing that the config targets'
mixed lora_dora lora_orthogonal 3 'tensor * is missing'
mixed prompt_tuning prefix_tuning 3 'prompt_embeddings has shape'
mixed vera vblora 3 'fits nothing'

# PEFT has two results for it
mkdir scaled; zstd -dqc "$TOP/tests/golden/families/gemma.tar.zst" | tar -C scaled -xf -
expect 2 '*model.embed_tokens: it scales its rows, which PEFT*' peft-train -q -n \
    -m scaled/model --method hira --rank 2 --target embed_tokens tok

# a rank that no change of the weight has
for m in lora loha hira delora ah-lora poly; do
	expect 2 '*a rank of 100 is above both dimensions of the weight, *' \
	    peft-train -q -n -m "$base" --method $m --rank 100 tok
done
expect 2 "*rank_pattern: '(q': pattern*" peft-train -q -n -m "$base" \
    --set 'rank_pattern={"(q":2}' tok
expect 2 "*rank_pattern: 'zz' matches none of the targeted modules*" \
    peft-train -q -n -m "$base" --set 'rank_pattern={"zz":2}' tok

# methods that PEFT has besides
for m in ADAMSS BEFT CARTRIDGE DEFT FROD GLORA GRALORA LILY OSF PEANUT PSOFT \
    PVERA SHADOW SUPERTUNING TINYLORA UNILORA WAVEFT; do
	rm -rf newer
	cp -r "$golden/ia3" newer
	chmod -R u+w newer
	echo "{\"peft_type\":\"$m\"}" >newer/adapter_config.json
	expect 2 "*newer: peft_type \"$m\" is a method of PEFT's that is not*" \
	    peft-eval -q -m "$base" -a newer -o scores tok
done

# of a model whose head is its embedding
tied=$TOP/tests/golden/tied
cp -r "$tied/trainable_tokens" odd-tokens
chmod -R u+w odd-tokens
W=base_model.model.lm_head.trainable_tokens_delta perl \
    "$TOP/tests/st-edit.pl" 'put(0, f32(7), $w)' \
    <"$tied/trainable_tokens/adapter_model.safetensors" \
    >odd-tokens/adapter_model.safetensors
expect 3 '*lm_head.trainable_tokens_delta differs from that of the embedding*' \
    peft-eval -q -m "$tied/base" -a odd-tokens -o scores tok
expect 2 '*lm_head: it is the embedding, which an adapter that begins as*' \
    peft-train -q -m "$tied/base" --steps 1 --target lm_head,q_proj \
    --set init_lora_weights=pissa -o scores/ tok
tie() {
	peft-train -q -m "$tied/base" --steps 1 --target "$1,q_proj" \
	    --set ensure_weight_tying=true -o scores/ --set "$2" tok
}
expect 2 '*embed_tokens: ensure_weight_tying excludes use_dora*' \
    tie lm_head use_dora=true
expect 2 '*embed_tokens: ensure_weight_tying: alpha_pattern*' \
    tie embed_tokens,lm_head 'alpha_pattern={"lm_head":3}'
cp -r "$tied/tied_target" odd-tied
chmod -R u+w odd-tied
W=base_model.model.lm_head.lora_B.weight perl \
    "$TOP/tests/st-edit.pl" 'put(4, f32(7), $w)' \
    <"$tied/tied_target/adapter_model.safetensors" \
    >odd-tied/adapter_model.safetensors
expect 3 '*lm_head.lora_B.weight differs from that of the embedding*' \
    peft-eval -q -m "$tied/base" -a odd-tied -o scores tok

# a head with a bias
zstd -qdc "$TOP/tests/golden/families/phi.tar.zst" | tar -xf -
expect 2 '*lm_head: it has a bias, which PEFT leaves out where token rows*' \
    peft-train -q -m model --steps 1 --target q_proj -o scores/ \
    --set 'trainable_token_indices={"lm_head":[5]}' tok

# what cannot be merged, asked to
for m in prompt_tuning prefix_tuning p_tuning multitask_3 cpt adaption_prompt \
    poly xlora alora; do
	expect 3 '*cannot be merged: *keep them beside the base*' \
	    peft-merge -q -m "$base" -a "$golden/$m" -o merged/
done
expect 2 '*two adapters are called a*' peft-eval -q -m "$base" \
    -a a="$golden/ia3" -a a="$golden/loha" tok
ok 'nothing is left' sh -c '[ ! -e merged ] && [ ! -e scores ]'

done_testing
