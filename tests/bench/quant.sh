#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How fast weights are quantised and expanded, against memory and against
# bitsandbytes and ggml on the same cores; what products reach from each type
# of what they do from bf16; then whole models of real sizes,
# their peak memory, and as fractions of the disk what is converted and what
# is expanded.
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
# seconds LIST COMMAND ...: how long it took, appended to LIST
seconds() {
	list=$1; shift
	peak one "$@" >/dev/null 2>&1
	cut -d ' ' -f 1 one >>"$list"
}
# whole SHAPE IN FILE TYPE OUT: IN, whose bytes are in FILE, made TYPE, and how
# that compares with a plain read of FILE and a plain write of as many bytes as
# come out, read again; in turns, by one thread and by all
whole() {
	for j in 1 $([ "$threads" = 1 ] || echo "$threads"); do
		rm -f ours_s plain_s
		for i in 1 2 3 4 5; do
			rm -rf "$5" plain
			seconds ours_s peft-quantize -q -j "$j" -t "$4" -o "$5" "$2"
			kib=$(du -sk "$5" | cut -f 1)
			rm -rf "$5"
			seconds plain_s sh -c "dd if=f32/model.safetensors of=plain \
			    bs=1024k count=$((kib / 1024)) conv=fsync && cat plain $3"
		done
		paste -d ' ' plain_s ours_s | awk -v what="$1 $2 to $4, $5" -v j="$j" '
		{
			for (i = NR; i > 1 && r[i - 1] > $1 / $2; i--)
				r[i] = r[i - 1]
			r[i] = $1 / $2
			ours = NR == 1 || $2 < ours ? $2 : ours
			plain = NR == 1 || $1 < plain ? $1 : plain
		}
		END {
			printf "%-44s -j %d %6.2f s, plain %6.2f s: %.2f of the disk, median %.2f\n", what, j, ours, plain, plain / ours, r[int((NR + 1) / 2)]
		}'
	done
	rm -f plain
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
	for out in out/ out.safetensors out.gguf; do
		whole "$shape" f32 f32/model.safetensors bf16 "$out"
	done
	peft-quantize -q -t nf4 --double-quant -o nf4/ model
	whole "$shape" nf4 nf4/model.safetensors bf16 out/
	rm -rf nf4
	peft-quantize -q -t q4_k_m -o q4.gguf model
	whole "$shape" q4.gguf q4.gguf f32 out/
	whole "$shape" q4.gguf q4.gguf bf16 out.gguf
	peft-quantize -q -t q8_0 -o q8.gguf model
	whole "$shape" q8.gguf q8.gguf f16 out.gguf
	rm -rf f32 model q4.gguf q8.gguf
done
