#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What of a chat is supervised, by templates of every kind.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

# model NAME: the tiny model with the template on standard input
model() { cp -r base "$1"; cat >"$1/chat_template.jinja"; }
records() { grep -v '{"peft"'; }
# masked MODEL WANT [ARG ...]: what --show marks in ./in
masked() {
	m=$1 want=$2; shift 2
	run peft-tokenize -q -m "$m" --show 9 "$@" in
	got=$(tr '\n' '~' <out | grep -o '\[\[[^]]*\]\]' | tr '\n' '+')
	ok "$m $*: $want" [ "$got" = "$want" ]
}
chat() {
	s='' role=user
	for x; do
		s="$s,{\"role\":\"$role\",\"content\":\"$x\"}"
		[ $role = user ] && role=assistant || role=user
	done
	printf '{"messages":[%s]}\n' "${s#,}" >in
}

# marked by the template itself: the same as by prefixes
model marked <<'!'
{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>
{% endgeneration %}{% else %}{{ m.content }}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}
!
sed 's/{% \(end\)*generation %}//g' marked/chat_template.jinja | model prefixes
chat a b c d
for m in marked prefixes; do
	masked "$m" '[[b<|im_end|>~]]+[[d<|im_end|>~]]+'
	masked "$m" '[[d<|im_end|>~]]+' --supervise last
	masked "$m" '[[d<|im_end|>~]]+' --supervise completion
done
sed 's/"content":"b"/&,"weight":0/' in >in.0; mv in.0 in
masked marked '[[d<|im_end|>~]]+'
masked prefixes '[[d<|im_end|>~]]+'
masked prefixes '' --supervise all --per-turn --max-length 3 --over drop
sed 's/"content":"d"/&,"weight":0/' in >in.0; mv in.0 in
masked marked ''
masked prefixes ''

# marks but one turn of two
model some <<'!'
{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' and loop.last %}{% generation %}{{ m.content }}
{% endgeneration %}{% else %}{{ m.content }}
{% endif %}{% endfor %}
!
chat a b c d
# (a space before the mark goes with the first token, which is supervised)
masked some '[[ d~]]+'
masked some '[[ d~]]+' --supervise last
masked some '[[ b~]]+[[ d~]]+' --per-turn
sed 's/"content":"d"/&,"weight":0/' in >in.0; mv in.0 in
expect 2 '*: in:1: the template marks 1 stretches for 2 turns *--per-turn*' peft-tokenize -q -m some in

# earlier thoughts are dropped
model thinks <<'!'
{% for m in messages %}<|im_start|>{{ m.role }}
{% if loop.last %}{{ m.content }}{% else %}{{ m.content.split('</think>')[-1] }}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}
!
chat a '<think>x</think>b' c '<think>y</think>d'
expect 2 '*: in:1: the template changes earlier turns *in message 2 *--per-turn*' peft-tokenize -q -m thinks in
masked thinks '[[<think>y</think>d<|im_end|>~]]+' --supervise last
masked thinks '[[<think>x</think>b<|im_end|>~]]+[[<think>y</think>d<|im_end|>~]]+' --per-turn
peft-tokenize -q -m thinks --per-turn in | records >got
cp in both
{ chat a '<think>x</think>b'; cat in both; } >each
peft-tokenize -q -m thinks --supervise last each | records >want
ok '--per-turn: each as the last turn of a chat that ends there' cmp got want
sed 's/^{/{"id":"k",/' both >in
peft-tokenize -q -m thinks --per-turn in | records | jq -r .id | tr '\n' ' ' >got
ok '--per-turn numbers the ids' [ "$(cat got)" = 'k#1 k#2 ' ]
peft-tokenize -q -m thinks --per-turn --render in >got
ok '--per-turn --render: each' [ "$(grep -c 'think' got)" -eq 2 ]
echo '{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],"rejected":[{"role":"assistant","content":"e"}]}' >in
masked thinks '[[b<|im_end|>~]]+[[d<|im_end|>~]]+[[e<|im_end|>~]]+' --per-turn
echo '{"messages":[{"role":"user","content":"a"}]}' >in
expect 0 '*: 1 record has no supervised token (--lint tells which)' peft-tokenize -m thinks --per-turn in
chat a b c d
masked thinks '[[b<|im_end|>~]]+[[d<|im_end|>~]]+'

# the generation prompt opens a thought
sed 's/assistant$/&\n<think>/' prefixes/chat_template.jinja | model opens
chat a b c d
masked opens '[[b<|im_end|>~]]+[[d<|im_end|>~]]+'
chat a '<think>\nx</think>b' c '<think>d'
masked opens '[[x</think>b<|im_end|>~]]+[[<think>d<|im_end|>~]]+'
chat a '<tool>b'
masked opens '[[<tool>b<|im_end|>~]]+'

# a text is closed in another way than a turn
model closed <<'!'
{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% else %}<|endoftext|>{% endif %}
!
chat a b c d
masked closed '[[b<|im_end|>~]]+[[d<|im_end|>~<|endoftext|>]]+'
# ... and so that nobody can tell where the turn ends
model ends <<'!'
{% for m in messages %}<|im_start|>{{ m.role }}|{{ m.content }}{{ '<|endoftext|>' if loop.last and not add_generation_prompt else '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant|{% endif %}
!
expect 2 '*: the template changes earlier turns *' peft-tokenize -q -m ends in
masked ends '[[b<|endoftext|>]]+[[d<|endoftext|>]]+' --per-turn

# arguments of calls, variables
model calls <<'!'
{{ tools | tojson }}{{ extra }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %};{% endfor %}
!
echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{\"x\":1.0}"}}]}],"tools":"[{\"name\":\"f\"}]"}' >in
expect 0 '' peft-tokenize -q -m calls --render --set 'extra=[1,2]' in
ok 'arguments and tools that are strings are read' [ "$(cat out)" = '[{"type": "function", "function": {"name": "f"}}][1, 2]user: a;assistant: {"x": 1.0};' ]
echo '{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"x\":1.0}}"}],"tools":[{"name":"f"}]}' >in
peft-tokenize -q -m calls --render --set extra='[1,2]' in >got
ok 'ShareGPT calls are the same' cmp got out
expect 0 '' peft-tokenize -q -m calls --render --set extra=word in
ok '--set: a bare word is a string' grep -q ']worduser' out
expect 1 '*--set*' peft-tokenize -q -m calls --render --set extra in
expect 1 '*--set*' peft-tokenize -q -m calls --render --set messages=[] in
expect 1 '*: calls: --set extr: the chat template has no such variable' peft-tokenize -q -m calls --render --set extr=1 in
chat a b c d
for m in marked prefixes closed; do
	masked $m '[[b<|im_end|>~]]+[[d<|im_end|>~]]+' --set add_generation_prompt=true
	ok "$m: with the generation prompt behind it" [ "$(tail -n 1 out)" = ']]<|im_start|>assistant' ]
done
r() { echo "$1" >in; expect 2 "*: in:1: $2" peft-tokenize -q -m calls in; }
r '{"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"{"}}]}]}' 'message 1 of "messages": "arguments": *'
r '{"messages":[{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":"3"}}]}]}' '*"arguments" hold no object'
r '{"messages":[{"role":"user","content":"a"}],"tools":"x"}' '"tools": *'
r '{"conversations":[{"from":"function_call","value":"f(x)"}]}' '*a function call: *'
r '{"conversations":[{"from":"function_call","value":"{}"}]}' '*a function call without a "name"'
r '{"conversations":[{"from":"function_call","value":"[]"}]}' '*a function call that is no object'

# rendering a prefix for each turn of a long chat would take minutes
jq -nc '{messages: [range(8000) | {role: (if . % 2 == 0 then "user" else "assistant" end), content: "\(.)"}]}' >in
expect 0 '' sh -c 'ulimit -t 10; peft-tokenize -q -m base -o long.tok in'
ok 'each turn of a long chat is learnt' [ "$(records <long.tok | jq '[.labels[] | select(. == 2)] | length')" -eq 4000 ]

done_testing
