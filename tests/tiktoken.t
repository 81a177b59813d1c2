#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tiktoken's files: its own ids; what is not known; refusals.
. "$TOP/tests/lib.sh"
gold=$TOP/tests/golden/tiktoken
sub() {
	what=$1; shift
	run "$@"
	grep -v '^ok' out | grep -v '^1\.\.' | sed 's/^/# /'
	ok "$what" [ "$rc" -eq 0 ]
}

# golden KIND 'what': the folder d
golden() {
	expect 0 '' side-tool d tokenizer.json
	cp out tok.json
	zstd -dqc "$gold/$1.jsonl.zst" >texts
	sub "$2: as tiktoken has it" sh -c 'tokenizer-unit tok.json <texts'
	sub "$2, told" sh -c 'tokenizer-unit d <texts'
}
added='{"added_tokens_decoder":{"664":{"content":"<|odd|>","special":true},"665":{"content":"<|end|>","special":false}}}'
for f in "$gold"/*.jsonl.zst; do
	kind=$(basename "$f" .jsonl.zst)
	rm -rf d; mkdir d
	cp "$gold/ranks" "d/$kind.tiktoken"
	case $kind in llama3 | qwen) ;; *) echo "$added" >d/tokenizer_config.json ;; esac
	golden "$kind" "$kind.tiktoken"
done
side-tool d tokenizer_config.json >out
ok 'tokenizer_config.json that is there stays' cmp out d/tokenizer_config.json

# by the model
rm -rf d; mkdir d
cp "$gold/ranks" d/tokenizer.model
echo '{"model_type":"llama"}' >d/config.json
golden llama3 'tokenizer.model of a llama'
side-tool d tokenizer_config.json >out
ok 'bos and eos are named' [ "$(jq -r '.bos_token + .eos_token' out)" = '<|begin_of_text|><|end_of_text|>' ]
cp d/tokenizer.model d/some.tiktoken; rm d/tokenizer.model
golden llama3 'some.tiktoken of a llama'
tr '\n' '\r' <"$gold/ranks" | sed 's/\r/\r\n\n/g' >d/some.tiktoken
golden llama3 'lines that end as in DOS, and empty ones'
printf '%s' "$(cat "$gold/ranks")" >d/some.tiktoken
golden llama3 'a last line without its end'
echo '{"model_type":"llama","add_bos_token":false}' >d/tokenizer_config.json
side-tool d tokenizer.json >out
ok 'add_bos_token' [ "$(jq -r .post_processor.type out)" = ByteLevel ]
# llama.cpp's name for it, and back
rm d/tokenizer_config.json
side-tool d tokenizer.json >tok.json
side-tool d tokenizer_config.json >config.json
expect 0 '' vocab-tool tok.json config.json 920
cp out x.gguf
side-tool x.gguf tokenizer.json >tok.json
zstd -dqc "$gold/llama3.jsonl.zst" >texts
sub 'through GGUF' sh -c 'tokenizer-unit tok.json <texts'

# what cannot be known
echo '{"model_type":"mistral"}' >d/config.json
looked='how it splits texts is not known: looked for a name of cl100k_base, *, and in config.json for the model_type *'
expect 2 "d: some.tiktoken has tiktoken's ranks, and $looked" side-tool d tokenizer.json
cp "$gold/ranks" d/other.tiktoken
expect 2 'd: which is the tokenizer, *.tiktoken or *.tiktoken[?]' side-tool d tokenizer.json
mv d/other.tiktoken d/tokenizer.model
expect 2 "d: tokenizer.model has tiktoken's ranks, and $looked" side-tool d tokenizer.json

# refuse 'glob of the message' 'what sed does to good ranks'
rm -rf d; mkdir d
refuse() {
	sed "$2" "$gold/ranks" >d/llama3.tiktoken
	expect 2 "d: llama3.tiktoken: $1" side-tool d tokenizer.json
}
refuse 'line 3 is not a token in base64 and its rank' '3s/ / x/'
refuse 'line 3 is not a token in base64 and its rank' '3s/ //'
refuse 'line 3 is not a token in base64 and its rank' '3s/^./-/'
refuse 'line 3 is not a token in base64 and its rank' '3s/=//'
refuse 'line 3 is not a token in base64 and its rank' '3s/ .*/ /'
refuse 'line 3 is not a token in base64 and its rank' '3s/^[^ ]*//'
refuse 'line 3 is not a token in base64 and its rank' '3s/$/00000000000000000000000/'
refuse 'line 1 is not a token in base64 and its rank' '1s/==/=/'
refuse 'rank 7 is there twice' '3s/ .*/ 7/'
refuse 'rank 70000 is beyond all 664 tokens' '3s/ .*/ 70000/'
refuse 'the tokens of ranks 2 and 4 are the same' '3s/.*/JQ== 2/;5s/.*/JQ== 4/'
refuse 'no token is the byte 0x23' '3s/.*/YWJjZGVmZ2g= 2/'
cp "$gold/ranks" d/llama3.tiktoken
config() {
	echo "{\"added_tokens_decoder\":$2}" >d/tokenizer_config.json
	expect 2 "d: llama3.tiktoken: $1" side-tool d tokenizer.json
}
config "added_tokens_decoder: 'x' is no id near 664 tokens" '{"x":{"content":"y"}}'
config "added_tokens_decoder: '99999' is no id near 664 tokens" '{"99999":{"content":"y"}}'
config 'added_tokens_decoder: 664 has no content' '{"664":{}}'
config "the special token '<y>' has the id of another, 663" '{"663":{"content":"<y>"}}'
config "the special token '<y>' is there twice" '{"664":{"content":"<y>"},"665":{"content":"<y>"}}'
rm d/*
cp "$gold/ranks" d/cl100k_base.tiktoken
expect 2 'd: cl100k_base.tiktoken: 664 tokens are too few for cl100k_base, *' side-tool d tokenizer.json
done_testing
