#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Preferences and labels: values by TRL and transformers, refusals.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

tok() { peft-tokenize -m base "$@"; }
records() { grep -v '{"peft"'; }

i=0
while read -r line; do
	i=$((i + 1))
	printf '%s\n' "$line" >line
	jq -c .record line >record
	jq -c '{prompt,chosen,rejected}' line >want
	args=$(jq -r '.args | join(" ")' line)
	# shellcheck disable=SC2086
	tok -q $args record | records | jq -c '{prompt,chosen,rejected}' >got
	ok "golden $i $args: $(cut -c 1-60 record)" cmp got want
	cat record >>all
done <"$TOP/tests/golden/pairs.jsonl"

p='{"id":"x","weight":2,"prompt":"a b","chosen":" c","rejected":" d e"}'
echo "$p" >in
expect 0 '*: in: JSON lines of preferences (chosen, rejected)' peft-tokenize -m base in
ok 'id and weight are kept' sh -c "grep -v '{\"peft' out | jq -e '.id == \"x\" and .weight == 2' >/dev/null"
cp out pair.tok; cp in pair.json
tok -q --decode pair.tok >got
printf 'a b c<|im_end|>\na b d e<|im_end|>\n' >want
ok '--decode gives both' cmp got want
tok -q --render in >got
ok '--render gives both' grep -q 'a b c<|im_end|>a b d e' got
tok -q --show 1 in >got
ok '--show marks what is learnt of either' sh -c 'grep -q "a b\[\[ c<|im_end|>\]\]" got && grep -q "^-- rejected: " got'
echo '{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}' >in
expect 0 '*: in: JSON lines of preferences in messages (chosen, rejected)' peft-tokenize -m base in

# labels
k='{"prompt":"a b","completion":" c","label":true}'
{ echo "$k"; echo '{"prompt":"a b","completion":" d","label":false}'; } >in
expect 0 '*: in: JSON lines of KTO (prompt, completion, label)' peft-tokenize -m base in
records <out >kto.tok
ok 'labels are kept' [ "$(jq -c .label kto.tok | tr '\n' ' ')" = 'true false ' ]
jq -c 'del(.label)' kto.tok >got
jq -c 'del(.label)' in | tok -q | records >want
ok 'the rest is what it is without' cmp got want
echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"kto_tag":false}' >in
expect 0 '*: in: JSON lines of chats with a label (messages, label)' peft-tokenize -m base in
ok 'kto_tag is a label' grep -q '"label":false}' out
printf 'prompt,completion,label\na,b,True\na,c,0\n' >in
expect 0 '*: a table with commas of KTO (prompt, completion, label)' peft-tokenize -m base in
printf 'prompt,completion,good\na,b,maybe\n' >in
expect 2 '*: in:2: "label" is '\''maybe'\'', neither true nor false' peft-tokenize -q -m base --columns prompt,completion,label=good in
{ echo "$k"; echo '{"prompt":"a","completion":"b"}'; } >in
expect 2 '*: in:2: records are mixed*' peft-tokenize -q -m base in

# refusals
r() { echo "$1" >in; expect 2 "*: in:1: $2" peft-tokenize -q -m base in; }
r '{"prompt":"a","chosen":"b","rejected":"b"}' '"chosen" and "rejected" are the same'
r '{"prompt":"a","chosen":"b","rejected":[]}' '"chosen" and "rejected" are not both *'
r '{"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"b"}]}' '"chosen" has no supervised token'
r '{"prompt":"z","chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}' '"prompt" is not what the user says last*'
r '{"prompt":[{"role":"user"}],"chosen":[{"role":"assistant","content":"b"}],"rejected":[{"role":"assistant","content":"c"}]}' '"chosen": message 1 has no content'
expect 2 '*: all:1: 12 tokens, the limit is 5*' peft-tokenize -q -m base --max-length 5 all
expect 0 '*1 records dropped*' peft-tokenize -m base --max-length 5 --over drop pair.json
for x in peft-train peft-eval; do
	for f in pair kto; do
		[ $x = peft-train ] && o='-o new' || o=''
		# shellcheck disable=SC2086
		expect 2 "*$x: *which this program does not know" $x -q -m base --partial $o $f.tok
	done
done

# token records of pairs, hostile
t() { echo "$1" >in; expect 2 "*: in:1: $2" peft-tokenize -q -m base --decode in; }
c='{"input_ids":[5],"labels":[5]}'
t '{"prompt":[1],"chosen":'"$c"'}' '"rejected": *'
t '{"prompt":[1],"chosen":'"$c"',"rejected":{"input_ids":[5],"labels":[6]}}' '"rejected": "labels"\[0\] is 6*'
t '{"prompt":[1],"chosen":'"$c"',"rejected":{"input_ids":[5],"labels":[-100]}}' '"rejected": nothing is supervised'
t '{"prompt":[512],"chosen":'"$c"',"rejected":'"$c"'}' '"prompt"\[0\] is not a token*'
t '{"chosen":'"$c"',"rejected":'"$c"'}' '"prompt" is not a list'
t '{"input_ids":[1],"prompt":[1],"chosen":'"$c"',"rejected":'"$c"'}' '"input_ids" beside "chosen"'
t '{"input_ids":[1],"labels":[1],"label":1}' '"label" is not true or false'

done_testing
