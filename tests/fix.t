#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-tokenize --fix, --split and --mix.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

u() { printf '{"role":"user","content":"%s"}' "$1"; }
a() { printf '{"role":"assistant","content":"%s"}' "$1"; }
s() { printf '{"role":"system","content":"%s"}' "$1"; }
chat() { printf '{"messages":['; printf '%s' "$1"; shift; for x; do printf ',%s' "$x"; done; printf ']}\n'; }
# fixes WHAT FROM TO: the record FROM becomes TO, and that is told
fixes() {
	printf '%s\n' "$2" >in
	printf '%s\n' "$3" >want
	expect 0 "peft-tokenize: in: *: in:1: $1*1 records, 1 of them changed; 0 left out" peft-tokenize -m base --fix in
	ok "--fix: $1" cmp out want
}
fixes 'turns of one role are joined' "$(chat "$(u a)" "$(u b)" "$(a c)" "$(a d)")" "$(chat "$(u 'a\n\nb')" "$(a 'c\n\nd')")"
fixes 'answers before any question are left out' "$(chat "$(s x)" "$(a hi)" "$(u b)" "$(a c)")" "$(chat "$(s x)" "$(u b)" "$(a c)")"
fixes 'what has no answer at the end is left out' "$(chat "$(u a)" "$(a b)" "$(u c)" "$(a ' ')")" "$(chat "$(u a)" "$(a b)")"
fixes 'answers before*; what has no answer*' '{"id":7,"conversations":[{"from":"gpt","value":"hi"},{"from":"human","value":"a"},{"from":"gpt","value":"b"},{"from":"human","value":"c"}],"weight":1.50}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"id":7,"weight":1.50}'

# what is in order stays as it is, byte for byte
sed 's/":/" : /g' chats.jsonl >in
expect 0 '' peft-tokenize -q -m base --fix in
ok 'nothing to mend: no byte changes' cmp out in

# what cannot be mended is left out, and told
left() {
	{ chat "$(u 1)" "$(a 2)"; printf '%s\n' "$2"; } >in
	expect 0 "*in:2: left out: $1*1 records, 0 of them changed; 1 left out" peft-tokenize -m base --fix ${3+--test "$3"} in
	ok "--fix leaves out: $1" [ "$(cat out)" = "$(head -n 1 in)" ]
}
left 'the same as an earlier record' "$(chat "$(u 1)" "$(a 2)")"
left 'an assistant turn is empty' "$(chat "$(u a)" "$(a '')" "$(u b)" "$(a c)")"
left 'roles are out of order' "$(chat "$(u a)" "$(s b)" "$(a c)")"
left 'roles are out of order' '{"messages":[{"role":"tool","content":"x"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}'
left 'cannot be encoded: message 1 has no content' '{"messages":[{"role":"user"}]}'
left 'cannot be encoded: byte *' '{"messages"'
chat "$(u a)" "$(a z)" >test.set
left 'its prompt is in the test set, or nearly' "$(chat "$(u A)" "$(a b)")" test.set

{ chat "$(u 1)" "$(a 2)"; chat "$(u 1)" "$(a 'two two two two two two two')"; } >in
expect 0 '*: in:2: left out: longer than the limit*' peft-tokenize -m base --fix --max-length 80 --over drop in
ok '--over drop: longer ones too' [ "$(cat out)" = "$(head -n 1 in)" ]
expect 1 '*--skip-bad is not for --lint*' peft-tokenize -m base --fix --skip-bad 1 in

# the mended has nothing that could be mended
{ cat chats.jsonl; head -n 1 chats.jsonl; chat "$(a x)" "$(u b)" "$(u c)" "$(a d)" "$(u e)"; chat "$(u a)" "$(a '')"; echo '{}'; } >bad
peft-tokenize -q -m base --fix bad >mended
expect 0 '' peft-tokenize -q -m base --lint mended
peft-tokenize -q -m base --fix mended >again
ok '--fix: twice is once' cmp again mended
peft-tokenize -q -m base -j 1 --fix bad >one
peft-tokenize -q -m base -j 3 --fix bad >got
ok 'any number of threads: the same bytes' cmp got one

# split: by hash
i=0
while [ $i -lt 400 ]; do
	i=$((i + 1))
	echo "{\"id\":$i,\"who\":\"u$((i % 40))\",\"text\":\"number $i\"}"
done >all
ids() { jq -r 'select(.input_ids).id' "$1" | sort; }
split() { rm -f one two three; run peft-tokenize -q -m base -o one "$@"; }
split --split 80/20 --rest two all
jq -r .id all | sort -n >ids.all
cat one two | jq -r 'select(.input_ids).id' | sort -n >got
ok 'the parts are all, and nothing twice' cmp got ids.all
count=$(ids two | wc -l)
ok "a fifth is in the second ($count of 400)" [ $(((count - 80) * (count - 80))) -lt 900 ]
ok 'either part is a whole stream' sh -c 'peft-tokenize -q -m base --decode one two >/dev/null'
ids two >two.ids
{ head -n 150 all; echo '{"id":0,"who":"x","text":"another"}'; tail -n 100 all; } | tac >some
split --split 80/20 --rest two some
jq -r .id some | sort >some.ids
ids two >got
comm -12 two.ids some.ids >want
ok 'a record stays in its part when others come, go or change places' sh -c 'grep -vx 0 got | cmp - want'
split --split 8/1/1 --by who --rest two --rest three all
for f in one two three; do jq -r 'select(.input_ids).id' $f | while read -r id; do echo "u$((id % 40)) $f"; done; done | sort -u >who.is
ok '--by: all of one value are in one part' [ "$(wc -l <who.is)" -eq 40 ]
ok '... and there are three' [ "$(cut -d ' ' -f 2 who.is | sort -u | wc -l)" -eq 3 ]
split --fix --split 80/20 --rest two all
sort all >want
cat one two | sort >got
ok '--fix --split: the records themselves' cmp got want
expect 2 '*: all:1: there is no "whom" to split by' peft-tokenize -q -m base --split 1/1 --by whom --rest x all
expect 1 '*--split: *' peft-tokenize -q -m base --split 90 --rest x all
expect 1 '*--split: *' peft-tokenize -q -m base --split 90/-1 --rest x all
expect 1 '*--split wants --rest*' peft-tokenize -q -m base --split 90/10 all
expect 1 '*--split wants --rest*' peft-tokenize -q -m base --rest x all
expect 1 "*--rest: 'x' is where the first part goes" peft-tokenize -q -m base --split 1/1 -o x --rest x all
expect 1 '*--rest: *' peft-tokenize -q -m base --split 1/1 --rest - all
ok 'and nothing was written' [ ! -e x ]

# mix
sed 's/number/a/' all >a; sed 's/number/b/; s/"id":/"id":1000/' all | head -n 60 >b
expect 0 '*141 of a, 60 of b' peft-tokenize -m base --mix a:0.7 b:.3
grep -v '{"peft"' out | jq -r .id >got
ok 'shares are kept all along' [ "$(head -n 20 got | grep -c '^1000')" -eq 6 ]
ok 'the order of either is kept' sh -c "grep '^1000' got | sort -nc && grep -v '^1000' got | sort -nc"
ok 'the end line counts' [ "$(tail -n 1 out)" = '{"peft":{"end":201}}' ]
peft-tokenize -q -m base --mix a:7 b:3 >got
ok 'shares are in any unit' cmp got out
expect 1 '*--mix: '\''a'\'' is not FILE:SHARE*' peft-tokenize -m base --mix a b:1
expect 1 '*--mix: '\''a:0'\'' is not FILE:SHARE*' peft-tokenize -m base --mix a:0 b:1
expect 1 '*--mix wants two or more*' peft-tokenize -m base --mix a:1

done_testing
