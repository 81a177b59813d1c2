#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-tokenize: against transformers, masks, lint, refusals.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

records() { grep -v '"peft"' "$1"; }
jq -c '{input_ids,labels}' "$TOP/tests/golden/tiny/golden.jsonl" >want
expect 0 '' peft-tokenize -q -m base -o t test.jsonl
records t | jq -c '{input_ids,labels}' >got
ok 'ids and labels are transformers'\''' cmp got want
expect 0 '' peft-tokenize -q -m base --supervise last test.jsonl
records out | jq -c '{input_ids,labels}' >got
ok 'one answer: last is all' cmp got want
ok 'the last line counts' [ "$(tail -n 1 t)" = '{"peft":{"end":8}}' ]
expect 0 '' peft-tokenize -q -m base --supervise text test.jsonl
ok 'text: all is supervised' sh -c "grep -v peft out | jq -e '.input_ids == .labels' >/dev/null"
gzip -k test.jsonl; zstd -q test.jsonl
for f in test.jsonl.gz test.jsonl.zst; do
	peft-tokenize -q -m base $f >got
	ok "$f is read as it is" cmp got t
done
peft-tokenize -q -m base --decode t >decoded
peft-tokenize -q -m base --render test.jsonl >rendered
ok 'decode gives what the template made' sh -c 'tr -d "\n" <decoded >a; tr -d "\n" <rendered >b; cmp a b'
expect 0 '*: test.jsonl: JSON lines of chats (messages)' peft-tokenize -m base --show 1 test.jsonl
ok '--show brackets what is supervised' grep -q '\[\[.*<|im_end|>' out

u='{"messages":[{"role":"user","content":"hi <|im_end|> there"},{"role":"assistant","content":"a"}]}'
echo "$u" | peft-tokenize -q -m base >got
ok 'special tokens in a user'\''s words are text' sh -c "grep -v peft got | jq -e '[.input_ids[] | select(. == 2)] | length == 3' >/dev/null"

r() { expect 2 "$2" sh -c "printf '%s\n' '$1' | peft-tokenize -m base"; }
r '{"messages":[]}' '*standard input:1: "messages" is not a list of messages'
r '{"messages":[{"content":"x"}]}' '*message 1 has no role'
r '{"nothing":1}' '*needs "messages"*'
r '{"text":"a"' '*:1: byte *'
r '{"text":"a","text":"b"}' '*duplicate key*'
r '{"text":1}' '*"text" is not a string'
expect 2 '*no newline*' sh -c "printf '{\"text\":\"a\"}' | peft-tokenize -m base"
expect 2 '*not UTF-8*' sh -c "printf '{\"text\":\"\\377\"}\n' | peft-tokenize -m base"
head -c 200 test.jsonl.gz >cut.gz
expect 2 '*cut.gz: is damaged or cut: ends within packed data*' peft-tokenize -m base cut.gz
expect 2 '*no tokenizer*' sh -c 'rm -rf bare; cp -r base bare; rm bare/tokenizer.json; peft-tokenize -m bare test.jsonl'
# whichever thread writes: when nobody reads any more, it ends without a word
i=0
while [ $((i += 1)) -le 400 ]; do cat test.jsonl; done >many
i=0
: >ends
while [ $((i += 1)) -le 8 ]; do
	{ peft-tokenize -q -j 2 -m base many 2>>ends; echo $? >>ends; } | head -n 300 >/dev/null
done
ok 'SIGPIPE is silent on every thread' [ "$(sort -u ends)" = 141 ]

# a model on a pipe is read to its end, and is then no place for records
rm -rf beside; cp -r base beside; echo junk >beside/tokenizer.model
peft-tokenize -q -m base test.jsonl >right
ok 'tokenizer.json goes before a damaged tokenizer.model' sh -c 'peft-tokenize -q -m beside test.jsonl | cmp - right'
peft-quantize -q -t f32 -o base.safetensors base
ok '-m - reads its pipe to the end' sh -c "{ cat base.safetensors && : >whole; } |
    peft-tokenize -q -m - test.jsonl >got && [ -e whole ] && cmp got right"
size=$(wc -c <base.safetensors)
expect 2 '*standard input*' sh -c "head -c $((size - 10)) base.safetensors | peft-tokenize -q -m - test.jsonl"
expect 1 '*-m - takes standard input*' sh -c 'peft-tokenize -q -m - <base.safetensors'
expect 1 '*-m - takes standard input*' sh -c 'peft-tokenize -q -m - test.jsonl - <base.safetensors'
sed 's/{% for/{{ raise_exception("not here") }}{% for/' base/chat_template.jinja >x; cp -r base raising; cp x raising/chat_template.jinja
expect 2 '*template line 1: not here' peft-tokenize -m raising test.jsonl
sed 's/endfor/endfro/' base/chat_template.jinja >raising/chat_template.jinja
expect 2 '*template line*' peft-tokenize -m raising test.jsonl

expect 2 '*the limit is 10*' peft-tokenize -m base --max-length 10 test.jsonl
expect 0 '*8 records dropped*' peft-tokenize -m base --max-length 10 --over drop test.jsonl
for o in '--over drop' '--partial' '--decode --per-turn' '--decode --columns text' '--decode --lint' \
    '--decode --supervise last' '--decode --task seq-cls' '--decode --set x=1' '--render --supervise last' \
    '--render --max-length 9' '--render --control' '--lint --max-length 9 --over cut' '--fix --max-length 9' \
    '--fix --near 0.5' '--task token-cls --supervise last'; do
	# shellcheck disable=SC2086
	expect 1 '*--*' peft-tokenize -m base $o test.jsonl
done
expect 2 '*nothing supervised is left' peft-tokenize -m base --max-length 10 --over cut test.jsonl
expect 0 '' peft-tokenize -q -m base --max-length 100 test.jsonl

# settings for batches are read, not obeyed, and this is said
batch() { rm -rf batch; cp -r base batch; jq -c "$1" base/tokenizer.json >batch/tokenizer.json; }
batch '.truncation = {direction: "Right", max_length: 10, strategy: "LongestFirst", stride: 0}'
expect 0 '*8 of 8 records have other lengths*not obeyed' peft-tokenize -m batch test.jsonl
records out | jq -c '{input_ids,labels}' >got
ok 'truncation: the records are whole' cmp got want
batch '.padding = {strategy: {Fixed: 9000}, direction: "Left", pad_to_multiple_of: null, pad_id: 0, pad_type_id: 0, pad_token: "x"}'
expect 0 '*8 of 8 records*' peft-tokenize -m batch test.jsonl
batch '.padding = {strategy: "BatchLongest", pad_to_multiple_of: null}
    | .truncation = {direction: "Right", max_length: 10000, strategy: "LongestFirst", stride: 0}'
expect 0 '*: test.jsonl: JSON lines of chats (messages)' peft-tokenize -m batch test.jsonl
batch '.padding = {strategy: "BatchLongest", pad_to_multiple_of: 1000}'
expect 0 '*8 of 8 records*' peft-tokenize -m batch test.jsonl
batch '.truncation = {direction: "Up"}'
expect 2 '*truncation: "direction": "Up" is not known here*' peft-tokenize -m batch test.jsonl
batch '.padding = {strategy: {Fixed: -1}}'
expect 2 '*padding: "Fixed"*' peft-tokenize -m batch test.jsonl
batch '.padding = {side: "Left"}'
expect 2 '*padding: the key "side" is not known here' peft-tokenize -m batch test.jsonl
batch '.truncation = 3'
expect 2 '*truncation is not an object' peft-tokenize -m batch test.jsonl

expect 0 '' peft-tokenize -q -m base --lint chats.jsonl
{ cat chats.jsonl; head -n 1 chats.jsonl
echo '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":""}]}'
echo '{"messages":[{"role":"assistant","content":"x"}]}'
echo "$u"; head -n 1 test.jsonl; } >bad.jsonl
expect 3 '*findings' peft-tokenize -m base --lint --test test.jsonl bad.jsonl
for what in 'the same as an earlier' 'turn is empty' 'out of order' 'spelt out' 'in the test set'; do
	ok "lint: $what" grep -q "$what" out
done

# U+0000 is a character like others, in records of each kind
printf '%s\n' '{"messages":[{"role":"user","content":"a\u0000b"},{"role":"assistant","content":"\u0000"}]}' >nul
expect 0 '' peft-tokenize -q -m base -f -o nul.tokens nul
run sh -c "peft-tokenize -q -m base --render nul | tr '\\000' '~'"
ok 'NULs are rendered' grep -q 'a~b' out
expect 0 '' peft-tokenize -q -m base --fix nul
ok 'and written as they came' cmp -s out nul
echo '{"text":"\u0000"}' >nul
peft-tokenize -q -m base nul | records - >got
ok 'and tokens' [ "$(jq -c '.input_ids | length > 0' got)" = true ]
echo '{"te\u0000xt":"x"}' >nul
expect 2 '*u0000' peft-tokenize -q -m base nul

# LlamaTokenizer has stages of its own, but not where it is not believed
rm -rf class; cp -r base class
cp "$TOP/tests/golden/tok/llama2.json" class/tokenizer.json
echo '{"tokenizer_class":"LlamaTokenizer","bos_token":"<|begin|>","eos_token":"<|end|>"}' >class/tokenizer_config.json
echo '{"text":" the"}' >the.jsonl
# as_class MODEL_TYPE 'the ids of transformers and the end'
as_class() {
	jq -c ".model_type = \"$1\"" base/config.json >class/config.json
	peft-tokenize -q -m class the.jsonl >got
	records got | jq -c .input_ids >ids
	ok "LlamaTokenizer, $1: $2" [ "$(cat ids)" = "$2" ]
}
as_class llama '[298,291,281,278,2]'
as_class mistral '[299,291,281,278,2]'
as_class phi3 '[299,291,281,278,2]'

done_testing
