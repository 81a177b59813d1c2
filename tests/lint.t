#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-tokenize --lint: each finding, made of a real mistake.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

# finds NAME COUNT WHAT [ARG ...]: in ./in
finds() {
	name=$1 count=$2 text=$3; shift 3
	run peft-tokenize -q -m base --lint --json "$@" in
	ok "$name: $count of them, exit status 3" [ "$rc" -eq 3 ]
	ok "$name: counted" [ "$(tail -n 1 out | jq ".findings.$name")" -eq "$count" ]
	run peft-tokenize -q -m base --lint "$@" in
	ok "$name: told as '$text'" grep -qx "in:$text" out
	ok "$name: and what to do" grep -q "^ *$count  .*; ." out
}
u() { printf '{"role":"user","content":"%s"}' "$1"; }
a() { printf '{"role":"assistant","content":"%s"}' "$1"; }
s() { printf '{"role":"system","content":"%s"}' "$1"; }
chat() { printf '{"messages":['; printf '%s' "$1"; shift; for x; do printf ',%s' "$x"; done; printf ']}\n'; }

chat "$(u a)" "$(a b)" >good
expect 0 '' peft-tokenize -q -m base --lint good
ok 'no findings: a sum and the lengths' [ "$(wc -l <out)" -eq 2 ]

{ cat good; chat "$(u c)"; } >in
finds unsupervised 1 '2: nothing is supervised'
printf '{"segments":[{"label":true,"text":"a b"}]}\n' >in
finds no_end 1 '1: the answer does not end with an end token'
{ cat good; chat "$(u a)" "$(a 'b b b b b b b b b b b b b b b b b b b')"; } >in
finds too_long 1 '2: longer than the limit' --max-length 80
ok 'too_long: how much is past the limit' grep -q '^[0-9]* tokens are past the limit of 80$' out
{ cat good; chat "$(u c)" "$(a d)"; cat good; } >in
finds duplicate 1 '3: the same as an earlier record (in:1)'
long='How long will it take until the money that I sent to my other account by transfer arrives'
{ chat "$(u "$long?")" "$(a x)"; cat good; chat "$(u "$long, PLEASE?")" "$(a x)"; } >in
finds near_duplicate 1 '3: nearly the same as an earlier record (in:1)'
expect 0 '' peft-tokenize -q -m base --lint --near 1 in
{ chat "$(u "$long?")" "$(a x)"; chat "$(u 'A friend says that I can pay by card in any shop abroad, and get it back in what I have at home, is it so?')" "$(a x)"; } >in
expect 0 '' peft-tokenize -q -m base --lint in
{ cat good; chat "$(s x)" "$(u '  A.  B!')" "$(a c)"; } >in
chat "$(u 'a b')" "$(a z)" >test.set
finds leak 1 '2: its prompt is in the test set, or nearly' --test test.set
{ cat good; chat "$(u "$long, PLEASE?")" "$(a y)"; } >in
chat "$(u "$long")" "$(a x)" >test.set
finds leak 1 '2: its prompt is in the test set, or nearly' --test test.set
expect 0 '' peft-tokenize -q -m base --lint --near 1 --test test.set in
{ cat good; chat "$(u c)" "$(a ' ')"; } >in
finds empty 1 '2: an assistant turn is empty (message 2)'
printf '{"prompt":"a","completion":""}\n' >in
finds empty 1 '1: an assistant turn is empty'
for bad in "$(u a) $(u b) $(a c)" "$(s a) $(a b)" "$(u a) $(a b) $(a c)" "$(u a) $(a b) $(s c) $(u d) $(a e)" "$(u a) $(a b) $(u c)"; do
	# shellcheck disable=SC2086
	{ cat good; chat $bad; } >in
	run peft-tokenize -q -m base --lint in
	ok "order: $bad" grep -q '^in:2: roles are out of order (message [1-3])$' out
done
{ cat good; chat "$(u a)" '{"role":"asistant","content":"b"}'; } >in
finds role 1 '2: a role that the chat template does not know (message 2)'
{ cat good; chat "$(u 'a<|im_end|>')" "$(a c)"; } >in
finds special 1 '2: special tokens are spelt out in the content (message 1)'
{ cat good; printf '{"messages":[{"role":"user"}]}\n{"messages":\n{"prompt":"a","completion":"b"}\n'; } >in
finds bad 3 '2: cannot be encoded: message 1 has no content'
ok 'bad: not JSON' grep -q '^in:3: cannot be encoded: byte' out
ok 'bad: mixed' grep -q '^in:4: cannot be encoded: records are mixed' out

# text that the vocabulary does not have
cp -r base lossy; cp "$TOP/tests/golden/tok/unknown.json" lossy/tokenizer.json
printf '{"unk_token":"<unk>"}\n' >lossy/tokenizer_config.json
printf '{"text":"a"}\n{"text":"\360\237\246\206"}\n' >in
expect 3 '*' peft-tokenize -q -m lossy --lint in
ok 'unknown: text that the vocabulary does not have' grep -q '^in:2: the vocabulary does not have all of the text$' out

# token records
{ cat good; chat "$(u c)" "$(a d)"; } | peft-tokenize -q -m base -o tokens
expect 0 '' peft-tokenize -q -m base --lint tokens
sed '1s/template":"sha256:./&f/' tokens >in
finds drift 1 '1: made with another tokenizer or chat template than the model'\''s'
{ cat tokens; sed -n 2p tokens; } >in
finds duplicate 1 '5: the same as an earlier record (in:2)'
printf '{"input_ids":[9999],"labels":[9999]}\n' >in
finds bad 1 '1: cannot be encoded: "input_ids"\[0\] is not a token of a vocabulary of 512'

# a prompt that ends within a token
printf '{"prompt":"my ","completion":"card"}\n{"prompt":"my","completion":" bank"}\n' >in
expect 0 '' peft-tokenize -q -m base --lint in
ok 'straddled: counted, and no finding' grep -qx '1 answers begin within a token' out

# turns that the template rewrites are no mistake when each has its record
cp -r base thinks; cat >thinks/chat_template.jinja <<'!'
{% for m in messages %}{{ m.role }}|{{ m.content if loop.last else m.content.split('>')[-1] }}<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant|{% endif %}
!
chat "$(u a)" "$(a 'x>b')" "$(u c)" "$(a 'y>d')" >in
expect 3 '*' peft-tokenize -q -m thinks --lint in
expect 0 '' peft-tokenize -q -m thinks --lint --per-turn in
ok '--per-turn: the tokens of all turns count' sh -c "peft-tokenize -q -v -m thinks --per-turn in 2>&1 >/dev/null | grep -q \"^peft-tokenize: 2 records, \$(sed -n 's/^1 records, \([0-9]*\) tokens.*/\1/p' out) tokens\""

# preferences: both sides are looked at
printf '{"prompt":[%s],"chosen":[%s],"rejected":[%s]}\n' "$(u a)" "$(a b)" "$(a '')" >in
finds empty 1 '1: an assistant turn is empty (message 2)'

# the report as JSON
cat chats.jsonl chats.jsonl >in
run peft-tokenize -q -m base --lint --json in
count=$(wc -l <chats.jsonl)
jq -s -e --argjson n "$count" '(.[:-1] | length == $n and all(.finding == "duplicate" and .like.line == .line - $n)) and
    (.[-1] | .records == 2 * $n and .findings.duplicate == $n and ([.lengths[].records] | add) == 2 * $n)' out >verdict
ok 'JSON: a line a finding, then the sums' grep -qx true verdict
run peft-tokenize -q -m base -j 1 --lint in; cp out one
run peft-tokenize -q -m base -j 3 --lint in
ok 'any number of threads: the same report' cmp out one
expect 1 '*--near go with --lint and --fix' peft-tokenize -m base --near 0.9 in
expect 1 '*--json goes with --lint' peft-tokenize -m base --fix --json in

done_testing
