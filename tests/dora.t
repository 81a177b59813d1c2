#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# DoRA on an embedding: trained, over quantised bases, merged
# shellcheck disable=SC2016,SC2086
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

peft-tokenize -q -m base -o t test.jsonl
peft-quantize -q -t f32 -o wide/ base
how='-q --rank 2 --set use_dora=true --target embed_tokens,v_proj'
loss() {	# model, adapter
	peft-eval -q -m "$1" ${2:+--no-base -a a="$2"} -o - t |
	    jq -s 'map(.nll // empty) | add'
}
near() { jq -n -e "[$1, $2] | (.[0] - .[1]) / .[1] | fabs < 1e-5" >/dev/null; }
peft-train $how -m wide --steps 1 --lr 0 -o zero/ t
ok 'it begins as nothing' near "$(loss wide zero)" "$(loss wide)"
peft-train $how -m wide --steps 12 --lr 0.05 --log log -o dora/ t
ok 'it learns' jq -se 'map(.loss // empty) | .[-1] < .[0] * 0.98' log
ok 'and its magnitudes move' sh -c '! cmp -s zero/adapter_model.safetensors \
    dora/adapter_model.safetensors'
peft-merge -q -m wide -a dora -o merged/
ok 'merged it computes the same' near "$(loss merged)" "$(loss wide dora)"
peft-merge -q -m wide -a dora=0.4 -o part/
says() { peft-generate -q "$@" --jsonl --max-tokens 8 | jq -r .text; }
says -m part test.jsonl >want
jq -c '. + {adapter: {a: 0.4}}' test.jsonl | says -m wide -a a=dora >got
ok 'a part of it answers as merged' cmp got want
says -m wide test.jsonl >want
ok 'and not as the base' sh -c '! cmp -s got want'
for j in 1 2; do
	peft-train $how -j $j -m wide --steps 2 -o "j$j/" t
done
ok 'for every number of threads' cmp j1/adapter_model.safetensors \
    j2/adapter_model.safetensors
for q in nf4:safetensors int8:safetensors q8_0:gguf; do
	b=q.${q#*:}
	peft-quantize -q -f -t "${q%:*}" -o "$b" base
	rm -rf small log
	peft-train $how -m "$b" --steps 8 --lr 0.05 --log log -o small/ t
	ok "over ${q%:*} it learns" jq -se 'map(.loss // empty) |
	    .[-1] < .[0]' log
	peft-merge -q -f -m "$b" -a small -t f32 -o m/
	ok "and merged computes the same" near "$(loss m)" "$(loss "$b" small)"
done
# where the adapter begins as a part of the weights; with dropout, too
how='-q -f --rank 2 --set use_dora=true --target q_proj,v_proj,down_proj'
for init in pissa olora corda lora_ga orthogonal eva; do
	begin="$how --set init_lora_weights=$init"
	peft-train $begin -m wide --steps 1 --lr 1e-30 -o zero/ t
	ok "$init: it begins as nothing" near "$(loss wide zero)" "$(loss wide)"
	peft-train $begin -m wide --steps 8 --lr 0.02 -o dora/ t
	ok "$init: it learns" jq -n -e "$(loss wide dora) < $(loss wide)"
	peft-merge -q -f -m wide -a dora -o merged/
	ok "$init: merged it computes the same" near "$(loss merged)" \
	    "$(loss wide dora)"
	peft-merge -q -f -m wide -a dora=0.4 -o part/
	says -m part test.jsonl >want
	jq -c '. + {adapter: {a: 0.4}}' test.jsonl |
	    says -m wide -a a=dora >got
	ok "$init: a part of it answers as merged" cmp got want
	for j in 1 2; do
		peft-train $begin --dropout 0.3 -j $j -m wide --steps 3 \
		    --lr 0.02 -o "j$j/" t
	done
	ok "$init: with dropout, for every number of threads" cmp \
	    j1/adapter_model.safetensors j2/adapter_model.safetensors
done
# beneath another, in part: what is learnt is what is learnt on it merged
peft-train $how -m wide --steps 8 --lr 0.05 -o dora/ t
peft-merge -q -f -m wide -a dora=0.4 -o part/
atop='-q -f --rank 2 --target k_proj,up_proj --steps 6 --lr 0.02'
peft-train $atop -m part -o one/ t
peft-train $atop -m wide --frozen dora=0.4 -o two/ t
peft-merge -q -f -m wide -a dora=0.4 -a two -o both/
peft-merge -q -f -m part -a one -o merged/
ok 'beneath another it passes back what it makes' near "$(loss both)" \
    "$(loss merged)"
expect 2 '*neither lora_bias nor alora*' peft-train -q -m wide --rank 2 \
    --set lora_bias=true --target embed_tokens --steps 1 -o x/ t

done_testing
