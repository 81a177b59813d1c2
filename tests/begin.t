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
refuse '*excludes lora_bias' corda lora_bias=true
expect 2 'peft-train: *can only be put on linear layers' train --rank 2 \
    --target q_proj,lm_head --set init_lora_weights=eva -o never
# LoftQ over a base that is quantised already: what numpy's SVD leaves, and
# PEFT's loftq_init with it (parity/residual_golden.py).
tiny=$TOP/tests/golden/tiny
loftq() { peft-train -q --rank 4 --steps 1 --lr 1e-30 -f "$@" q.tok; }
peft-tokenize -q -m "$tiny/model" -o q.tok "$tiny/chats.jsonl"
peft-quantize -q -t nf4 -o q/ "$tiny/model"
peft-quantize -q -t q4_0 --pure -o q.gguf "$tiny/model"
for q in nf4:q:1 nf4:q:9 q4_0:q.gguf:1; do
	type=${q%%:*} alpha=${q##*:} q=${q#*:} q=${q%:*}
	run loftq -m "$q" --loftq "$tiny/model" --alpha "$alpha" -o lq
	ok "loftq over $type, alpha $alpha" [ "$rc" -eq 0 ]
	peft-merge -q -m "$q" -a lq -t f32 -f -o whole/
	peft-inspect --diff --json "$tiny/model" whole >diff.log 2>/dev/null
	ok 'so near is base and adapter' jq -n -e --slurpfile r diff.log \
	    --slurpfile w "$tiny/residuals.json" '[$r[] | select(.name |
	    test("_proj"))] | length == 14 and all($w[0]["'"$type"'"]["1"][
	    .name][1] as $v | (.rms - $v | fabs) <= 1e-5 * $v)'
done
run loftq -m q --loftq "$tiny/model" --set use_dora=true -o ld
peft-merge -q -m q -a ld -t f32 -f -o wd/
peft-inspect --diff --json "$tiny/model" wd >diff.log 2>/dev/null
ok 'with DoRA its norms are those of base and adapter' jq -n -e \
    --slurpfile r diff.log --slurpfile w "$tiny/residuals.json" '[$r[] |
    select(.name | test("_proj"))] | length == 14 and all($w[0]["nf4"]["1"][
    .name][1] as $v | (.rms - $v | fabs) <= 1e-5 * $v)'
ok 'what is written is a LoRA like others' jq -e '.init_lora_weights == true
    and .loftq_config == {}' lq/adapter_config.json
run peft-train -v -m q --loftq "$tiny/model" --rank 4 --steps 1 -f -o lq q.tok
ok 'it is said what was lost' grep -q \
    'of 14 weights the base lacks [0-9.]*%, base and adapter [0-9.]*%' err
want() { code=$1 text=$2; shift 2; expect "$code" "peft-train: $text" loftq \
    -o never "$@"; }
want 2 '*loftq begins from the model that*name it (--loftq)*' -m q \
    --set init_lora_weights=loftq
want 2 '*no module that is targeted is quantised*' -m "$tiny/model" \
    --loftq "$tiny/model"
want 2 '*loftq_iter 3: each turn*--residual-rank*' -m q --loftq "$tiny/model" \
    --set 'loftq_config={"loftq_iter":3}'
want 2 '*q_proj: loftq_bits is 8, the base'"'"'s weight is stored in 4 (nf4)' \
    -m q --loftq "$tiny/model" --set 'loftq_config={"loftq_bits":8}'
want 2 'loftq_config: key "x" is not *' -m q --loftq "$tiny/model" \
    --set 'loftq_config={"x":8}'
want 2 '*q_proj: loftq needs an alpha above 0' -m q --loftq "$tiny/model" \
    --alpha 0
want 3 '*was quantised from*would begin as nonsense*' -m q --loftq "$base"
want 3 '*has no such weight*' -m q --loftq "$base" --any-base
want 2 '*nix*' -m q --loftq nix
want 1 '--loftq is for lora, not for IA3' -m q --loftq "$base" --method ia3
want 1 '--loftq: the config*' -m q --loftq "$base" \
    --set init_lora_weights=olora
expect 1 '*no options of the adapter beside it*' peft-train -m q --init lq \
    --loftq "$base" -o never q.tok
ok 'nothing is left' [ ! -e never ]

done_testing
