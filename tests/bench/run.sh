#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Speed and memory of training against PEFT's, in the same run and in turns:
# LoRA of rank 16 on all linear layers of SmolLM2, f32, 4 x 256 tokens, all
# supervised.  Then what products and tokenizers reach.
# On a machine that others use too, waiting threads spoil the figures of both:
# THREADS=1 then, and enough repeats.
# usage: make bench PEERS=VENV [MODEL=FILE.gguf] [REPEAT=3] [STEPS=4] [THREADS=N]
#	[SHAPES='llama-1b llama-7b', as large.sh says]
set -eu
LC_ALL=C; export LC_ALL
. "$TOP/tests/model.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
repeat=${REPEAT:-3} steps=${STEPS:-4} batch=4 length=256
threads=${THREADS:-$(nproc)}

# once WHO COMMAND: its peak memory goes to WHO.peak, its wall time away
once() { who=$1; shift; peak one "$@"; cut -d' ' -f3 one >>"$who.peak"; }

# ours WHO MODEL: the first step warms up
ours() {
	rm -rf out log
	once "$1" peft-train -q -j "$threads" -m "$2" --rank 16 --alpha 32 --batch $batch \
	    --steps "$steps" --no-shuffle --log log -o out/ synth.tok
	jq 'select(.step > 1).seconds' log >>"$1.seconds"
}

theirs() {
	once peft env OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads" \
	    "$PEERS/bin/python" "$TOP/tests/bench/peer.py" f32 synth.tok \
	    $batch "$steps" >log 2>err || { cat err >&2; exit 2; }
	jq '.seconds[1:][]' log >>peft.seconds
}

median() { sort -g "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# line WHO TEXT: a row of the table, beside PEFT's if it ran
line() {
	s=$(median "$1.seconds") p=$(median "$1.peak")
	s0=- p0=-
	[ ! -s peft.seconds ] || { s0=$(median peft.seconds) p0=$(median peft.peak); }
	awk -v s="$s" -v p="$p" -v s0="$s0" -v p0="$p0" -v w="$2" \
	    -v n=$((batch * length)) 'BEGIN {
		printf "%-26s %8.1f %9.0f", w, n / s, p
		if (s0 != "-") printf " %10.2f %10.2f", s0 / s, p / p0
		print "" }'
}

if [ -f "$model" ]; then
	jq -nc "[range(8) as \$r | [range($length) |
	    (. * 7919 + \$r * 104729 + 17) % 49152] |
	    {input_ids: ., labels: .}][]" >synth.tok
	peft-quantize -q -t f32 -o f32/ "$model"
	with=
	if [ -x "${PEERS:-}/bin/python" ]; then
		with=peft
	else
		echo "*** SKIPPED: PEFT (PEERS=VENV names where it is)" >&2
	fi
	i=0
	while [ $((i += 1)) -le "$repeat" ]; do
		ours f32 f32
		[ -z "$with" ] || theirs
		ours gguf "$model"
	done
	echo "training, $threads threads, $repeat runs in turns of $((steps - 1))" \
	    "steps, medians:"
	printf '%-26s %8s %9s %10s %10s\n' '' tokens/s 'peak MiB' 'x speed' 'x memory'
	[ -z "$with" ] || line peft 'PEFT f32 eager'
	line f32 'peft-train, f32 weights'
	line gguf 'peft-train, Q4_1 weights'
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
	if [ -n "$with" ] && [ -f llama3_1.json ]; then
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
