#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chat templates: Jinja's parts as transformers has them, and what it passes.
. "$TOP/tests/lib.sh"
run sh -c "zstd -dqc '$TOP/tests/golden/jinja.jsonl.zst' | template-unit"
grep -v '^ok' out | grep -v '^1\.\.' | sed 's/^/# /'
ok 'statements, filters, tests and methods' [ "$rc" -eq 0 ]

# model TEMPLATE: the folder m
rm -rf m; cp -r "$TOP/tests/golden/tiny/model" m
model() { rm -f m/chat_template.jinja; printf '%s' "$1" >m/chat_template.jinja; }
# renders 'text' RECORD
renders() {
	echo "$2" >chat
	run peft-tokenize -q -m m --render chat
	ok "renders $1" [ "$(cat out)" = "$1" ]
}
model '{{ tools is defined }} {{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ thinking is defined }}'
renders 'True True True False False' '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}'
renders 'True False True False False' '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"tools":[]}'

# what was thought goes by three names
model '{{ messages[1] | tojson }}'
renders '{"thinking": "t", "role": "assistant", "content": "b", "reasoning_content": "t"}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","thinking":"t"}]}'
renders '{"thinking": "t", "role": "assistant", "reasoning": "t", "content": "b", "reasoning_content": "t"}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","reasoning":"t","content":"b"}]}'
renders '{"thinking": "x", "role": "assistant", "reasoning_content": "t", "content": "b"}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","reasoning_content":"t","thinking":"x","content":"b"}]}'
renders '{"thinking": null, "role": "assistant", "content": "b", "reasoning": "r", "reasoning_content": "r"}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","thinking":null,"content":"b","reasoning":"r","weight":1}]}'
renders '{"role": "assistant", "content": "b", "reasoning": null}' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning":null}]}'

# refuse 'message' TEMPLATE
refuse() {
	model "$2"
	echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}' >chat
	expect 2 "*$1*" peft-tokenize -q -m m --render chat
}
refuse "template line 2: a tag is not closed, at 'raw'" "$(printf 'a\n{%% raw %%}{{ x }}')"
refuse 'template line 1: a call is missing' '{% call 3 %}{% endcall %}'
refuse 'template line 1: a generator cannot be printed' '{{ messages | map("upper") }}'
refuse 'template line 1: the length of a generator' '{{ messages | map(attribute="role") | length }}'
refuse "template line 1: the format '5qx' is not known here" "{{ '{:5qx}'.format(1) }}"
refuse "template line 1: a single '}' in a format" "{{ '}'.format(1) }}"
refuse 'template line 1: not enough arguments for %' "{{ '%s %s' % ('a',) }}"
refuse 'template line 1: a substring is not found' "{{ 'abc'.index('z') }}"
refuse 'template line 1: parts of an int' '{{ [1] | batch(0) }}'
refuse 'template line 1: a width that is no number up to 10000' "{{ 'a'.center(99999) }}"
refuse "template line 1: a loop that is not recursive cannot be called" '{% for x in [1] %}{{ loop([2]) }}{% endfor %}'
refuse 'template line 1: nested too deep' '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}'
refuse 'template line 1: more output than a template may make' "{% macro m(a) %}{{ a }}{{ varargs[0] }}{% endmacro %}{% set s = 'x' * 40000000 %}{{ m(s, s) }}"
refuse 'template line 1: m is given arguments that it does not have' '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}'
refuse "template line 1: a block's name that another has" '{% block a %}{% endblock %}{% block a %}{% endblock %}'
refuse 'template line 1: a block that another template is to fill' '{% block a required %}{% endblock %}'
refuse 'template line 1: autoescape by what is no constant' '{% autoescape messages %}{% endautoescape %}'
refuse "template line 1: a tag that is not known here, at 'include'" '{% include "x" %}'
refuse "template line 1: a namespace with a name that begins with '_'" '{{ namespace(_x=1) }}'
refuse 'template line 1: a dict of what are no pairs' '{{ dict([[1]]) }}'
refuse 'template line 1: truncate to less than its end has' '{{ "abcdefghijk" | truncate(2) }}'
refuse 'template line 1: lines of no width' '{{ "a" | wordwrap(0) }}'
refuse 'template line 1: urlencode of what are no pairs' '{{ [[1]] | urlencode }}'
refuse 'template line 1: the size of a list' '{{ [] | filesizeformat }}'
refuse 'template line 1: a format of None' '{{ "{:5}".format(none) }}'
refuse 'template line 1: a number that is not understood' '{{ 007 }}'
refuse 'template line 1: an escape that is not known here' "{{ '\\x4' }}"
done_testing
