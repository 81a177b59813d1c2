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
	# whole numbers are of the first table
	while read -r who how what rate; do
		awk -v who="$who" -v how="$how" -v what="$what" \
		    -v theirs="$rate" '$1 == how && $2 == what && \
		    (NF > 3) == (theirs !~ /[.]/) { printf "%-8s %-8s %7.1f M/s, %s %7.1f: x %.2f\n", how, what, $3, who, theirs, $3 / theirs }' ours
	done <theirs
else
	echo "*** SKIPPED: bitsandbytes and ggml (PEERS=VENV names where they are)" >&2
fi
echo
printf '%-10s %-8s %8s %9s %10s\n' '' '' seconds 'CPU s' 'peak MiB'
# whole SHAPE OUT: the model in f32 made bf16, and how that compares with a
# plain read of it and a plain write of as many bytes, read again; in turns
whole() {
	i=0 ours_s=1e9 plain_s=1e9
	from=f32/model.safetensors
	while [ "$i" -lt 5 ]; do
		rm -rf "$2" plain
		peak one peft-quantize -q -j "$threads" -t bf16 -o "$2" f32
		read -r s cpu mib <one
		ours_s=$(echo "$s $ours_s" | awk '{ print $1 < $2 ? $1 : $2 }')
		kib=$(du -sk "$2" | cut -f 1)
		rm -rf "$2"
		peak one sh -c "dd if=$from of=plain bs=1024k \
		    count=$((kib / 1024)) conv=fsync && cat plain $from" \
		    >/dev/null 2>&1
		read -r s cpu mib <one
		plain_s=$(echo "$s $plain_s" | awk '{ print $1 < $2 ? $1 : $2 }')
		i=$((i + 1))
	done
	rm -f plain
	echo "$1 f32 $2 $ours_s $plain_s" | awk '{ printf "%-10s f32 to bf16, %-16s %6.2f s, plain reads and writes %6.2f s: %.2f of the disk\n", $1, $3, $4, $5, $5 / $4 }'
}
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
	peft-quantize -q -t f32 -o f32/ model
	rm -rf model
	whole "$shape" out.safetensors
	whole "$shape" out.gguf
	rm -rf f32
done
