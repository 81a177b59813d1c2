#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Token records, chats and results that are damaged, hostile or of something
# else; the line is named.
# shellcheck disable=SC2016	# $_ is perl's
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"

# ---- token records ----------------------------------------------------------

# records WHAT GLOB LINE [PROGRAMS]: as the second record of a stream
records() {
	{ sed -n 2p tokens.jsonl; printf '%s\n' "$3"; sed -n 3p tokens.jsonl
	} >bad.jsonl
	each tokens "$1" 2 "bad.jsonl:2: $2" bad.jsonl "${4-}"
}
records 'text that is no JSON' 'byte 1: *' 'input_ids'
records 'a line cut in the middle' 'byte *: *is missing' '{"input_ids":[1,5'
records 'an empty line' 'byte 1: the value is missing' ''
records 'a list for a record' 'not an object' '[1,2]'
records 'NaN for a token' 'byte *: not a value' \
    '{"input_ids":[1,NaN],"labels":[1,5]}'
records 'not UTF-8' 'byte *: not UTF-8' \
    "$(printf '{"id":"\377","input_ids":[1,5],"labels":[1,5]}')"
records 'a key twice' 'duplicate key "labels"' \
    '{"input_ids":[1,5],"labels":[1,5],"labels":[1,5]}'
records 'nested deep' 'byte *: nested too deep' \
    "{\"input_ids\":$(perl -e 'print "[" x 9000, "]" x 9000')}"
records 'text behind a record' 'byte *: text after the value' \
    '{"input_ids":[1,5],"labels":[1,5]} {}'
records 'no tokens' '"input_ids" is not a list' '{"labels":[1]}' \
    'train merge decode inspect'
records 'a token past the vocabulary' \
    '"input_ids"[[]1] is not a token of a vocabulary of 512' \
    '{"input_ids":[1,512],"labels":[1,512]}' 'train eval merge decode'
records 'a token past 2^31' '"input_ids"[[]1] is not a token *' \
    '{"input_ids":[1,4294967301],"labels":[1,5]}'
records 'a token below zero' '"input_ids"[[]1] is not a token of *' \
    '{"input_ids":[1,-5],"labels":[1,5]}'
records 'half a token' '"input_ids"[[]1] is not a token of *' \
    '{"input_ids":[1,5.5],"labels":[1,5]}'
records 'a token in words' '"input_ids"[[]1] is not a token of *' \
    '{"input_ids":[1,"5"],"labels":[1,5]}'
records 'no labels' '"labels" is missing' '{"input_ids":[1,5]}'
records 'labels longer than tokens' '3 labels for 2 tokens' \
    '{"input_ids":[1,5],"labels":[1,5,6]}'
records 'labels shorter than tokens' '1 labels for 2 tokens' \
    '{"input_ids":[1,5],"labels":[1]}'
records 'a label that is another token' \
    '"labels"[[]1] is 6, neither the token 5 nor -100' \
    '{"input_ids":[1,5],"labels":[1,6]}'
records 'a label of -1' '"labels"[[]1] is -1, neither *' \
    '{"input_ids":[1,5],"labels":[1,-1]}'
records 'a label past the vocabulary' '"labels"[[]1] is not a token of *' \
    '{"input_ids":[1,5],"labels":[1,5000000000]}'
records 'no token at all' '"input_ids" is empty' '{"input_ids":[],"labels":[]}'
records 'a weight below zero' '"weight" is below 0' \
    '{"input_ids":[1,5],"labels":[1,5],"weight":-1}'
records 'a weight without limit' '"weight" is not a number' \
    '{"input_ids":[1,5],"labels":[1,5],"weight":1e999}'
records 'a chat for a record' 'key "messages" is not of a token record: peft-tokenize makes such of it' \
    '{"messages":[{"role":"user","content":"a"}]}' 'train merge decode inspect'
records 'a key that records do not have' 'key "more" is not of a token record' \
    '{"input_ids":[1,5],"labels":[1,5],"more":1}'
records 'an answer that is no choice' '"answer" is 2, not in *' \
    '{"input_ids":[1,5],"choices":[[6],[7]],"answer":2}'

# ---- streams of them ----------------------------------------------------------

# stream WHAT STATUS GLOB [PROGRAMS]: bad.jsonl, as it is.  (peft-merge takes
# the first eight records as a sample.)
learn='train eval'
read='train eval decode inspect'
stream() { each tokens "$1" "$2" "$3" bad.jsonl "${4-$read}"; }
sed '$d' tokens.jsonl >bad.jsonl
stream 'no end line' 2 'bad.jsonl: no end line: what wrote it failed*'
head -n 5 tokens.jsonl >bad.jsonl
stream 'cut between two lines' 2 'bad.jsonl: no end line: what wrote it *'
head -c 2000 tokens.jsonl >bad.jsonl
stream 'cut in a line' 2 'bad.jsonl:*: the last line has no newline: *'
sed '4d' tokens.jsonl >bad.jsonl
stream 'a record lost' 2 'bad.jsonl:*: * records, the end line says *'
sed '1s/sha256:..../sha256:0000/' tokens.jsonl >bad.jsonl
stream 'of another tokenizer' 3 '*another tokenizer*' "$learn"
cat tokens.jsonl bad.jsonl >two.jsonl
mv two.jsonl bad.jsonl
stream 'of two tokenizers' 3 'bad.jsonl:*: records of two tokenizers*'
{ sed '$d' tokens.jsonl; cat tokens.jsonl; } >bad.jsonl
stream 'a cut stream before a whole one' 2 \
    'bad.jsonl:*: the stream before has no end line: it was cut short'
cat tokens.jsonl tokens.jsonl >two.jsonl
for cmd in "peft-train -q -m base --steps 1" "peft-eval -q -m base" \
    "peft-tokenize -m base --decode" peft-inspect; do
	run $cmd two.jsonl
	ok "two streams of one tokenizer: $cmd" test "$rc" -eq 0
done
{ cat tokens.jsonl; sed 1q test.jsonl; } >bad.jsonl
stream 'chats behind tokens' 2 'bad.jsonl:*: *'
: >bad.jsonl
stream 'nothing' 2 '*no *records*' "$learn"
printf '{"input_ids":[1,5,6],"labels":[-100,-100,-100]}\n' >bad.jsonl
stream 'nothing supervised' 2 '*no supervised token*' train
rm bad.jsonl; mkdir bad.jsonl
stream 'a folder' 2 'bad.jsonl: is a folder' 'train eval merge decode'
rmdir bad.jsonl
stream 'no such file' 2 'bad.jsonl: No such file*'
perl -e 'print "{\"input_ids\":[", "1," x 150_000_000, "1]}\n"' >bad.jsonl
stream 'a line of 300 MB' 2 'bad.jsonl:1: a line of more than *' 'decode'
rm bad.jsonl

# packed text
gzip -c tokens.jsonl >t.gz; zstd -qc tokens.jsonl >t.zst
for z in gz zst; do
	size=$(wc -c <t.$z)
	for at in 6 20 200 $((size - 4)) $((size - 1)); do
		head -c "$at" t.$z >bad.$z
		each tokens "cut at $at bytes, $z" 2 \
		    "bad.$z: is damaged or cut: *" bad.$z "$read"
	done
	perl -0777 -pe 'substr($_, length($_) / 2, 9) = "xxxxxxxxx"' t.$z >bad.$z
	each tokens "damaged, $z" 2 "bad.$z*" bad.$z "$read"
	{ cat t.$z; echo more; } >bad.$z
	each tokens "bytes behind the packed data, $z" 2 "bad.$z: *" bad.$z \
	    "$read"
done
perl -e 'print "{", " " x 300_000_000' | gzip -1c >bad.gz
each tokens 'a bomb' 2 'bad.gz:1: a line of more than 268435456 bytes' bad.gz \
    decode

# ---- chats and texts ----------------------------------------------------------

# chat WHAT GLOB LINE [PROGRAMS]: as the second of a file
chat() {
	{ sed 1q test.jsonl; printf '%s\n' "$3"; sed 1q test.jsonl; } >bad.jsonl
	each chats "$1" 2 "bad.jsonl:2: $2" bad.jsonl "${4-}"
}
m='{"messages":['
u='{"role":"user","content":"q"}' a='{"role":"assistant","content":"a"}'
chat 'no JSON' 'byte 1: *' 'hello'
chat 'a list' '*' '[1]'
chat 'NaN' 'byte *: not a value' "$m$u,$a],\"weight\":NaN}"
chat 'not UTF-8' 'byte *: not UTF-8' \
    "$(printf '{"messages":[{"role":"user","content":"\303("}]}')"
chat 'half a surrogate' 'byte *: half a surrogate pair' \
    "$m{\"role\":\"user\",\"content\":\"\\ud800\"}]}"
chat 'a key twice' 'duplicate key "content"' \
    "$m{\"role\":\"user\",\"content\":\"q\",\"content\":\"r\"}]}"
chat 'nested deep' 'byte *: nested too deep' \
    "{\"messages\":$(perl -e 'print "[" x 9000, "]" x 9000')}"
chat 'no messages' '"messages" is not a list of messages' '{"messages":[]}'
chat 'messages in words' '"messages" is not a list of messages' \
    '{"messages":"hello"}'
chat 'a message that is a word' '*message 1*' '{"messages":["hello"]}'
chat 'no role' 'message 1 has no role' "$m{\"content\":\"q\"}]}"
chat 'a role that is a number' '*role*' "$m{\"role\":1,\"content\":\"q\"}]}"
chat 'content that is a number' '*content*' "$m{\"role\":\"user\",\"content\":1}]}"
chat 'nothing known' '*needs "messages"*' '{"nothing":1}'
chat 'no record at all' '*' ''

# ---- results ------------------------------------------------------------------

peft-eval -q -m base -o A test.jsonl
# compare WHAT GLOB SED-SCRIPT: against results that were changed
compare() {
	sed "$3" A >B
	refuse "$1: compare" 2 "$2" peft-eval --compare -o o/new A B
	refuse "$1: compare -f" 2 "$2" peft-eval --compare -f -o o/was A B
}
compare 'results cut in a line' 'B:2: byte *' '2s/.$//'
compare 'NaN in results' 'B:2: byte *: not a value' '2s/"nll":[0-9.]*/"nll":NaN/'
compare 'a record less' '*8 records in the first*7 in the second' 2d
compare 'a record twice' 'B:3: two records are called #2' '3s/"record":3/"record":2/'
compare 'another record' 'record #2 is in the first*' '2s/"record":2/"record":9/'
compare 'no results' '*no results*' d

done_testing
