#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Byte-level BPE in GGUF: what llama.cpp's names of pre-tokenizers mean.
. "$TOP/tests/lib.sh"
gold=$TOP/tests/golden/pre
sub() {
	what=$1; shift
	run "$@"
	grep -v '^ok' out | grep -v '^1\.\.' | sed 's/^/# /'
	ok "$what" [ "$rc" -eq 0 ]
}

for f in "$gold"/*.gguf.zst; do
	name=$(basename "$f" .gguf.zst)
	zstd -dqc "$f" >x.gguf
	expect 0 '' side-tool x.gguf tokenizer.json
	cp out tok.json
	zstd -dqc "$gold/$name.jsonl.zst" >texts
	sub "$name: as its expressions have it" sh -c 'tokenizer-unit tok.json <texts'
	sub "$name, told" sh -c 'tokenizer-unit x.gguf <texts'
	[ "$name" != gemma4 ] || continue	# which is not written
	side-tool x.gguf tokenizer_config.json >config.json
	expect 0 '' vocab-tool tok.json config.json 700
	cp out y.gguf
	run side-tool y.gguf tokenizer.json
	ok "$name: there and back" cmp tok.json out
	[ "$name" != bert ] || continue
	jq -c '.normalizer = {type: "NFC"}' tok.json >nfc.json
	expect 0 '' vocab-tool nfc.json config.json 700
	jq -c '.normalizer = {type: "Lowercase"}' tok.json >low.json
	expect 2 '*have no name in GGUF here' vocab-tool low.json config.json 700
done

# a tokenizer alone does not need a model that is known
echo '{"text":"a <|turn>b"}' >a.jsonl
zstd -dqc "$gold/gemma4.gguf.zst" >x.gguf
expect 0 '' peft-tokenize -q -m x.gguf --supervise text a.jsonl
ok 'bos comes first whatever the file says' grep -q '"input_ids":\[2,' out
expect 2 '*x.gguf: architecture nobody-knows is not known*' peft-quantize -q -o no.gguf x.gguf
# shellcheck disable=SC2016 # expanded by sh
expect 0 '' sh -c 'peft-tokenize -q -m - --supervise text a.jsonl <x.gguf'
sed 's/gemma4/gemma9/g' x.gguf >y.gguf
expect 2 '*y.gguf: no tokenizer: the tokenizer is of none of the kinds gpt2, gemma4, llama, t5 and bert' peft-tokenize -q -m y.gguf a.jsonl
sed 's/ggml.merges/ggml.mergez/' x.gguf >y.gguf
expect 2 '*y.gguf: tokenizer.ggml.merges is missing*' peft-tokenize -q -m y.gguf a.jsonl

# How texts are cut may be left open, as llama.cpp allows; a name is meant
zstd -dqc "$gold/default.gguf.zst" >x.gguf
sed 's/ggml\.pre/ggml.not/' x.gguf >y.gguf
zstd -dqc "$gold/default.jsonl.zst" >texts
sub 'no tokenizer.ggml.pre: as the default' sh -c 'tokenizer-unit y.gguf <texts'
expect 0 "*y.gguf: *(tokenizer.ggml.pre): taken is 'default', as llama.cpp does*" peft-tokenize -m y.gguf --supervise text a.jsonl
expect 0 '' peft-tokenize -q -m x.gguf --supervise text a.jsonl
sed 's/default/defaulx/' x.gguf >y.gguf
expect 2 '*y.gguf: no tokenizer: tokenizer.ggml.pre is of a kind that is not known' peft-tokenize -q -m y.gguf a.jsonl

# the same as its authors spell it, with intersections of classes
zstd -dqc "$gold/kimi-k2.gguf.zst" >x.gguf
zstd -dqc "$gold/kimi-k2.jsonl.zst" >texts
b='[^\r\n\p{L}\p{N}]?' n='&&[^\p{Han}]]' s="(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
u='[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}' l='[\p{Ll}\p{Lm}\p{Lo}\p{M}'
REGEX="[\p{Han}]+|$b$u$n*$l$n+$s|$b$u$n+$l$n*$s|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
export REGEX
side-tool x.gguf tokenizer.json |
    jq -c '.pre_tokenizer.pretokenizers[0].pattern.Regex = env.REGEX' >tok.json
sub 'intersections of classes' sh -c 'tokenizer-unit tok.json <texts'

# whole tokens first or not: other names
zstd -dqc "$gold/gpt-2.gguf.zst" >x.gguf
side-tool x.gguf tokenizer.json | jq -c '.model.ignore_merges = true' >tok.json
expect 2 '*have no name in GGUF here' vocab-tool tok.json config.json 700

# bos and eos around a text
zstd -dqc "$gold/gpt-2.gguf.zst" >x.gguf
side-tool x.gguf tokenizer.json | jq -c '.added_tokens = [{id: 0, content: "!", special: true},
    {id: 1, content: "\"", special: true}] | {SpecialToken: {id: "!", type_id: 0}} as $b |
    {SpecialToken: {id: "\"", type_id: 0}} as $e | {Sequence: {id: "A", type_id: 0}} as $a |
    .post_processor = {type: "TemplateProcessing", single: [$b, $a, $e], pair: [$a, $a],
    special_tokens: {"!": {id: "!", ids: [0], tokens: ["!"]}, "\"": {id: "\"", ids: [1], tokens: ["\""]}}}' >tok.json
echo '{"bos_token": "!", "eos_token": {"content": "\""}}' >config.json
expect 0 '' vocab-tool tok.json config.json 700
cp out y.gguf
run side-tool y.gguf tokenizer.json
ok 'bos and eos: there and back' [ "$(jq -c .post_processor.single out)" = "$(jq -c .post_processor.single tok.json)" ]

# WordPiece
zstd -dqc "$gold/bert.gguf.zst" >x.gguf
side-tool x.gguf tokenizer.json >good.json
side-tool x.gguf tokenizer_config.json >config.json
untold() {
	jq -c "$2" good.json >bad.json
	expect 2 "tokenizer.json: $1" vocab-tool bad.json config.json 700
}
untold '*WordPiece goes with those of uncased BERT' '.normalizer.lowercase = false'
untold '*WordPiece goes with those of uncased BERT' '.pre_tokenizer = {type: "Whitespace"}'
untold '*cannot be told in GGUF' '.model.max_input_chars_per_word = 20'
untold 'WordPiece without an unk_token' 'del(.model.unk_token)'
untold 'token * cannot be told from another in GGUF' '.model.vocab."##▁the" = 300'

unit pre-unit
done_testing
