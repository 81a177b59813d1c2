#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One model, three voices: a support desk, formal letters, a brand's own tone.
#
# Trains an adapter for each (a few megabytes beside the model), puts them into
# one folder, and serves them all from one process: each request names its
# voice, or a mixture of them.
#
# usage: voices.sh MODEL WORK; STEPS=60, RANK=8, TOKENS=48 in the environment
set -eu
here=$(cd "$(dirname "$0")" && pwd)
model=$1 work=$2
mkdir -p "$work/voices"

for voice in support formal brand; do
	[ ! -e "$work/voices/$voice" ] || continue
	echo "learning: $voice"
	peft-tokenize -q -f -m "$model" -o "$work/$voice.tokens" "$here/$voice.jsonl"
	# trained beside the folder, then moved into it: a process that serves
	# it never sees half an adapter
	peft-train -q -f -m "$model" --rank "${RANK:-8}" --lr 2e-3 --batch 4 \
	    --steps "${STEPS:-60}" --log "$work/$voice.log" \
	    -o "$work/$voice.new/" "$work/$voice.tokens"
	mv "$work/$voice.new" "$work/voices/$voice"
done

echo "answering: one process, a voice for each request"
peft-generate -q -m "$model" --adapters "$work/voices" --jsonl \
    --max-tokens "${TOKENS:-48}" "$here/requests.jsonl" |
    tee "$work/answers.jsonl" | jq -r '"\(.id) [\(.adapter)] \(.text)"'
