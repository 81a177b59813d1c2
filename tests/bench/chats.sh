#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chats in, token records out: peft-tokenize on one thread and on all, beside
# what people do with transformers (apply_chat_template, one chat after the
# other), over the same chats.
# usage: chats.sh MODEL (a folder); with PEERS=VENV both
set -eu
model=$1
many=${CHATS:-20000}
# one to four exchanges, made of the banking examples
jq -c -n --argjson n "$many" '[inputs.messages] as $m | range($n) as $i |
    {messages: ([$m[$i % ($m | length)][0]] + [range(1 + $i % 4) as $k |
    $m[($i * 7 + $k * 131) % ($m | length)][1:][]])}' \
    "$TOP/examples/banking/train.jsonl" >chats.jsonl
bytes=$(wc -c <chats.jsonl)

# row WHAT FILE: of what peak has written
row() {
	awk -v n="$many" -v b="$bytes" -v w="$1" '{
		printf "%-26s %8.0f %8.1f %9.0f %9.0f\n", w, n / $1,
		    b / $1 / 1e6, n / $2, $3 }' "$2"
}

echo "$many chats to token records:"
printf '%-26s %8s %8s %9s %9s\n' '' chats/s MB/s 'a CPU s' 'peak MiB'
if [ -x "${PEERS:-}/bin/python" ]; then
	"$PEERS/bin/python" "$TOP/tests/bench/chats.py" "$model" chats.jsonl \
	    2>/dev/null >theirs
	row 'transformers' theirs
else
	echo "*** SKIPPED: transformers (PEERS=VENV names where it is)" >&2
fi
peak one peft-tokenize -q -j 1 -m "$model" -o one.tok chats.jsonl
row 'peft-tokenize -j 1' one
peak all peft-tokenize -q -m "$model" -o all.tok chats.jsonl
row "peft-tokenize -j $(nproc)" all
cmp one.tok all.tok
