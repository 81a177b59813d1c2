#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SentencePiece: its own ids, from tokenizer.model and from GGUF; refusals.
. "$TOP/tests/lib.sh"
gold=$TOP/tests/golden/spm

# golden TEXTS TOKENIZER.json
# shellcheck disable=SC2317 # called by run
golden() { zstd -dqc "$1" >texts && tokenizer-unit "$2" <texts; }
sub() {
	what=$1; shift
	run "$@"
	grep -v '^ok' out | grep -v '^1\.\.' | sed 's/^/# /'
	ok "$what" [ "$rc" -eq 0 ]
}

# folder MODEL: what is known besides decides what is put around a text
folder() {
	rm -rf d; mkdir d
	zstd -dqc "$gold/$1.model.zst" >d/tokenizer.model
	case $1 in
	t5 | unigram*) echo '{"tokenizer_class":"T5Tokenizer"}' >d/tokenizer_config.json ;;
	*) echo '{"model_type":"llama"}' >d/config.json ;;
	esac
}
for f in "$gold"/*.model.zst; do
	name=$(basename "$f" .model.zst)
	folder "$name"
	expect 0 '' side-tool d tokenizer.json
	cp out tok.json
	sub "$name.model: as SentencePiece has it" golden "$gold/$name.jsonl.zst" tok.json
	sub "$name.model, told" golden "$gold/$name.jsonl.zst" d
done

for f in "$gold"/*.gguf.zst; do
	name=$(basename "$f" .gguf.zst)
	zstd -dqc "$f" >x.gguf
	expect 0 '' side-tool x.gguf tokenizer.json
	cp out tok.json
	sub "$name.gguf: as SentencePiece has it" golden "$gold/$name.jsonl.zst" tok.json
	sub "$name.gguf, told" golden "$gold/$name.jsonl.zst" x.gguf
	side-tool x.gguf tokenizer_config.json >config.json
	n=$(jq '.model.vocab | length' tok.json)
	expect 0 '' vocab-tool tok.json config.json $((n + 7))
	cp out y.gguf
	run side-tool y.gguf tokenizer.json
	ok "$name.gguf: there and back, with unused tokens" cmp tok.json out
done

# real ones through GGUF, when they are here
shared=${PEFT_SHARED:-$TOP/../shared}
for name in llama2 gemma3; do
	config=$shared/tokenizers/$name/tokenizer_config.json
	if [ ! -f "$config" ]; then
		skip "$name through GGUF" "no $config"
		continue
	fi
	zstd -dqc "$shared/tokenizers/$name/tokenizer.json.zst" >tok.json
	expect 0 '' vocab-tool tok.json "$config" 262208
	cp out x.gguf
	side-tool x.gguf tokenizer.json >tok.json
	zstd -dqc "$shared/golden/text/$name.jsonl.zst" >texts
	sub "$name through GGUF" sh -c "tokenizer-unit tok.json '$config' <texts"
done

# what scores of tokens cannot tell is not written
zstd -dqc "$gold/llama.gguf.zst" >x.gguf
side-tool x.gguf tokenizer.json >good.json
untold() {
	jq -c "$2" good.json >bad.json
	expect 2 "tokenizer.json: $1" vocab-tool bad.json config.json 700
}
untold 'merge 4 makes a token that others make with another rank*' \
    '.model.merges |= .[1:3] + .[:1] + .[1:2] + .[3:]'
untold 'merge 1 makes no token' '.model.merges |= [["zz", "qq"]] + .'
untold '* merges are there of * that scores of tokens mean' '.model.merges |= .[:9] + .[10:]'
untold 'its normalizer and pre_tokenizer have no name in GGUF here' '.normalizer = {type: "Lowercase"}'
untold 'its normalizer and pre_tokenizer have no name in GGUF here' '.pre_tokenizer = {type: "Whitespace"}'
untold 'its normalizer takes spaces away*' \
    '.normalizer.normalizers |= [{type: "Strip", strip_left: false, strip_right: true}] + .'
untold 'pieces * and * are the same' '.added_tokens += [{id: 500, content: "a"}]'

# symbols that are found in the text are symbols in GGUF
through() {
	folder "$1"
	side-tool d tokenizer.json >tok.json
	expect 0 '' vocab-tool tok.json config.json 700
	cp out x.gguf
	side-tool x.gguf tokenizer.json >out
	ok "$1: symbols through GGUF" \
	    [ "$(jq -c '[.added_tokens[] | select(.special | not).content] | sort' out)" = "$2" ]
}
through bpe_symbols '["<tool>","<tool>>","[x]","new\nline","😀"]'
through unigram_symbols '["<tool>","<tool>>","[x]","new\nline"]'
untold '*nor does it cut out tokens' '.pre_tokenizer = {type: "Split", pattern: {Regex: "zzz|qqq"}, behavior: "Isolated", invert: false}'
untold '*nor does it cut out tokens' '.pre_tokenizer = {type: "Split", pattern: {Regex: "a+"}, behavior: "Isolated", invert: false}'

# a model of a folder, as GGUF, has the same tokenizer
rm -rf d; cp -r "$TOP/tests/golden/tiny/model" d; rm d/tokenizer*.json d/chat_template.jinja
zstd -dqc "$gold/llama.model.zst" >d/tokenizer.model
zstd -dqc "$gold/llama.jsonl.zst" | jq -c 'select(.text | test("[^ ]")) | {text}' >texts
run peft-tokenize -q -m d texts
grep -o '"input_ids":[^]]*]' out >want
run peft-quantize -q -t q8_0 -o small.gguf d
run peft-tokenize -q -m small.gguf texts
grep -o '"input_ids":[^]]*]' out >got
ok 'records by a folder and by its GGUF' cmp want got
zstd -dqc "$gold/llama.jsonl.zst" | jq -c 'select(.text | test("[^ ]")) | .ids_special + [2]' | sed 's/^/"input_ids":/' >gold
ok 'they have the ids of SentencePiece, and eos behind' cmp want gold
run peft-merge -q -m d -a "$TOP/tests/golden/tiny/adapter" -o merged
ok 'a merged folder has them in tokenizer.json' [ -s merged/tokenizer.json ]
run peft-tokenize -q -m merged texts
grep -o '"input_ids":[^]]*]' out >got
ok 'and in records by it' cmp want got

# other names, and what has precedence
folder llama
side-tool d tokenizer.json >tok.json
mv d/tokenizer.model d/spiece.model
run side-tool d tokenizer.json
ok 'spiece.model' cmp tok.json out
mv d/spiece.model d/sentencepiece.bpe.model
run side-tool d tokenizer.json
ok 'sentencepiece.bpe.model' cmp tok.json out
echo '{"version":"1.0"}' >d/tokenizer.json
run side-tool d tokenizer.json
ok 'tokenizer.json is preferred' cmp d/tokenizer.json out

# bos and eos: tokenizer_config.json, the class, the family
around() {
	echo "$2" >d/tokenizer_config.json
	side-tool d tokenizer.json >tok.json
	ok "$1: $2" [ "$(jq -c '[.post_processor.single[]?.SpecialToken.id]' tok.json)" = "$1" ]
}
folder llama
around '["<s>",null]' '{}'
around '["<s>",null]' '{"tokenizer_class":"LlamaTokenizer"}'
around '[]' '{"tokenizer_class":"XLNetTokenizer"}'
around '[null,"</s>"]' '{"tokenizer_class":"T5Tokenizer"}'
around '["<s>",null,"</s>"]' '{"add_eos_token":true}'
around '[]' '{"tokenizer_class":"LlamaTokenizer","add_bos_token":false}'
folder bpe_symbols
echo '{"tokenizer_class":"LlamaTokenizer"}' >d/tokenizer_config.json
side-tool d tokenizer.json >tok.json
ok 'LlamaTokenizer has symbols as added tokens' \
    [ "$(jq -c '[.added_tokens[] | select(.special | not).content] | sort' tok.json)" = \
    '["<tool>","<tool>>","[x]","new\nline","😀"]' ]

# a file that is cut is noticed, wherever
folder bpe_symbols
size=$(wc -c <d/tokenizer.model) cut=0 missed=
cp d/tokenizer.model whole
while [ "$cut" -lt "$size" ]; do
	head -c "$cut" whole >d/tokenizer.model
	side-tool d tokenizer.json >out 2>err && missed="$missed $cut"
	cut=$((cut + 41))
done
ok 'refused: cut anywhere' [ -z "$missed" ]

# refuse 'glob of the message' 'printf of what is behind <unk>' [NORMALIZER]
unk='\012\011\012\005<unk>\030\002' a='\012\010\012\001a\025\0\0\200\277' bpe='\022\002\030\002'
norm='\032\002\030\0'
refuse() {
	rm -rf d; mkdir d
	# shellcheck disable=SC2059 # octal escapes
	printf "$2" >d/tokenizer.model
	expect 2 "d: tokenizer.model: $1" side-tool d tokenizer.json
}
rm -rf d; mkdir d
# shellcheck disable=SC2059
printf "$unk$a$bpe$norm" >d/tokenizer.model
expect 0 '' side-tool d tokenizer.json
refuse 'no trainer_spec and normalizer_spec behind 2 pieces' "$unk$a$norm"
refuse 'no trainer_spec and normalizer_spec behind 2 pieces' "$unk$a$bpe"
refuse 'no SentencePiece model, or one that is damaged behind piece 2' "$unk$a$bpe$norm\\012"
refuse 'no SentencePiece model*' "$unk$a$bpe$norm\\013"
refuse 'no SentencePiece model*' "$unk$a$bpe$norm\\010\\001"
refuse 'no SentencePiece model*' "$unk$a$bpe$norm\\0\\001"
refuse 'no SentencePiece model*' "$unk$a$bpe$norm\\012\\377\\377\\377\\377\\377\\377\\377\\377\\377\\377\\001"
refuse 'no SentencePiece model*' "$unk$a$bpe$norm\\012\\377\\377\\377\\377\\017"
refuse 'no piece is for what is unknown' "$a$bpe$norm"
refuse 'pieces 0 and 2 are both for what is unknown' "$unk$a$unk$bpe$norm"
refuse 'pieces 1 and 2 are the same' "$unk$a$a$bpe$norm"
refuse 'piece 1 is damaged' "$unk\\012\\003\\012\\007a$bpe$norm"
refuse 'piece 1 is damaged' "$unk\\012\\004\\012\\001a\\025$bpe$norm"
refuse 'piece 1 is damaged' "$unk\\012\\002\\010\\001$bpe$norm"
refuse 'piece 1 is not UTF-8' "$unk\\012\\003\\012\\001\\377$bpe$norm"
refuse 'piece 1 is not UTF-8' "$unk\\012\\003\\012\\001\\0$bpe$norm"
refuse 'piece 1 is empty' "$unk\\012\\002\\012\\0$bpe$norm"
refuse 'piece 1 is of type 0, which is none' "$unk\\012\\005\\012\\001a\\030\\007$bpe$norm"
refuse 'the score of piece 1 is not finite' "$unk\\012\\010\\012\\001a\\025\\0\\0\\300\\177$bpe$norm"
refuse 'model_type is 3, neither 1 (Unigram) nor 2 (BPE)' "$unk$a\\022\\002\\030\\003$norm"
refuse 'treat_whitespace_as_suffix is not known here' "$unk$a\\022\\005\\030\\002\\300\\001\\001$norm"
refuse '0 pieces are for bytes, not 256' "$unk$a\\022\\005\\030\\002\\230\\002\\001$norm"
refuse 'trainer_spec is damaged' "$unk$a\\022\\002\\032\\0$norm"
refuse 'normalizer_spec is damaged' "$unk$a$bpe\\032\\002\\020\\0"
refuse 'piece 1 is unused, *' "$unk\\012\\005\\012\\001b\\030\\005$a\\022\\0$norm"
long=$(printf '%0600d' 0)
refuse 'piece 1 has 600 bytes, more than 512' "$unk\\012\\333\\004\\012\\330\\004$long$bpe$norm"

# a model without any tokenizer says what was looked for
rm -rf d; cp -r "$TOP/tests/golden/tiny/model" d; rm d/tokenizer*.json
looked='*d: no tokenizer*: looked for tokenizer.json, tokenizer.model, spiece.model, sentencepiece.bpe.model and \*.tiktoken*'
expect 2 "$looked" peft-tokenize -m d "$TOP/tests/golden/tiny/test.jsonl"
expect 2 "$looked" peft-generate -m d -p x
done_testing
