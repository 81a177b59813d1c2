#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A step of LoRA, rank 16 on all linear layers of SmolLM2, 4 x 256 tokens, all
# supervised: f32, bf16, int8, over NF4 and over the file as it came, beside
# PEFT, all in turns; then what issue 7 asks of them.
# On a machine that others use too, waiting threads spoil the figures of both:
# THREADS=1 then, and enough repeats.
# usage: train.sh MODEL.gguf F32_FOLDER; PEERS=VENV REPEAT=3 STEPS=4 THREADS=N
#	COMPILE=1 (torch.compile too: minutes)
set -eu
model=$1 folder=$2 repeat=${REPEAT:-3} steps=${STEPS:-4} batch=4 length=256
threads=${THREADS:-$(nproc)}

jq -nc "[range(8) as \$r | [range($length) |
    (. * 7919 + \$r * 104729 + 17) % 49152] | {input_ids: ., labels: .}][]" >synth.tok
peft-quantize -q -f -t nf4 --double-quant -o nf4/ "$folder"
peft-quantize -q -f -t bf16 -o bf16/ "$folder"

# once WHO COMMAND: its peak memory goes to WHO.peak
once() { who=$1; shift; peak one "$@"; cut -d' ' -f3 one >>"$who.peak"; }

# ours WHO THREADS MODEL ARGUMENTS: the first step warms up
ours() {
	who=$1 n=$2 from=$3; shift 3
	rm -rf out log
	once "$who" peft-train -q -j "$n" -m "$from" --rank 16 --alpha 32 --batch $batch \
	    --steps "$steps" --no-shuffle --log log -o out/ "$@" synth.tok
	jq 'select(.step > 1).seconds' log >>"$who.seconds"
	jq 'select(.step > 1).peak_share * 100' log >>"$who.share"
}

# theirs HOW MODEL
theirs() {
	once "peft-$1" env OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads" \
	    "$PEERS/bin/python" "$TOP/tests/bench/peer.py" "$1" "$2" synth.tok \
	    $batch "$steps" >log 2>err || { cat err >&2; exit 2; }
	jq '.seconds[1:][]' log >>"peft-$1.seconds"
}

peers=
if [ -x "${PEERS:-}/bin/python" ]; then
	peers=y
else
	echo "*** SKIPPED: PEFT (PEERS=VENV names where it is)" >&2
fi
i=0
while [ $((i += 1)) -le "$repeat" ]; do
	ours f32 "$threads" "$folder" --compute f32
	ours bf16 "$threads" bf16 --compute bf16
	ours int8 "$threads" bf16 --compute int8
	ours nf4 "$threads" nf4 --compute bf16
	ours file "$threads" "$model" --compute bf16
	ours f32-one 1 "$folder" --compute f32
	ours bf16-one 1 bf16 --compute bf16
	[ -n "$peers" ] || continue
	theirs f32 "$folder"
	theirs bf16 bf16
	theirs nf4 nf4
	[ -z "${COMPILE:-}" ] || theirs compile bf16
done

median() { sort -g "$1" | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }
# speed WHO: tokens a second, - if it did not run
speed() { [ ! -s "$1.seconds" ] && echo - ||
    awk -v s="$(median "$1.seconds")" -v n=$((batch * length)) 'BEGIN { print n / s }'; }

# row WHO TEXT [PEER]
row() {
	[ -s "$1.seconds" ] || return 0
	peer=${3:-none} share=- mem=-
	[ ! -s "$1.share" ] || share=$(median "$1.share")
	[ ! -s "$peer.peak" ] || mem=$(median "$peer.peak")
	awk -v w="$2" -v v="$(speed "$1")" -v s="$share" -v p="$(median "$1.peak")" \
	    -v v0="$(speed "$peer")" -v p0="$mem" 'BEGIN {
		printf "%-28s %8.1f %7s %9.0f", w, v, s == "-" ? s : sprintf("%.0f", s), p
		if (v0 != "-") printf " %8.2f %9.2f", v / v0, p / p0
		print "" }'
}
echo "LoRA, $batch x $length tokens, $threads threads, $repeat runs in turns of" \
    "$((steps - 1)) steps, medians:"
printf '%-28s %8s %7s %9s %8s %9s\n' '' tokens/s '% peak' 'peak MiB' 'x speed' 'x memory'
row f32 'peft-train f32' peft-f32
row bf16 'peft-train bf16' peft-bf16
row int8 'peft-train int8' peft-bf16
row nf4 'peft-train bf16 over NF4' peft-nf4
row file 'peft-train bf16 over Q4_1' peft-nf4
row f32-one 'peft-train f32, one thread'
row bf16-one 'peft-train bf16, one thread'
row peft-f32 'PEFT f32 eager'
row peft-bf16 'PEFT bf16 eager'
row peft-compile 'PEFT bf16 torch.compile'
row peft-nf4 'PEFT + bitsandbytes NF4'

# goal TEXT REACHED WANTED
goal() { awk -v t="$1" -v a="$2" -v b="$3" 'BEGIN {
    printf "%-44s %6.2f  (goal %s)%s\n", t, a, b, a < b ? "  below" : "" }'; }
over() { awk -v a="$(speed "$1")" -v b="$(speed "$2")" 'BEGIN { print a / b }'; }
goal 'f32, share of peak, %' "$(median f32.share)" 65
goal 'bf16, share of peak, %' "$(median bf16.share)" 65
goal 'over NF4 against bf16' "$(over nf4 bf16)" 0.95
goal 'int8 against bf16' "$(over int8 bf16)" 1.4
if [ "$threads" -gt 1 ]; then
	goal "f32, $threads threads against one" "$(over f32 f32-one)" 1.9
	goal "bf16, $threads threads against one" "$(over bf16 bf16-one)" 1.9
fi
[ -z "$peers" ] || goal 'f32 against PEFT f32 eager' "$(over f32 peft-f32)" 2.5
