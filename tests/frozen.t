#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-train --frozen: atop adapters that are not trained the loss and the
# gradients are those over a base into which they were merged.
# shellcheck disable=SC2086,SC2016
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

peft-tokenize -q -m base -o tok test.jsonl
peft-quantize -q -t f32 -o wide/ base
start='--steps 1 --lr 0.01 --set init_lora_weights=false'
peft-train -q -m wide --rank 4 --set lora_dropout=0.3 $start -s 5 -o lora/ tok
peft-train -q -m wide --method ia3 --steps 3 --lr 0.3 -o ia3/ tok
peft-train -q -m wide --method loha --rank 2 --steps 3 --lr 0.3 -o loha/ tok
how='-q --steps 6 --lr 0.02 --no-shuffle -s 3 --batch 4 --warmup 0'
near() { jq -se '[.[:6], .[6:]] | transpose | map((.[0] - .[1]) / .[1] | fabs) | max < 2e-5' both; }
for f in lora lora=0.5 ia3 loha 'loha=-0.3 lora=2'; do
	frozen='' merged=''
	for one in $f; do frozen="$frozen --frozen $one" merged="$merged -a $one"; done
	target=all-linear
	[ "$f" != ia3 ] || target=q_proj,o_proj,up_proj
	rm -rf m out1 out2 log1 log2
	peft-merge -q -m wide $merged -t f32 -o m/
	peft-train $how -m wide $frozen --rank 2 --target $target --log log1 -o out1/ tok
	peft-train $how -m m --rank 2 --target $target --log log2 -o out2/ tok
	jq '.loss // empty' log1 log2 >both
	ok "atop $f: six steps as over the merged base" near
done
ok 'the losses move' jq -se '(.[0] - .[5]) / .[0] > 0.01' both
peft-generate -q -m wide -a l=loha -a a=lora -a n=out1 --combine all=l:-0.3,a:2,n --jsonl --max-tokens 9 test.jsonl >/dev/null
jq -c '. + {adapter: {l: -0.3, a: 2, n: 1}}' test.jsonl |
    peft-generate -q -m wide -a l=loha -a a=lora -a n=out1 --jsonl --max-tokens 9 | jq -r .text >got
peft-generate -q -m m -a out1 --any-base --jsonl --max-tokens 9 test.jsonl | jq -r .text >want
ok 'put together again they answer as over the merged base' cmp got want
ok 'the adapter says what it was trained atop' sh -c "peft-inspect --json out1 | grep -q 'sha256:[0-9a-f]*=-0.3'"
ok 'a dry run counts them' sh -c "
    a=\$(peft-train -n -m wide --rank 2 tok | awk '/^adapter/ { print \$(NF - 1) }')
    b=\$(peft-train -n -m wide --frozen lora --rank 2 tok | awk '/^adapter/ { print \$(NF - 1) }')
    awk -v a=\$a -v b=\$b 'BEGIN { exit !(b > 2 * a) }'"
expect 2 '*--frozen none: none: *' peft-train -m wide --frozen none -o x/ tok
expect 1 '*is no weight*' peft-train -m wide --frozen lora=inf -o x/ tok
expect 3 '*--frozen lora: it was trained on the base*' peft-train -m m --frozen lora -o x/ tok
expect 2 '*k_proj has an adapter that scales*' peft-train -m wide --frozen ia3 -o x/ tok
# by name
how2='-q --steps 3 --lr 0.02 --no-shuffle -s 3 -m wide'
peft-train $how2 --init lora --frozen loha=0.5 -o by-path/ tok
ok '--train goes on with one of several' peft-train $how2 -a mine=lora -a loha/ \
    --train mine --frozen loha=0.5 -o by-name/ tok
ok 'as --init does' cmp by-path/adapter_model.safetensors by-name/adapter_model.safetensors
ok 'which may be a path' peft-train $how2 --train lora --frozen loha=0.5 -o by-train/ tok
ok 'to the same' cmp by-path/adapter_model.safetensors by-train/adapter_model.safetensors
ok 'and is not what it was' sh -c '! cmp -s lora/adapter_model.safetensors by-train/adapter_model.safetensors'
expect 1 '*-a b=loha: neither --train nor --frozen names it' peft-train $how2 -a a=lora -a b=loha --train a -o x/ tok
expect 2 '*two adapters are called a' peft-train $how2 -a a=lora -a a=loha --train a -o x/ tok
expect 1 '*lora is trained and frozen' peft-train $how2 -a a=lora --train a --frozen lora -o x/ tok
expect 1 "*--train takes the adapter's own config*" peft-train $how2 --train lora --rank 3 -o x/ tok
expect 1 '*--init and --train are the same*' peft-train $how2 --train lora --init loha -o x/ tok
expect 2 '*nobody: No such file*' peft-train $how2 --train nobody --frozen lora -o x/ tok
ok 'nothing is left' [ ! -e x ]

done_testing
