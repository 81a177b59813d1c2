#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-generate and peft-eval: against transformers and PEFT.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
g=$TOP/tests/golden/tiny/golden.jsonl

jq -c '{input_ids,labels}' "$g" >t
expect 0 '' peft-eval -q -m base -a a=adapter -o r t
near() { jq -n -e "[$1, $2] | (.[0] - .[1]) | fabs < 1e-4" >/dev/null; }
i=1
while [ $i -le 8 ]; do
	for p in 'base loss' 'a adapter_loss'; do
		want=$(sed -n ${i}p "$g" | jq ".${p#* }")
		got=$(jq "select(.record == $i and .system == \"${p% *}\") | .loss" r)
		ok "record $i, ${p% *}: loss $got is PEFT's" near "$got" "$want"
	done
	i=$((i + 1))
done

# the greedy continuations, as text
jq -c '.greedy | until(index(2) == null; .[:index(2)]) | {input_ids: ([1] + .), labels: ([-100] + .)}' "$g" >ids
jq -c '.adapter_greedy | until(index(2) == null; .[:index(2)]) | {input_ids: ([1] + .), labels: ([-100] + .)}' "$g" >aids
for p in 'base ids' 'a aids'; do
	jq -c ". + {adapter: \"${p% *}\"}" test.jsonl |
	    peft-generate -q -m base -a a=adapter --jsonl --max-tokens 12 >gen
	jq -r .text gen | tr -d '\n' >got
	peft-tokenize -q -m base --decode "${p#* }" | sed 's/^<|im_start|>//' | tr -d '\n' >want
	ok "greedy answers of ${p% *} are transformers'" cmp got want
done
peft-generate -q -m base --jsonl --width 1 --max-tokens 12 test.jsonl >w1
peft-generate -q -m base --jsonl --width 5 --max-tokens 12 test.jsonl >w5
ok 'answers do not depend on what is in work at once' cmp w1 w5
s() { peft-generate -q -m base -p hello --temperature 1 --top-p 0.9 --top-k 50 --max-tokens 20 -s "$1"; }
ok 'the same seed, the same text' [ "$(s 1)" = "$(s 1)" ]
ok 'another seed, another text' [ "$(s 1)" != "$(s 2)" ]

# a NaN in the last norm, which all logits have
cp -r base nan
f=nan/model.safetensors
n=$(od -An -tu8 -N8 "$f" | tr -d ' ')
at=$(tail -c +9 "$f" | head -c "$n" | jq '.["model.norm.weight"].data_offsets[0]')
printf '\000\000\300\177' | dd of="$f" bs=1 seek=$((8 + n + at)) conv=notrunc 2>/dev/null
for j in 1 2; do
	expect 4 '*the logits of token 45 of the micro-batch are not finite*' \
	    peft-generate -q -m nan -j $j --width 3 --jsonl test.jsonl
done

expect 2 '*no adapter is called x*' sh -c "jq -c '. + {adapter: \"x\"}' test.jsonl | peft-generate -m base"
expect 2 '*two adapters are called a*' peft-generate -m base -a a=adapter -a a=adapter test.jsonl
expect 1 '*exclude each other' peft-generate -m base -p x --raw --system y
expect 1 '*-m MODEL is missing' peft-generate -p x
expect 1 '*need --temperature' peft-generate -m base --top-k 3 -p x
expect 1 '*need --temperature' peft-generate -m base --top-p 0.3 -p x
expect 1 '*-s is for sampling*' peft-generate -m base -s 3 -p x
expect 1 '*--width is for records*' peft-generate -m base --width 3 -p x
expect 1 '*--any-base is for -a and --adapters' peft-generate -m base --any-base -p x

expect 3 '*exact_match*' peft-eval -q -m base --match --fail-below exact_match=0.9 test.jsonl
ok 'results are written all the same' grep -q summary out
expect 0 '' peft-eval -q -m base --fail-above loss=100 test.jsonl
expect 1 '*no metric*' peft-eval -m base --fail-above lss=1 test.jsonl
expect 1 '*--extra is for --match' peft-eval -m base --extra 3 test.jsonl
expect 1 '*--any-base is for -a' peft-eval -m base --any-base test.jsonl
expect 1 '*-s is for --compare*' peft-eval -m base -s 3 test.jsonl
peft-eval -q -m base -o A test.jsonl; peft-eval -q --no-base -m base -a adapter -o B test.jsonl
expect 0 '' peft-eval --compare A B
ok 'a comparison has an interval around the difference' jq -e '.compare | .low <= .difference and .difference <= .high and .records == 8' out
expect 2 '*in the second*' sh -c 'head -n 5 B >C; peft-eval --compare A C'
for idle in '-m base' --match '-a adapter' --summary --partial; do
	# shellcheck disable=SC2086	# words are what they are
	expect 1 '*--compare runs no model*' peft-eval --compare $idle A B
done
printf '%s\n' '{"prompt":"card ","choices":["arrival","zzzz qqq"],"answer":0}' >c
expect 0 '' peft-eval -q -m base c
ok 'choices are scored' jq -s -e '.[1].summary.accuracy != null' out

done_testing
