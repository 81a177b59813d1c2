#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Records of the shapes that people have: values by transformers and TRL,
# what is said of them, mixtures, bad records.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

tok() { peft-tokenize -m base "$@"; }
records() { grep -v '"peft"'; }

i=0
while read -r line; do
	i=$((i + 1))
	printf '%s\n' "$line" >line
	jq -c .record line >record
	jq -c '{input_ids,labels}' line >want
	args=$(jq -r '.args | join(" ")' line)
	# shellcheck disable=SC2086
	tok -q $args record | jq -c 'select(.input_ids) | {input_ids,labels}' >got
	ok "golden $i $args: $(cut -c 1-60 record)" cmp got want
done <"$TOP/tests/golden/shapes.jsonl"

# what an input is said to hold
says() {
	printf '%s\n' "$1" >in
	expect 0 "peft-tokenize: in: $2" peft-tokenize -m base in
}
m='{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}'
c='{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}'
a='{"instruction":"a","input":"","output":"b"}'
p='{"prompt":"a","completion":"b"}'
says "$m" 'JSON lines of chats (messages)'
says "$c" 'JSON lines of ShareGPT chats (conversations)'
says "$a" 'JSON lines of Alpaca (instruction, input, output)'
says "$p" 'JSON lines of prompt and completion'
says '{"text":"a b c"}' 'JSON lines of texts (text)'
says '{"segments":[{"label":false,"text":"a"},{"label":true,"text":"b"}]}' 'JSON lines of segments (label, text)'
echo "$m" | tok -q >want
for x in "$c" "$a" "$p"; do
	echo "$x" | tok -q --chat >got
	ok "as a chat: $x" cmp got want
done
expect 0 '' peft-tokenize -q -m base in
ok '-q does not say it' true

# one long list, as it is and as people print it
jq -s . test.jsonl >list.json
tok -q test.jsonl >want
for f in list.json compact.json list.json.gz list.json.zst; do
	[ -e compact.json ] || { jq -sc . test.jsonl | tr -d '\n' >compact.json
	    gzip -k list.json; zstd -q list.json; }
	tok -q $f >got
	ok "$f: a list is read like lines" cmp got want
done
expect 0 '*: list.json: a JSON list of chats (messages)' peft-tokenize -m base list.json
ok 'of an empty list nothing comes' [ "$(echo '[ ]' | tok -q | records | wc -l)" -eq 0 ]
printf '\357\273\277' | cat - test.jsonl >bom.jsonl; tok -q bom.jsonl >got
ok 'a byte order mark is passed over' cmp got want
printf '[\n%s,\n\n%s\n]\n' "$m" '{"messages":[]}' >in
expect 2 '*: in:4: "messages" is not a list of messages' peft-tokenize -q -m base in
for cut in 1 100 2000; do
	head -c $cut list.json >in
	expect 2 '*: in:*: the list is not closed: the input was cut short' peft-tokenize -q -m base in
done
printf '[%s] %s' "$m" "$m" >in
expect 2 '*: something follows the list' peft-tokenize -q -m base in
printf '[%s,]' "$m" >in
expect 2 '*: in:1: *' peft-tokenize -q -m base in

# mixed and bad records
{ echo "$m"; echo "$m"; echo "$c"; echo "$m"; } >mixed
expect 2 '*: mixed:3: records are mixed: this one is of ShareGPT chats (conversations), the first of chats (messages)' \
    peft-tokenize -q -m base mixed
expect 0 '*left out: mixed:3: records are mixed*' peft-tokenize -q -m base --skip-bad 1 mixed
ok 'the others are there' [ "$(tail -n 1 out)" = '{"peft":{"end":3}}' ]
{ echo "$m"; echo '{"messages":'; echo "$m"; echo '{"messages":[{}]}'; } >bad
expect 2 '*: bad:2: byte *' peft-tokenize -q -m base bad
expect 2 '*left out: bad:2:*: bad:4: message 1 has no role' peft-tokenize -q -m base --skip-bad 1 bad
expect 0 '*left out: bad:2:*left out: bad:4:*2 bad records left out' peft-tokenize -m base --skip-bad 2 bad
echo "$m" >one; echo "$p" >two
expect 0 '*one: *messages*two: *prompt and completion' peft-tokenize -m base one two
r() { echo "$1" >in; expect 2 "*: in:1: $2" peft-tokenize -q -m base in; }
r '{"label":1,"txt":"a"}' 'a record needs "messages"*; this one has "label", "txt"'
r '{"input_ids":[1],"labels":[1]}' 'it is a token record already'
r '{"conversations":[{"from":"alien","value":"a"}]}' 'message 1 of "conversations": it is from "alien"*'
r '{"conversations":[{"from":"human"}]}' 'message 1 of "conversations": "from" or "value" is missing*'
r '{"conversations":"x"}' '"conversations" is not a list of messages'
r '{"instruction":"a","output":1}' '"output" is not a string'
r '{"instruction":"a","output":"b","history":[["q"]]}' '"history" is not a list of pairs of strings'
r '{"segments":[{"text":"a"}]}' 'segment 1 needs *'
r '{"prompt":"a"}' '"prompt" without "completion"'
r '{"messages":[{"role":"user","content":"a","weight":1},{"role":"assistant","content":"b"}]}' 'message 1: a "weight" is 0 or 1, *'
r '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0.5}]}' 'message 2: a "weight" is 0 or 1, *'
echo '{"messages":[{"role":"user","content":"a"}]}' >in
expect 0 '*: 1 record has no supervised token (--lint tells which)' peft-tokenize -m base in

# segments: control tokens are the writer's
printf '%s\n' '{"segments":[{"label":false,"text":"<|im_start|>user\nx<|im_end|>"},{"label":true,"text":"y<|im_end|>"}]}' >in
tok -q in | records >got
ok 'segments: special tokens are tokens, labels as written' jq -e '.input_ids[0] == 1 and .labels[0] == -100 and .labels[-1] == 2' got

echo '{"text":"a<|im_start|>b"}' >in
tok -q in | records >got
ok 'a text: special tokens spelt out are text' jq -e '.input_ids | index(1) == null' got
tok -q --control in | records >got
ok '--control: they are tokens' jq -e '.input_ids | index(1) == 1' got

# tables
printf 'prompt,completion\n"a, ""b""\nc",d\n\nä,\n' >t.csv
expect 0 '*: t.csv: a table with commas of prompt and completion' peft-tokenize -m base t.csv
records <out >got
jq -nc '{prompt:"a, \"b\"\nc",completion:"d"},{prompt:"ä",completion:""}' | tok -q | records >want
ok 'quotes, line breaks and empty fields are RFC 4180'\''s' cmp got want
for x in 's/,/\t/g w.tsv' 's/,/;/g w.ssv' 's/$/\r/ w.crlf'; do
	printf 'id,prompt,completion\n7,a b,c\n"8","d",e\n' | sed "${x% *}" >"${x#* }"
	tok -q "${x#* }" | records >got
	jq -nc '{id:"7",prompt:"a b",completion:"c"},{id:"8",prompt:"d",completion:"e"}' | tok -q | records >want
	ok "a table: $x" cmp got want
done
printf 'q;x;a\nhow;1;so\n' >t.csv; gzip -k t.csv; zstd -q t.csv
jq -nc '{prompt:"how",completion:"so"}' | tok -q >want
for f in t.csv t.csv.gz t.csv.zst; do
	tok -q --columns prompt=q,completion=a $f >got
	ok "--columns by name: $f" cmp got want
done
tail -n 1 t.csv | tok -q --columns prompt=1,completion=3 >got
ok '--columns by number: the first line is a record' cmp got want
printf 'text,label\nfine,3\nbad,1\n' >l.csv
expect 0 '*: a table with commas of texts (text)*the label of 2 records is a class*' peft-tokenize -m base l.csv
printf 'text\nfine' >l.csv
expect 0 '*: l.csv: the last line has no newline; it is taken as it is' peft-tokenize -m base l.csv
ok 'one column, one record' [ "$(records <out | wc -l)" -eq 1 ]
rt() { printf '%b' "$1" >t.csv; expect 2 "*: t.csv:$2" peft-tokenize -q -m base ${3+--columns "$3"} t.csv; }
rt 'prompt,completion\na,b\na,b,c\n' '3: 3 fields, the first line has 2'
rt 'prompt,completion\na,"b\n' '2: a quoted field has no end: the input was cut short'
rt 'prompt,completion\na,"b"c\n' '2: field 2: something follows its closing quote'
rt 'x,y\na,b\n' '2: a record needs "messages"*; this one has "x", "y"'
rt 'x,x\na,b\n' '1: two columns are "x"'
rt 'x,y\na,b\n' '1: --columns: there is no column "z"; there are "x", "y"' prompt=z
rt 'x,y\na,b\n' '1: --columns: there is no column 3; there are 2' prompt=1,completion=3
rt 'x,y\na,b\n' '1: --columns: column 1 is "prompt" and "completion"' prompt=x,completion=x
rt 'x,y\na,b\n' "1: --columns: '=x' is not NAME=COLUMN" =x
rt 'text,weight\na,b\n' "2: \"weight\" is 'b', not a number"
rt 'text\n\0377\n' '2: *not UTF-8*'
expect 2 '*: --columns is for tables, and this is JSON' peft-tokenize -q -m base --columns text chats.jsonl
printf 'prompt,completion\na,b\na,b,c\nd,e\n' >t.csv
expect 0 '*left out: t.csv:3: 3 fields*' peft-tokenize -q -m base --skip-bad 1 t.csv
ok 'what follows a bad line of a table is read' [ "$(records <out | wc -l)" -eq 2 ]

# peft-eval reads the same
peft-eval -q -m base test.jsonl >want
for f in list.json list.json.gz; do
	peft-eval -q -m base $f >got
	ok "peft-eval $f" cmp got want
done
jq -c '{conversations: [.messages[] | {from: .role, value: .content}]}' test.jsonl >share.jsonl
peft-eval -q -m base share.jsonl >got
ok 'peft-eval: ShareGPT' cmp got want
jq -r '.messages | [.[1].content, .[2].content] | @csv' test.jsonl | sed '1i prompt,completion' >t.csv
jq -c '.messages | {prompt: .[1].content, completion: .[2].content}' test.jsonl >pc.jsonl
peft-eval -q -m base pc.jsonl >want
peft-eval -q -m base t.csv | tail -n 1 >got
ok 'peft-eval: a table' sh -c 'tail -n 1 want | cmp - got'
expect 2 '*: mixed:3: records are mixed*' peft-eval -q -m base mixed
{ tok -q test.jsonl; head -n 1 test.jsonl; } >in
expect 2 '*: in:11: records are mixed: this one is of chats (messages), the first of token records*' peft-eval -q -m base in

# a turn that is not learnt; what jq prints
echo '{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b","weight":0},{"from":"human","value":"c"},{"from":"gpt","value":"d"}]}' >in
tok -q in >got
sed 's/conversations/messages/; s/from/role/g; s/value/content/g; s/human/user/g; s/gpt/assistant/g' in >same
tok -q same >want
ok 'ShareGPT: weights are kept' cmp got want
jq . test.jsonl >in
expect 2 '*: in: its first record goes over several lines: *jq -c*' peft-tokenize -q -m base in

# files that hold no text
for x in 'PAR1 Parquet' 'PK\003\004 zip' '\3757zXZ\0 xz' 'BZh9 bzip2' '\377\376{\0 UTF-16' '{\0"\0 UTF-16' '\0{\0" UTF-16' 'ARROW1 Arrow'; do
	# shellcheck disable=SC2059
	printf "${x% *}" >in
	expect 2 "*: in: is *${x#* }*" peft-tokenize -q -m base in
done

# any number of threads
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do cat chats.jsonl test.jsonl; done >many
tok -q -j 1 many >want
for j in 2 3; do
	tok -q -j $j many >got
	ok "-j $j gives the same bytes" cmp got want
done

done_testing
