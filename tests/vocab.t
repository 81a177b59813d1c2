#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Large vocabularies, which are mapped and read by several threads: the same
# tokens and the same refusals whatever their number.
. "$TOP/tests/lib.sh"

# All numbers of up to five digits, and the merges that make them.
mkdir m
jq -nc '[range(10) | tostring] as $d
    | reduce range(4) as $_ ([$d]; . + [[.[-1][] as $a | $d[] | $a + .]])
    | [.[][]] as $all
    | {version: "1.0", truncation: null, padding: null, normalizer: null,
	pre_tokenizer: null, post_processor: null, decoder: null,
	added_tokens: [{id: 0, content: "0", special: false, single_word: false,
	lstrip: false, rstrip: false, normalized: false}],
	model: {type: "BPE", dropout: null, unk_token: null,
	continuing_subword_prefix: null, end_of_word_suffix: null,
	fuse_unk: false, byte_fallback: false, ignore_merges: false,
	vocab: (reduce range($all | length) as $i ({}; .[$all[$i]] = $i)),
	merges: [$all[] | select(length > 1) | [.[:-1], .[-1:]]]}}' >m/good.json
jq . m/good.json >m/wide.json		# as most files are laid out
echo '{"text":"0123456789031415926535897932384626433832795"}' >texts

# each 'what' command...: makes m/tokenizer.json; the tokens stay the same
each() {
	what=$1; shift
	"$@" >m/tokenizer.json
	for j in 1 3; do
		run peft-tokenize -q -m m -j "$j" --supervise text texts
		[ -e tokens ] || cp out tokens
		ok "$what, $j threads: the tokens" cmp out tokens
	done
}
ok 'the files are large enough to be mapped' \
    test "$(wc -c <m/good.json)" -gt 1048576
each 'as programs write it' cat m/good.json
ok 'numbers are cut as the merges are ranked' \
    grep -q '"input_ids":\[0,22,44,66,899,' tokens
each 'as people read it' cat m/wide.json
each 'merges are strings' jq -c '.model.merges |= map(join(" "))' m/good.json
each 'merges are strings here and lists there' \
    jq -c '.model.merges |= (map(join(" "))[:70000] + .[70000:])' m/wide.json
each 'merges before the vocabulary' \
    jq -c '.model |= ({merges} + .)' m/good.json
each 'merges first of all, and the vocabulary last' \
    jq -c '{model: ({merges: .model.merges} + (.model | del(.vocab)) +
	{vocab: .model.vocab})} + .' m/wide.json
each 'with a member between the two' \
    jq '.model |= {vocab, type, merges, fuse_unk}' m/wide.json
each 'with escapes' sed 's/"12345"/"12\\u003345"/g; s/"3","1"/"\\u0033","\\u0031"/' \
    m/good.json
each 'with another space in one place' \
    sed 's/\["123","45*"\]/[ "123" , "4"  ]  /; s/"777":/"777" : /' m/good.json
# a file that ends where a page does is not mapped
# shellcheck disable=SC2317 # called by each
pad() {
	n=$(wc -c <m/good.json)
	cat m/good.json
	head -c $((4096 * (n / 4096 + 1) - n - $1)) /dev/zero | tr '\0' ' '
}
each 'that fills its last page' pad 0
each 'that does not quite' pad 1

# refuse 'message' 'what sed does to a good tokenizer': of all that is wrong
# the first is told
refuse() {
	sed "$2" m/good.json >m/tokenizer.json
	for j in 1 3; do
		expect 2 "peft-tokenize: m: tokenizer.json: $1" \
		    peft-tokenize -q -m m -j "$j" --supervise text texts
		cp err "err.$j"
	done
	ok 'both say the same' cmp err.1 err.3
}
second="of '1234' and 'x': the second is not in the vocabulary"
refuse "model.merges: merge 23446, $second" 's/\["1234","5"\]/["1234","x"]/'
refuse "model.merges: merge 23446, $second" \
    's/\["1234","5"\]/["1234","x"]/; s/\["\([5-9]...\)","5"\]/["\1","y"]/g'
refuse "model.merges: merge 111101, $second" \
    's/\["9999","9"\]/&,["1234","x"]/'
refuse "model.merges: merge 23446, $second" \
    's/\["1234","5"\]/["1234","x"]/; s/\["9876","5"\]/["9876"5"]/'
refuse "model.merges: merge 23446, $second" \
    's/\["1234","5"\]/["1234","x"]/; s/}}$/},}/'
refuse "byte *: expected ','" \
    's/\["1234","5"\]/["1234"5"]/; s/\["9876","5"\]/["9876","y"]/'
refuse "the token '12344' is in the vocabulary twice" \
    's/"12345":/"12344":/; s/\["1234","5"\]/["1234","x"]/'
refuse "tokens '*' and '12345' have the same id, 7" \
    's/"12345":[0-9]*/"12345":7/; s/\["1234","5"\]/["1234","x"]/'
refuse "model.vocab: the id of token '12345' is not *" \
    's/"12345":[0-9]*/"12345":1.5/; s/\["0000","5"\]/[]/'
refuse "byte *: a string is missing" 's/\["1234","5"\]/[]/'
refuse "byte *: control character in a string" 's/"1234","5"/"12\x0134","5"/'
refuse "byte *: control character in a string" 's/"1234","5".*/"1234","5/'
refuse "byte *" 's/\["1234","5"\].*/["1234","5"]/'
refuse "model.vocab: the id of token '12345' is not *" \
    's/"12345":.*/"12345":/'
refuse "without vocabulary and merges: *" \
    's/"special":false/"special":fals/'

done_testing
