#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How fast weights are quantised and expanded, against memory and against
# bitsandbytes and ggml on the same cores; what products reach from each type
# of what they do from bf16; then whole models of real sizes,
# their peak memory, and the disk.
# usage: make bench-quant PEERS=VENV [THREADS=N] [SHAPES='llama-1b llama-7b']
set -eu
LC_ALL=C; export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
threads=${THREADS:-$(nproc)}
quant-bench "$threads" | tee ours
echo
expand-bench "$threads"
echo
stored-bench "$threads"
if [ -x "${PEERS:-}/bin/python" ]; then
	"$PEERS/bin/python" "$TOP/tests/bench/quant_peer.py" "$threads" 2>/dev/null >theirs
	echo
	while read -r who what rate; do
		awk -v who="$who" -v what="$what" -v theirs="$rate" \
		    '$1 == "quantise" && $2 == what { printf "%-8s %6.0f M/s, %s %6.0f: x %.1f\n", what, $3, who, theirs, $3 / theirs }' ours
	done <theirs
else
	echo "*** SKIPPED: bitsandbytes and ggml (PEERS=VENV names where they are)" >&2
fi
echo
printf '%-10s %-8s %8s %9s %10s\n' '' '' seconds 'CPU s' 'peak MiB'
for shape in ${SHAPES:-smollm2 llama-1b}; do
	make-model --shape "$shape" -o model/
	for t in bf16 f16 nf4 q4_k_m; do
		case $t in
		q*) out=out.gguf ;;
		*)  out=out.safetensors ;;
		esac
		rm -f "$out"
		peak one peft-quantize -q -j "$threads" -t $t -o "$out" model
		while read -r s cpu mib; do
			printf '%-10s %-8s %8.2f %9.2f %10.1f\n' "$shape" $t "$s" "$cpu" "$mib"
		done <one
		rm -f "$out"
	done
	rm -rf model
done
