#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training at the sizes of Llama 3.2 1B and Llama 2 7B, of random weights in NF4
# with double quantisation: LoRA of rank 16 on all linear layers, one record of
# 512 tokens a step.  Speed, the time until the first step is begun (the file
# is in the page cache then), memory planned and used; with LIMIT again in so
# much memory.  With PEERS the same with PEFT and bitsandbytes in bf16, which
# reads our folder of NF4; 7B by recomputation (18 GB of memory, minutes).
# The models are kept in MODELS: 1 GB and 4 GB.
# usage: make bench SHAPES='llama-1b llama-7b' [MODELS=DIR] [COMPUTE='bf16 f32']
#	[STEPS=3] [THREADS=N] [LIMIT=4.6G] [PEERS=VENV]
set -eu
LC_ALL=C; export LC_ALL
models=${MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/peft}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$models"
cd "$work"
jq -nc "[range(${STEPS:-3}) as \$r | [range(512) |
    (. * 7919 + \$r * 104729 + 17) % 31999] |
    {input_ids: ., labels: .}][]" >long.tok

# made SHAPE: its file, made once
made() {
	file=$models/$1.nf4.safetensors
	[ -f "$file" ] || make-model --shape "$1" -t nf4 --double-quant -o "$file"
	cat "$file" >/dev/null		# into the page cache
}

# line WHAT ARGUMENTS: a run
line() {
	what=$1; shift
	rm -rf out log
	peak one peft-train -q -m "$file" --rank 16 --alpha 32 --batch 1 --no-shuffle \
	    ${THREADS:+-j "$THREADS"} --log log -o out/ "$@" long.tok ||
	    { printf '%-28s no: see above\n' "$what"; return; }
	jq -s -r --arg what "$what" --argjson n 512 --arg one "$(cat one)" '
	    def pad($n): tostring | (" " * ([$n - length, 1] | max)) + .;
	    def round2: . * 100 | round / 100;
	    ([.[] | select(.step > 1).seconds] | sort | .[length / 2 | floor]) as $s |
	    ($one | split(" ") | map(tonumber)) as $o |
	    ($what + " " * 28)[:28] + ($n / $s | round2 | pad(9)) +
	    (.[-1].peak_share * 100 | round | pad(7)) +
	    ([$o[0] - (map(.seconds // 0) | add), 0] | max | round2 | pad(9)) +
	    (.[-1].planned_bytes / 1048576 | round | pad(9)) + ($o[2] | round | pad(9))' log
}

# theirs SHAPE: PEFT's row, with the time to load in the place of other's
theirs() {
	how=nf4
	[ "$1" != llama-7b ] || how=nf4-recompute
	folder=$models/$1.nf4
	[ -d "$folder" ] || peft-quantize -q -o "$folder/" "$file"
	peak one env OMP_NUM_THREADS="${THREADS:-$(nproc)}" "$PEERS/bin/python" \
	    "$TOP/tests/bench/peer.py" "$how" "$folder" long.tok 1 "${STEPS:-3}" \
	    >log 2>err || { tail -n 3 err >&2; return; }
	jq -r .load log >load
	jq '.seconds[1:][]' log | sort -g | awk -v w="$1 PEFT $how" -v l="$(cat load)" \
	    -v p="$(cut -d' ' -f3 one)" '{ s[NR] = $1 } END {
		printf "%-28s %8.2f %6s %8.2f %8s %8.0f\n", w,
		    512 / s[int((NR + 1) / 2)], "-", l, "-", p }'
}

printf '%-28s %8s %6s %8s %8s %8s\n' 'QLoRA NF4+DQ, 1 x 512' tokens/s '% peak' \
    'other s' planned 'peak MiB'
for shape in ${SHAPES:-llama-1b}; do
	made "$shape"
	for compute in ${COMPUTE:-bf16 f32}; do
		line "$shape $compute" --compute "$compute"
		[ -z "${LIMIT:-}" ] || line "$shape $compute in $LIMIT" \
		    --compute "$compute" --mem-limit "$LIMIT"
	done
	if [ -x "${PEERS:-}/bin/python" ]; then
		theirs "$shape"
	else
		echo "*** SKIPPED: PEFT (PEERS=VENV names where it is)" >&2
	fi
done
