#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chats that share a long system prompt, about 570 tokens of it: examples a
# second of training, LoRA of rank 16 on all linear layers, beside TRL's.
# usage: shared.sh MODEL CHATS [EXAMPLES]; PEERS=VENV, THREADS=N
set -eu
model=$1 examples=${3:-64}
jq -sc '(map(.messages[-1].content) | unique | join(", ")) as $all |
    ("You are the support desk of a bank. Answer with exactly one of these " +
     "intents and nothing else: " + $all) as $s |
    .[] | .messages |= map(if .role == "system" then .content = $s else . end)' "$2" >all.jsonl
head -n "$examples" all.jsonl >shared.jsonl
peft-tokenize -q -m "$model" -o shared.tok shared.jsonl

# line WHO BATCH EXAMPLES SECONDS PEAK
line() {
	awk -v w="$1" -v b="$2" -v n="$3" -v s="$4" -v p="$5" 'BEGIN {
	    printf "%-28s %6d %12.2f %9.0f\n", w, b, n / s, p }'
}
printf '%-28s %6s %12s %9s\n' "$examples chats, shared prompt:" batch examples/s 'peak MiB'
for b in 8 32; do
	for compute in ${COMPUTE:-f32}; do
		peak one peft-train -q -f ${THREADS:+-j "$THREADS"} -m "$model" --rank 16 --alpha 32 \
		    --compute "$compute" --batch $b --log log -o out/ shared.tok
		line "peft-train $compute" $b "$examples" "$(jq -s 'map(.seconds // 0) | add' log)" \
		    "$(cut -d' ' -f3 one)"
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
