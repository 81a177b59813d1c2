#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chats that share a system prompt of 575 tokens: examples a second of
# training, LoRA of rank 16 on all linear layers, beside TRL's.
# usage: shared.sh MODEL TABLE.csv [EXAMPLES]; PEERS=VENV, THREADS=N,
#	COMPUTE="f32 bf16", LIMIT=1G (of f32)
set -eu
model=$1 table=$2 examples=${3:-128}
# rows of the table from all over it, as chats under one list of all intents
tr -d '\r' <"$table" | sed 1d | grep -E ',[A-Za-z_?]+$' >rows
jq -Rnc --argjson n "$examples" '
    [inputs | capture("^(?<text>.*),(?<intent>[A-Za-z_?]+)$")] as $rows |
    ("You are the support desk of a bank. Answer with exactly one of these " +
     "intents and nothing else: " + ($rows | map(.intent) | unique | join(", "))) as $s |
    range($n) | $rows[. * ($rows | length) / $n | floor] |
    {messages: [{role: "system", content: $s},
        {role: "user", content: (.text | ltrimstr("\"") | rtrimstr("\"") | gsub("\"\""; "\""))},
        {role: "assistant", content: .intent}]}' rows | shuf --random-source="$table" >shared.jsonl
peft-tokenize -q -m "$model" -o shared.tok shared.jsonl

# line WHO BATCH EXAMPLES SECONDS PEAK
line() {
	awk -v w="$1" -v b="$2" -v n="$3" -v s="$4" -v p="$5" 'BEGIN {
	    printf "%-28s %6d %12.2f %9.0f\n", w, b, n / s, p }'
}
printf '%-28s %6s %12s %9s\n' "$examples chats, shared prompt:" batch examples/s 'peak MiB'
# ours COMPUTE BATCH [LIMIT]
ours() {
	peak one peft-train -q -f ${THREADS:+-j "$THREADS"} -m "$model" --rank 16 --alpha 32 \
	    --compute "$1" --batch "$2" ${3:+--mem-limit "$3"} --log log -o out/ shared.tok
	line "peft-train $1${3:+, within $3}" "$2" "$examples" "$(jq -s 'map(.seconds // 0) | add' log)" \
	    "$(cut -d' ' -f3 one)"
}
for b in 8 32; do
	for compute in ${COMPUTE:-f32 bf16}; do
		ours "$compute" $b
		[ "$compute" != f32 ] || ours f32 $b "${LIMIT:-1G}"
	done
done
[ -x "${PEERS:-}/bin/python" ] && "$PEERS/bin/python" -c 'import trl' 2>/dev/null ||
    { echo '*** SKIPPED: TRL (PEERS=VENV names where it is)' >&2; exit 0; }
head -n 16 shared.jsonl >few.jsonl
for dtype in f32 bf16; do
	peak one "$PEERS/bin/python" "$TOP/tests/bench/trl_job.py" $dtype "$model" few.jsonl 8 >log 2>err ||
	    { cat err >&2; exit 2; }
	line "TRL $dtype" 8 16 "$(tail -n 1 log)" "$(cut -d' ' -f3 one)"
done
