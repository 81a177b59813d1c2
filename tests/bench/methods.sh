#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a method's step costs beside LoRA's: a model of SmolLM2's sizes, f32,
# all linear layers (IA3: PEFT's choice), rank 16, the methods in turns in one
# run, least of all steps.  Limits are of issue 8: exit status 1 above one.
# usage: make bench-methods [REPEAT=3] [STEPS=4] [THREADS=N] [BATCH=4]
#        [LENGTH=256] [COMPUTE=f32]
set -eu
LC_ALL=C; export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
repeat=${REPEAT:-3} steps=${STEPS:-4} threads=${THREADS:-$(nproc)}
batch=${BATCH:-4} length=${LENGTH:-256}

step() { peft-train -q -f -j "$threads" -m base.safetensors --batch "$batch" \
    --steps "$steps" --no-shuffle --compute "${COMPUTE:-f32}" --log log \
    -o out "$@" synth.tok; }

# one METHOD: the first step warms up
one() {
	rm -rf out log
	case $1 in
	lora)	step --rank 16 ;;
	dora)	step --rank 16 --set use_dora=true ;;
	prompt-tuning)	step --method "$1" ;;
	*)	step --method "$1" ;;
	esac
	sed -n 's/.*"step":\([0-9]*\),.*"seconds":\([0-9.]*\).*/\1 \2/p' log |
	    awk '$1 > 1 { print $2 }' >>"$1.seconds"
}

make-model --shape smollm2 -t f32 -o base.safetensors
awk -v n="$length" -v rows=8 'BEGIN { for (r = 0; r < rows; r++) {
	s = ""
	for (i = 0; i < n; i++)
		s = s (i > 0 ? "," : "") (i * 7919 + r * 104729 + 17) % 49152
	print "{\"input_ids\":[" s "],\"labels\":[" s "]}" } }' >synth.tok
i=0
while [ $((i += 1)) -le "$repeat" ]; do
	for method in lora dora ia3 prompt-tuning; do one $method; done
done
least() { sort -g "$1.seconds" | head -n 1; }
lora=$(least lora)
echo "$batch x $length tokens, $threads threads, least of $repeat x" \
    "$((steps - 1)) steps:"
for row in 'lora 1' 'dora 1.15' 'ia3 1' 'prompt-tuning 1'; do
	# shellcheck disable=SC2086
	set -- $row
	awk -v who="$1" -v s="$(least "$1")" -v l="$lora" -v limit="$2" 'BEGIN {
		much = (s / l > limit)
		printf "%-16s %8.3f s %6.2f x LoRA%s\n", who, s, s / l,
		    much ? "  over " limit : ""
		exit much }' || touch over
done
[ ! -e over ]
