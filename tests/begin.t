#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# LoRA that begins from data (EVA, CorDA, LoRA-GA), as PEFT does it
# (parity/begin_golden.py): values, ranks and scales; what is written when it
# has learnt; interruptions and threads; and the refusals.
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/begin
base=$TOP/tests/golden/methods/base
all=q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj

train() { ${EXEC-} peft-train -q -m "$base" --batch 4 --no-shuffle -f "$@" \
    "$golden/records"; }
kind() { how_=$1; shift; train --rank 2 --target "$all" \
    --set "init_lora_weights=$how_" "$@"; }
refuse() { expect 2 "peft-train: $1" kind "$2" --set "$3" -o never; }
loss() { peft-eval -q -m "$1" ${2:+-a "$2"} "$golden/records" |
    sed -n 's/.*"summary".*"loss":\([0-9.]\{6\}\).*/\1/p' | tail -n 1; }

for file in "$golden"/*.safetensors; do
	name=$(basename "$file" .safetensors)
	run train -c "$golden/$name.json" --steps 1 --lr 1e-30 -o "$name"
	ok "$name" [ "$rc" -eq 0 ]
	case $name in
	ga_*)	apart=apart ;;
	*)	apart= ;;
	esac
	unit begin-unit "$file" "$name/adapter_model.safetensors" $apart
	[ -f "$golden/$name.ranks.json" ] || continue
	tr -d ' \n' <"$name/adapter_config.json" >flat
	tr -d ' \n' <"$golden/$name.ranks.json" |
	    sed 's/.*"rank":\({[^}]*}\).*/\1/' >ranks
	ok "$name: ranks" grep -qF "\"rank_pattern\":$(cat ranks)" flat
	tr -d ' \n' <"$golden/$name.ranks.json" |
	    sed 's/\.0\([,}]\)/\1/g; s/.*"alpha":\({[^}]*}\).*/\1/' >alphas
	ok "$name: scales" grep -qF "\"alpha_pattern\":$(cat alphas)" flat
done

# It begins as the base is, and learns; merged, it is what it was beside.
for how in corda lora_ga eva; do
	run kind $how --steps 1 --lr 1e-30 -o start
	ok "$how begins as the base" [ "$(loss "$base" start)" = \
	    "$(loss "$base")" ]
	run kind $how --steps 20 --lr 1e-2 --log log -o "learnt-$how"
	ok "$how learns" [ "$rc" -eq 0 ]
	run peft-merge -q -m "$base" -a "learnt-$how" -t f32 -o "m-$how/"
	ok "$how: merged" [ "$(loss "m-$how")" = "$(loss "$base" \
	    "learnt-$how")" ]
	kind $how --steps 20 --lr 1e-2 -j 2 -o other
	ok "$how: the same bytes on other threads" cmp \
	    other/adapter_model.safetensors \
	    "learnt-$how/adapter_model.safetensors"
	EXEC='exec' kind $how --steps 20 --lr 1e-2 --save-every 7 --checkpoint ckpt \
	    --log half -o never & pid=$!
	while kill -0 $pid 2>/dev/null && [ ! -s ckpt ]; do :; done
	kill -TERM $pid 2>/dev/null; wait $pid
	if [ -e ckpt ]; then
		rm -rf never
		run kind $how --steps 20 --lr 1e-2 --checkpoint ckpt --resume \
		    -o never
	fi
	ok "$how: the same bytes after an interruption" cmp \
	    never/adapter_model.safetensors \
	    "learnt-$how/adapter_model.safetensors"
	rm -rf never ckpt
done
run peft-train -m "$base" --rank 2 --target "$all" --steps 1 -f -o said \
    --set init_lora_weights=corda --init-records 3 "$golden/records"
ok 'what is written is said' grep -q 'a LoRA of twice the rank' err
ok 'at twice the rank' grep -q '"r": 4' said/adapter_config.json

refuse 'eva_config: rho 0.5 is not in *' eva 'eva_config={"rho":0.5}'
refuse 'eva_config: tau 2 is not in *' eva 'eva_config={"tau":2}'
refuse 'eva_config: key "nix" is not *' eva 'eva_config={"nix":1}'
refuse '*eva wants 18 components*' eva 'eva_config={"rho":9}'
refuse 'corda_config: corda_method "x" is neither*' corda \
    'corda_config={"corda_method":"x"}'
refuse 'corda_config: key "cache_file" is not *' corda \
    'corda_config={"cache_file":"x"}'
refuse 'lora_ga_config: scale "x" is none of stable*' lora_ga \
    'lora_ga_config={"scale":"x"}'
refuse 'lora_ga_config: stable_gamma 0 is not *' lora_ga \
    'lora_ga_config={"stable_gamma":0}'
expect 2 'peft-train: *lora_ga needs twice the rank, 18, of *' train \
    --rank 9 --target "$all" --set init_lora_weights=lora_ga -o never
refuse '*excludes use_dora and lora_bias' corda use_dora=true
refuse '*can only be put on linear layers' eva \
    'target_modules=["q_proj","lm_head"]'
expect 2 '*peft-quantize --residual-rank makes what loftq begins from*' \
    kind loftq -o never
ok 'nothing is left' [ ! -e never ]

done_testing
