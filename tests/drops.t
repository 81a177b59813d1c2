#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Dropout of parts of an adapter: of rows, of blocks, of modules.
# shellcheck disable=SC2086
. "$TOP/tests/lib.sh"

base=$TOP/tests/golden/methods/base
for i in 1 2 3 4 5 6 7 8; do
	echo "{\"input_ids\":[5,$((i + 3)),11,4,9,$((i * 3))],\"labels\":[5,$((i + 3)),11,4,9,$((i * 3))]}"
done >tok
try() {		# name, options
	n=$1; shift
	how="-q -f -m $base --steps 4 --lr 0.02 --batch 4 $*"
	peft-train $how -j 1 -o one/ tok && peft-train $how -j 2 -o two/ tok &&
	    peft-train $how --micro-tokens 7 -o parts/ tok || return 1
	ok "$n: the same for every number of threads" \
	    cmp one/adapter_model.safetensors two/adapter_model.safetensors
	peft-train $how --set ${n#*:}=0 -o none/ tok
	ok "$n: not as without" sh -c '! cmp -s one/adapter_model.safetensors \
	    none/adapter_model.safetensors'
	# in parts the sums differ by rounding, the parts that drop out do not
	for d in one parts; do
		peft-eval -q --no-base -m "$base" -a x=$d -o - tok
	done | jq -s 'map(.nll // empty)' >both
	ok "$n: in parts as whole" jq -e '.[:length / 2] as $a |
	    .[length / 2:] as $b | [$a, $b] | transpose |
	    map((.[0] - .[1]) / .[1] | fabs) | max < 1e-4' both
}
for m in loha:rank_dropout loha:module_dropout lokr:rank_dropout \
    lokr:module_dropout; do
	try "$m" --method ${m%:*} --rank 2 --set ${m#*:}=0.4
done
try lora:lora_dropout --method lora --rank 2 --set lora_dropout=0.4 \
    --set use_dora=true
try oft:module_dropout --method oft --set oft_block_size=4 \
    --set module_dropout=0.5
try boft:boft_dropout --method boft --set boft_block_size=4 \
    --set boft_dropout=0.5
peft-train -q -m "$base" --steps 2 --lr 0.1 --method lokr --rank 2 \
    --set module_dropout=0.4 -o under/ tok
cp -r under still
jq '.module_dropout = 0' under/adapter_config.json >still/adapter_config.json
for u in under still; do
	peft-train -q -m "$base" --steps 2 --rank 2 --frozen $u -o on-$u/ tok
done
ok 'beneath another nothing is left out' cmp on-under/adapter_model.safetensors \
    on-still/adapter_model.safetensors
expect 2 '*rank_dropout 1 is not in*' peft-train -q -m "$base" --steps 2 \
    --method lokr --set rank_dropout=1 -o x/ tok

done_testing
