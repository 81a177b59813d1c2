#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All of the bench but methods and quantising: training (train.sh), chats with
# a shared prompt, tokenizers, generation, and what products reach, beside the
# peers in the same run.
# usage: make bench PEERS=VENV [MODEL=FILE.gguf] [REPEAT=3] [STEPS=4] [THREADS=N]
#	[SHAPES='llama-1b llama-7b', as large.sh says]
set -eu
LC_ALL=C; export LC_ALL
. "$TOP/tests/model.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
if [ -f "$model" ]; then
	peft-quantize -q -t f32 -o f32/ "$model"
	sh "$TOP/tests/bench/train.sh" "$model" f32
	echo
	if [ -f "$shared/data/banking77-train.csv" ]; then
		sh "$TOP/tests/bench/shared.sh" f32 "$shared/data/banking77-train.csv"
	else
		echo "*** SKIPPED: shared prompts (no data in $shared)" >&2
	fi
	echo
	cat "$TOP"/lib/*/*.c >code.c
	cat "$TOP"/man/* >prose
	echo 'tokenizing, one thread, the vocabulary of SmolLM2:'
	tok-bench f32/tokenizer.json code.c prose
	for i in llama3_1 qwen3 gemma3; do
		if [ -f "$shared/tokenizers/$i/tokenizer.json.zst" ]; then
			zstd -dcq "$shared/tokenizers/$i/tokenizer.json.zst" \
			    >"$i.json"
			tok-bench "$i.json" code.c prose
		else
			echo "*** SKIPPED: $i (not in $shared)" >&2
		fi
	done
	cp f32/tokenizer.json smollm2.json
	sh "$TOP/tests/bench/load.sh" smollm2 llama3_1 qwen3 gemma3
	if [ -x "${PEERS:-}/bin/python" ] && [ -f llama3_1.json ]; then
		"$PEERS/bin/python" "$TOP/tests/bench/tok-peers.py" \
		    llama3_1.json code.c prose
	fi
	echo
	sh "$TOP/tests/bench/chats.sh" f32
	echo
	sh "$TOP/tests/bench/generate.sh" "$model"
	echo
else
	echo "*** SKIPPED: training and tokenizing, no $model (MODEL=)" >&2
fi
if [ -n "${SHAPES:-}" ]; then
	sh "$TOP/tests/bench/large.sh"
	echo
fi
echo 'products:'
math-bench
