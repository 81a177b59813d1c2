#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Virtual tokens, trained: what is saved is what was trained last; and CPT,
# whose prompt is predicted, too, and stays near what it began as.
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/methods
base=$golden/base
tokens=$TOP/tests/golden/losses/tokens
cpt="--method cpt --set cpt_token_ids=[4,5,6,7,9,11] --set cpt_tokens_type_mask=[1,2,4,5,6,8]
    --set opt_projection_epsilon=0.5 --set opt_weighted_loss_type=decay --set opt_loss_decay_factor=0.7"

train() { peft-train -q -m "$base" --lr 5e-2 --batch 8 --no-shuffle --schedule constant --warmup 0 -f "$@"; }
# of all records at once: the third step's loss is of what two have left
near() { jq -ne --argjson a "$1" --argjson b "$2" '($a - $b | fabs) < 1e-5 * $b'; }
while read -r how; do
	# shellcheck disable=SC2086	# words are what they are
	{ run train $how --steps 2 -o two "$tokens"
	  run train $how --steps 3 --log log -o three "$tokens"; }
	want=$(jq -s '[.[].loss | numbers][2]' log)
	got=$(peft-eval -q -m "$base" -a two "$tokens" | jq -s '[.[].summary | objects][-1].loss')
	ok "$how: saved is what two steps have left" near "$got" "$want"
done <<'END'
--method lora
--method prompt-tuning
--method p-tuning
--method p-tuning --set encoder_reparameterization_type="LSTM"
--method prefix-tuning
--method prefix-tuning --set prefix_projection=true
--method multitask-prompt-tuning
--method ah-prefix-tuning
--method mam
--method adaption-prompt --set adapter_len=2 --set adapter_layers=1
--method vblora --set vector_length=8 --set num_vectors=6
END

# labels of the first token count where something is before it
jq -c '.labels = .input_ids' "$tokens" >first
run train --method prompt-tuning --steps 3 --log log -o three first
run train --method prompt-tuning --steps 2 -o two first
ok 'the first token is one of those that the mean is of' near \
    "$(peft-eval -q -m "$base" -a two first | jq -s '[.[].summary | objects][-1].loss')" \
    "$(jq -s '[.[].loss | numbers][2]' log)"

# CPT: nothing moves but what may, and no further than it may
# shellcheck disable=SC2086
run train $cpt --steps 40 --log log -o learnt "$tokens"
ok 'CPT learns' jq -se '[.[].loss | numbers] | .[-1] < .[0]' log
# shellcheck disable=SC2086
run train $cpt --steps 1 --lr 1e-30 -o still "$tokens"
values() { tail -c $((6 * 16 * 4)) $1/adapter_model.safetensors | od -An -v -tf4 -w4; }
values learnt >a
values still >b
paste a b | awk '{ d[int((NR - 1) / 16)] += ($1 - $2) ^ 2 }
    END { for (i = 0; i < 6; i++) print sqrt(d[i] * 2048 / 16) }' >far
ok 'within balls of their own, answers not at all' jq -se '
    length == 6 and .[2] == 0 and .[5] == 0 and
    (.[0, 3] | . > 0.0999 and . < 0.1001) and (.[1, 4] | . > 0.499 and . < 0.501)' far
# shellcheck disable=SC2086
peft-train -q -m "$base" --lr 5e-2 --batch 8 --no-shuffle --schedule constant --warmup 0 $cpt \
    --steps 500 --save-every 1 --checkpoint ckpt -o part "$tokens" & pid=$!
while [ ! -s ckpt ] && kill -0 $pid 2>/dev/null; do :; done
kill -TERM $pid 2>/dev/null; wait $pid
# shellcheck disable=SC2086
run train $cpt --steps 500 --checkpoint ckpt --resume -o part "$tokens"
# shellcheck disable=SC2086
run train $cpt --steps 500 -o whole "$tokens"
ok 'CPT goes on from a checkpoint to the same bytes' cmp whole/adapter_model.safetensors part/adapter_model.safetensors

# shellcheck disable=SC2086
bad() { expect 2 "$1" train --steps 1 -o bad --method cpt ${2-} "$tokens"; }
bad '*cpt_token_ids is no list*'
bad '*cpt_token_ids: entry 2 is not in the vocabulary*' '--set cpt_token_ids=[4,999] --set cpt_tokens_type_mask=[2,4]'
bad '*cpt_token_ids: entry 1 is no whole number*' '--set cpt_token_ids=["a",9] --set cpt_tokens_type_mask=[2,4]'
bad '*cpt_tokens_type_mask is no list of 2 entries*' '--set cpt_token_ids=[4,9] --set cpt_tokens_type_mask=[2,4,4]'
bad '*cpt_mask is no list of 2 entries*' '--set cpt_token_ids=[4,9] --set cpt_mask=[1]'
bad '*num_virtual_tokens is 3, cpt_token_ids has 2*' '--set cpt_token_ids=[4,9] --set num_virtual_tokens=3'
bad '*cpt_tokens_type_mask is no multiple of 4*' '--set cpt_token_ids=[4,9]'
bad '*opt_projection_epsilon*must not be below 0*' '--set cpt_token_ids=[4,9] --set opt_projection_epsilon=-1'
bad '*opt_weighted_loss_type "x" is*' '--set cpt_token_ids=[4,9] --set opt_weighted_loss_type="x"'
ok 'nothing is left' [ ! -e bad ]


# PEFT's would have other shapes, and cannot be loaded with these
mkdir grouped; zstd -dqc "$TOP/tests/golden/families/falcon_40b.tar.zst" | tar -C grouped -xf -
expect 2 '*PREFIX_TUNING: transformers has the keys and values of a group once for each of its queries*' \
    peft-train -q -n -m grouped/model --method prefix-tuning "$tokens"
done_testing
