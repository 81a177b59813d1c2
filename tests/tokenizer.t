#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tokenizers: Hugging Face's ids, offsets and texts; properties; refusals.
. "$TOP/tests/lib.sh"
gold=$TOP/tests/golden/tok

# sub 'what' command...: a unit test whose claims are counted as one
sub() {
	what=$1; shift
	run "$@"
	grep -v '^ok' out | grep -v '^1\.\.' | sed 's/^/# /'
	ok "$what" [ "$rc" -eq 0 ]
}

# golden TEXTS TOKENIZER.json [CONFIG.json]
# shellcheck disable=SC2317 # called by run
golden() { texts=$1; shift; tokenizer-unit "$@" <"$texts"; }

for f in "$gold"/*.json; do
	name=$(basename "$f" .json)
	sub "$name: as Hugging Face has it" golden "$gold/$name.jsonl.zst" "$f"
done
for f in "$gold"/class/*.json; do
	name=$(basename "$f" .json)
	sub "class $name: as transformers has it" golden \
	    "$gold/class/$name.jsonl.zst" "$gold/llama2.json" "$f"
done
# shellcheck disable=SC2317 # called by run
sums() { unicode-unit <"$gold/unicode.sums"; }
sub 'each character, stage by stage, as Hugging Face has it' sums
sub 'properties' text-unit "$gold"/*.json

# Places behind what was lost are nearer to the start, and may be within a
# character: what Hugging Face makes of them when it trims white space.
jq -nc '{version: "1.0", normalizer: null, pre_tokenizer: null, decoder: null, added_tokens: [],
    post_processor: {type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true},
    model: {type: "BPE", unk_token: null, vocab: {"_": 0, "\u0120": 1, "a": 2}, merges: []}}' >trims.json
cat >trims <<'!'
{"text":"\u4e16\u754c_\u0120a","ids":[0,1,2],"ids_special":[0,1,2],"offsets":[[0,1],[0,0],[1,2]],"decoded":"_ \u0120 a"}
{"text":"_\u0120a","ids":[0,1,2],"ids_special":[0,1,2],"offsets":[[0,1],[2,2],[2,3]],"decoded":"_ \u0120 a"}
{"text":"\u4e16\u0120","ids":[1],"ids_special":[1],"offsets":[[0,0]],"decoded":"\u0120"}
!
sub 'white space is trimmed as characters' sh -c 'tokenizer-unit trims.json <trims'

# An added token begins with white space that the one before has swallowed.
jq -nc '{version: "1.0", pre_tokenizer: null, decoder: null,
    normalizer: {type: "Replace", pattern: {String: "x"}, content: " b"},
    added_tokens: [{id: 3, content: "<s>", special: true, normalized: true, lstrip: false, rstrip: true, single_word: false},
    {id: 4, content: " b", special: false, normalized: true, lstrip: true, rstrip: false, single_word: false}],
    post_processor: {type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true},
    model: {type: "BPE", unk_token: null, vocab: {"_": 0, "\u0120": 1, "a": 2}, merges: []}}' >swallowed.json
cat >swallowed <<'!'
{"text":"<s>xa","ids":[3,4,2],"ids_special":[3,4,2],"offsets":[[0,3],[3,4],[4,5]],"decoded":"<s>  b a"}
{"text":"<s> ba","ids":[3,4,2],"ids_special":[3,4,2],"offsets":[[0,3],[4,5],[5,6]],"decoded":"<s>  b a"}
{"text":"a x","ids":[2,4],"ids_special":[2,4],"offsets":[[0,1],[3,3]],"decoded":"a  b"}
!
sub 'white space is swallowed once' sh -c 'tokenizer-unit swallowed.json <swallowed'

shared=${PEFT_SHARED:-$TOP/../shared}
if [ -d "$shared/golden/text" ]; then
	for f in "$shared"/tokenizers/*/tokenizer.json.zst; do
		d=$(dirname "$f") name=$(basename "$(dirname "$f")")
		zstd -dqc "$f" >tok.json
		sub "$name: as Hugging Face has it" golden \
		    "$shared/golden/text/$name.jsonl.zst" tok.json "$d/tokenizer_config.json"
	done
fi

# refuse 'glob of the message' 'what jq does to a good tokenizer'
refuse() {
	jq -c "$2" "${from:-$gold/gpt2.json}" >bad.json
	tokenizer-unit bad.json </dev/null >out
	# shellcheck disable=SC2254
	case $(cat out) in
	"Bail out! tokenizer.json: "$1) ok "refused: $1" true ;;
	*) cp out err; ok "refused: $1" false ;;
	esac
}
refuse '*model.vocab has no token for the id 300, but one for *' \
    '.model.vocab |= with_entries(if .value >= 300 then .value += 1 else . end)'
refuse "tokens '*' and '*' have the same id, 301" \
    '.model.vocab |= with_entries(if .value == 300 then .value = 301 else . end)'
refuse "model.vocab: the id of token 'x y' is not a whole number*" '.model.vocab."x y" = 1.5'
refuse "model.vocab: the id of token 'x y' is not a whole number*" '.model.vocab."x y" = -1'
refuse '*an id beyond all tokens' '.model.vocab."x y" = 4000000'
refuse '*string is missing' '.model.vocab = {}'
refuse "*expected '\['" '.model.vocab = ["a"]'
refuse 'model.vocab is missing*' '.model.vocab = 7'
from=$gold/unigram.json
refuse "model.vocab: the score of token 'x' is no number" '.model.vocab += [["x", "y"]]'
refuse "*expected '\]'" '.model.vocab += [["x", 1, 2]]'
refuse '*"unk_id"*' '.model.unk_id = 70000'
refuse 'model Unigram: the key "alpha" is not known here' '.model.alpha = 1'
from=
refuse 'model.merges is missing*' '.model.merges = {}'
refuse "*merge 2, of 'q' and 'zq': the second is not in the vocabulary" \
    '.model.merges |= .[:1] + [["q", "zq"]] + .[1:]'
refuse "*'zz' and 'qq': the first is not*" '.model.merges |= [["zz", "qq"]] + .'
refuse "*'z' and 'q': what they make is not*" '.model.merges |= [["z", "q"]] + .'
refuse "*'z q q' is not two tokens and a space" '.model.merges |= ["z q q"] + .'
refuse "*expected ','" '.model.merges |= [["a"]] + .'
refuse 'model of type Phrases is not known here*' '.model.type = "Phrases"'
refuse 'model.vocab is not a list of tokens and scores' '.model = {type: "Unigram", vocab: .model.vocab}'
refuse 'model.dropout is not honoured here' '.model.dropout = 0.1'
refuse 'model BPE: the key "surprise" is not known here' '.model.surprise = 1'
refuse "model.unk_token '<u>' is not in the vocabulary" '.model.unk_token = "<u>"'
refuse 'normalizer of type Odd is not known here' '.normalizer = {type: "Odd"}'
refuse 'precompiled_charsmap is not base64' '.normalizer = {type: "Precompiled", precompiled_charsmap: "AB*D"}'
refuse 'precompiled_charsmap: its 3 bytes do not *' '.normalizer = {type: "Precompiled", precompiled_charsmap: "ABCD"}'
refuse 'precompiled_charsmap: its texts are not UTF-8' \
    '.normalizer = {type: "Precompiled", precompiled_charsmap: "BAAAAAAAAAD/"}'
refuse 'pre_tokenizer: the behavior "Odd" is not known here' \
    '.pre_tokenizer = {type: "Punctuation", behavior: "Odd"}'
refuse "delimiter 'ab' is not one character" '.pre_tokenizer = {type: "CharDelimiterSplit", delimiter: "ab"}'
refuse '*"length"*' '.pre_tokenizer = {type: "FixedLength", length: 0}'
# split REGEX 'glob of the reason'
split() {
	export REGEX="$1"
	refuse "pre_tokenizer Split: pattern '*': $2" \
	    '.pre_tokenizer = {type: "Split", pattern: {Regex: env.REGEX}, behavior: "Isolated", invert: false}'
}
split '\K' '\\K is not known here'
split '[a&&b]' '&& within brackets is not known here'
split '[a[^b]]' '\[^ within brackets is not known here'
split '[\S]' '\\S within brackets is not known here'
split '(?m:.)' 'the option (?m is not known here'
split 'a{2}+' '}+ is not known here'
split 'a{,2}' '{, is not known here'
split 'a(' '*parenthes*'
refuse 'pre_tokenizer of type Odd is not known here' \
    '.pre_tokenizer = {type: "Sequence", pretokenizers: [{type: "Odd"}]}'
refuse 'pre_tokenizer Digits: the key "both" is not known here' \
    '.pre_tokenizer = {type: "Digits", both: true}'
refuse 'post_processor of type * is not known here' '.post_processor = {type: "Bert"}'
refuse 'post_processor: sep is not a token and its id' '.post_processor = {type: "BertProcessing", cls: ["a", 1]}'
refuse "post_processor: an id of 'cls' is not in the vocabulary" \
    '.post_processor = {type: "BertProcessing", cls: ["a", 4000], sep: ["b", 1]}'
refuse 'decoder of type CBC is not known here' '.decoder = {type: "CBC"}'
refuse "decoder Metaspace: replacement 'ab' is not one character" '.decoder = {type: "Metaspace", replacement: "ab"}'
refuse 'more than 32 stages of normalisation' \
    '.normalizer = {type: "Sequence", normalizers: [range(33) | {type: "NFC"}]}'
refuse "the added token '<t>' is there twice" \
    '.added_tokens += [{id: 420, content: "<t>"}, {id: 421, content: "<t>"}]'
refuse "the added token '<t>' has the id of '*', 9" '.added_tokens += [{id: 9, content: "<t>"}]'
refuse "the added token 'a' has the id 420, in the vocabulary it has *" \
    '.added_tokens += [{id: 420, content: "a"}]'
refuse "the normalizer leaves nothing of the added token ' '" \
    '.normalizer = {type: "Strip", strip_left: true, strip_right: true}
    | .added_tokens += [{id: 420, content: " ", normalized: true}]'
refuse "the added token '<t>' is there twice" '.normalizer = {type: "Lowercase"}
    | .added_tokens += [{id: 420, content: "<T>", normalized: true}, {id: 421, content: "<t>", normalized: true}]'
refuse "the added token '<t>' has no id" '.added_tokens += [{content: "<t>"}]'
refuse "the added token '<t>' has the id 400000,*" '.added_tokens += [{id: 400000, content: "<t>"}]'
refuse "the added token 'aaaa*' has 2000 bytes*" '.added_tokens += [{id: 420, content: ("a" * 2000)}]'
refuse '*an added token without content' '.added_tokens += [{id: 420, content: ""}]'
from=$gold/llama3.json
refuse "post_processor: an id of '<|begin|>' is not in the vocabulary" \
    '.post_processor.processors[1].special_tokens."<|begin|>".ids = [999]'
refuse 'post_processor: the template has no place for the text' \
    '.post_processor.processors[1].single |= .[:1]'
refuse 'post_processor: the template has the text twice' \
    '.post_processor.processors[1].single += [{Sequence: {id: "A", type_id: 0}}]'
refuse 'post_processor: the template has a second text' \
    '.post_processor.processors[1].single[1].Sequence.id = "B"'
refuse 'post_processor: a second template' '.post_processor.processors += [.post_processor.processors[1]]'

# what jq cannot write
for how in 's/"merges":\[/"merges":[,/' 's/"vocab":{/"vocab":{"a":1,/' \
    's/"version":"1.0"/"version":"1.0","version":"1.0"/' 's/$/x/' \
    's/"vocab":{/"vocab":{"\\ud800":1,/' \
    's/"model":{/"model":{"merges":[],/'; do
	sed "$how" "$gold/gpt2.json" >bad.json
	tokenizer-unit bad.json </dev/null >out
	ok "refused: $how" grep -q '^Bail out! tokenizer.json: ' out
done
# merges are taken as they stand in the file
while read -r what how; do
	sed "s/\"merges\":\[/\"merges\":[$how,/" "$gold/gpt2.json" >bad.json
	tokenizer-unit bad.json </dev/null >out
	ok "refused: merge $how" grep -aq "^Bail out! tokenizer.json: .*$what" out
done <<-'END'
	UTF-8 ["\xc3","q"]
	UTF-8 ["q","z\xe2\x96 more than eight"]
	UTF-8 "a\xc0\x80"
	UTF-8 "a\xed\xa0\x80 b"
	character ["a\x01b","a"]
	escape ["a\\q","a"]
	vocabulary ["a\\u0001","a"]
END
for how in 's/"vocab":\[/"vocab":[["x",1e999],/' 's/"vocab":\[/"vocab":[["x",1.5.5],/' \
    's/"vocab":\[/"vocab":[["x",0x5],/' 's/"vocab":\[/"vocab":[,/'; do
	sed "$how" "$gold/unigram.json" >bad.json
	tokenizer-unit bad.json </dev/null >out
	ok "refused: $how" grep -q '^Bail out! tokenizer.json: ' out
done
# a token may hold a NUL, as in the software that has such files
cat >nul.json <<'END'
{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,
"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
"vocab":{"a":0,"b":1,"\u0000":2,"a\u0000":3,"\u0000b":4},"merges":[["a","\u0000"],["\u0000","b"]]}}
END
printf '%s\n' '{"text":"a\u0000b","ids":[3,1],"ids_special":[3,1]}' '{"text":"\u0000b\u0000a","ids":[4,2,0],"ids_special":[4,2,0]}' >texts
sub 'tokens with a NUL' sh -c 'tokenizer-unit nul.json <texts'
size=$(wc -c <"$gold/gpt2.json")
for cut in 1 100 2000 $((size / 2)) $((size - 1)); do
	head -c "$cut" "$gold/gpt2.json" >bad.json
	tokenizer-unit bad.json </dev/null >out
	ok "refused: cut at $cut" grep -q '^Bail out! tokenizer.json: ' out
done

# merges may stand before the vocabulary, and be written either way
jq -c '.model |= {type, merges: [.merges[] | join(" ")], vocab}' "$gold/gpt2.json" >other.json
sub 'merges before the vocabulary, as strings' \
    golden "$gold/gpt2.jsonl.zst" other.json
done_testing
