#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One adapter for an embedding and the head that it is (ensure_weight_tying):
# trained, written as PEFT has it, merged into what stays one.
# shellcheck disable=SC2016,SC2086
. "$TOP/tests/lib.sh"

base=$TOP/tests/golden/tied/base
for i in 1 2 3 4 5 6 7 8; do
	echo "{\"input_ids\":[5,$((i + 3)),11,4,9,$((i * 3))],\"labels\":[5,$((i + 3)),11,4,9,$((i * 3))]}"
done >tok
loss() {	# model, adapter
	peft-eval -q -m "$1" ${2:+--no-base -a a="$2"} -o - tok |
	    jq -s 'map(.nll // empty) | add'
}
near() { jq -n -e "[$1, $2] | (.[0] - .[1]) / .[1] | fabs < 1e-5" >/dev/null; }
try() {		# name, tensors, options
	name=$1 want=$2
	shift 2
	how="-q -f -m $base --rank 2 --set ensure_weight_tying=true $*"
	peft-train $how --steps 1 --lr 1e-30 -o zero/ tok
	ok "$name: it begins as nothing" near "$(loss "$base" zero)" \
	    "$(loss "$base")"
	peft-train $how --steps 8 --lr 0.02 -o one/ tok
	ok "$name: it learns" jq -n -e \
	    "$(loss "$base" one) < $(loss "$base") - 0.1"
	st-list one/adapter_model.safetensors | grep -o \
	    '\(embed_tokens\|lm_head\)[A-Za-z_.]*' | sort | tr '\n' ' ' >got
	ok "$name: what is written: $want" [ "$(cat got)" = "$want " ]
	peft-merge -q -f -m "$base" -a one -o merged/
	ok "$name: merged it computes the same" near "$(loss merged)" \
	    "$(loss "$base" one)"
	ok "$name: and head and embedding are one" sh -c \
	    '! st-list merged/model.safetensors | grep -q lm_head'
	for j in 1 2; do
		peft-train $how --dropout 0.2 -j $j --steps 4 --lr 0.02 \
		    -o "j$j/" tok
	done
	ok "$name: the same for every number of threads" cmp \
	    j1/adapter_model.safetensors j2/adapter_model.safetensors
	peft-train -q -f -m "$base" --init one --steps 1 --lr 1e-30 \
	    -o again/ tok
	ok "$name: it goes on" near "$(loss "$base" again)" \
	    "$(loss "$base" one)"
}
four='embed_tokens.lora_embedding_A embed_tokens.lora_embedding_B lm_head.lora_A.weight lm_head.lora_B.weight'
try embedding "$four" --target embed_tokens,q_proj
try head "$four" --target lm_head,q_proj
try whole 'embed_tokens.weight lm_head.weight' \
    '--target q_proj --set modules_to_save=["lm_head"]'
peft-train -q -m "$base" --rank 2 --target embed_tokens,q_proj --steps 2 \
    --lr 0.02 -o own/ tok
ok 'without it the embedding has its own' sh -c \
    '! st-list own/adapter_model.safetensors | grep -q lm_head'

# token rows of the head alone, and others there: merged they are two
rows() {	# name, options
	name=$1
	shift
	peft-train -q -f -m "$base" "$@" --steps 8 --lr 0.05 -o rows/ tok
	ok "$name: it learns" jq -n -e \
	    "$(loss "$base" rows) < $(loss "$base") - 0.1"
	peft-merge -q -f -m "$base" -a rows -o merged/
	ok "$name: merged it computes the same" near "$(loss merged)" \
	    "$(loss "$base" rows)"
	ok "$name: the head is one of its own" sh -c \
	    'st-list merged/model.safetensors | grep -q lm_head'
}
set_tokens() { echo "trainable_token_indices={$1}"; }
rows 'head only' --rank 2 --set "$(set_tokens '"lm_head":[5,11,4]')"
rows 'others' --rank 2 --set \
    "$(set_tokens '"lm_head":[11,4],"embed_tokens":[5,11]')"
rows 'the method' --method trainable-tokens --set 'token_indices=[11,4,9]' \
    --target lm_head
for order in '"lm_head":[5,9],"embed_tokens":[5,9]' \
    '"embed_tokens":[5,9],"lm_head":[5,9]'; do
	peft-train -q -f -m "$base" --rank 2 --set "$(set_tokens "$order")" \
	    --steps 2 --lr 0.05 -o same/ tok
	peft-merge -q -f -m "$base" -a same -o merged/
	ok "$order: they stay one" sh -c \
	    '! st-list merged/model.safetensors | grep -q lm_head'
done
expect 2 '*: ensure_weight_tying, and other tokens of the head than of the embedding' \
    peft-train -q -n -m "$base" --rank 2 --set ensure_weight_tying=true \
    --set "$(set_tokens '"lm_head":[5],"embed_tokens":[6]')" tok
expect 2 '*lm_head: it is the embedding, which is targeted, too*' \
    peft-train -q -n -m "$base" --method trainable-tokens \
    --set 'token_indices=[5]' --target embed_tokens,lm_head tok

done_testing
