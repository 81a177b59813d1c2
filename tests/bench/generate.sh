#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generation and forward passes of the model as it came (Q4_1), beside
# llama.cpp in the same run: 1,024 tokens at once, one stream, sixteen, two
# threads against one, and sixteen records with adapters of their own.
# On a machine that others use too only what is told in seconds of the
# processor means something, and ratios of runs in turns.
# usage: generate.sh MODEL.gguf; PEERS=VENV with llama_cpp, THREADS=N
set -eu
model=$1 threads=${THREADS:-$(nproc)}
bytes=$(stat -Lc %s "$model")

tokens() { jq -nc "[range($1) | (. * 7919 + 17) % 49152] | {input_ids: ., labels: .}"; }
# what none of them ends before it has all its tokens
jq -nc '[range(16) | {prompt: "Write the numbers from \(7 * . + 1) to 500, one on each line, and a word about each.",
    max_tokens: 65, adapter: ["a", "b", "c"][. % 3]}][]' >own.jsonl
jq -c '.adapter = "a"' own.jsonl >same.jsonl
jq -c '.adapter = null' own.jsonl >none.jsonl

# gen THREADS WIDTH OUT RECORDS [COMPUTE]
gen() { peft-generate -v -m "$model" -j "$1" --width "$2" --compute "${5:-f32}" --jsonl "$4" -a a=a.safetensors -a b=b.safetensors -a c=c.safetensors 2>stat >"$3"; }
reading() { sed -n 's/.*shared, \([0-9]*\) a second.*/\1/p' stat; }
rate() { sed -n 's/.*tokens made, \([0-9]*\) a second.*/\1/p' stat; }

# three adapters of rank 8 on all linear layers, not zero
tokens 32 >few.tok
for s in a b c; do
	peft-train -q -f -m "$model" --set init_lora_weights=false --lr 1e-9 --steps 1 \
	    -s "$(printf %d "'$s")" -o $s.safetensors few.tok
done

echo 'products of stored weights with few tokens:'
few-bench
echo
echo 'reading prompts, and one stream (tokens a second, by the clock):'
printf '%-34s %10s %10s %8s\n' '' 'prompt' 'made' 'MB/token'
# a token reads all of the model: so much of what memory gives
share() { awk -v j="$1" -v b="$bytes" -v m="$(few-bench memory "$1")" '{
	printf "%-34s %10d %10d %8.1f  %.1f of %.1f GB/s, %.0f %%\n",
	    "peft-generate, threads " j, $2, $1, b / 1e6, $1 * b / 1e9, m,
	    $1 * b / 1e7 / m }' "ours.$1"; }
jq -nc '{prompt: ("word " * 1023), max_tokens: 1}' >long.jsonl
head -n 1 none.jsonl >one.jsonl
for j in 1 "$threads"; do
	gen "$j" 1 out long.jsonl bf16
	rounded=$(reading)
	gen "$j" 1 out long.jsonl
	read=$(reading)
	gen "$j" 1 out one.jsonl
	echo "$(rate) $read $rounded" >"ours.$j"
	share "$j"
	printf '%-34s %10d\n' "    the prompt with --compute bf16" "$rounded"
done
awk 'NR == 1 { a = $2 } NR == 2 { printf "prompts, %d threads against one: %.2f\n", n, $2 / a }' \
    n="$threads" ours.1 "ours.$threads"
if [ -x "${PEERS:-}/bin/python" ] && "$PEERS/bin/python" -c 'import llama_cpp' 2>/dev/null; then
	for j in 1 "$threads"; do
		"$PEERS/bin/python" "$TOP/tests/bench/llama_peer.py" "$model" "$j" >"theirs.$j" 2>/dev/null
		awk -v j="$j" '{ printf "%-34s %10d %10d\n", "llama.cpp, threads " j, $2, $1 }' "theirs.$j"
		paste -d' ' "ours.$j" "theirs.$j" | awk '{
		    printf "%-34s %10.2f %10.2f\n%-34s %10.2f\n", "    times llama.cpp",
			$2 / $5, $1 / $4, "    the same with bf16", $3 / $5 }'
	done
else
	echo '*** SKIPPED: llama.cpp (PEERS=VENV names where llama_cpp is)' >&2
fi
echo
# cpu WIDTH COMPUTE RECORDS: milliseconds of the processor for a step in which
# all records get a token: 33 tokens less 1, on one thread
cpu() {
	for n in 1 33; do
		jq -c ".max_tokens = $n" "$3.jsonl" >now.jsonl
		peak "took.$n" peft-generate -q -m "$model" -j 1 --width "$1" --compute "$2" \
		    -a a=a.safetensors -a b=b.safetensors -a c=c.safetensors --jsonl now.jsonl >out
	done
	cat took.1 took.33 | awk -v w="$1" 'NR == 1 { a = $2 } NR == 2 {
	    printf "%.2f\n", ($2 - a) / 32 * 1000 / (w == 1 ? 16 : 1) }'
}
# streams PATH COMPUTE: tokens a second by the clock, of one stream and of sixteen, on one
# thread and on two, in turns; medians, of ratios too.  A stream that ends early
# would leave fewer for the steps that are counted: it is refused.
streams() {
	: >turns
	while [ "$(wc -l <turns)" -lt 5 ]; do
		rates=
		for run in '1 1' '16 1' '1 2' '16 2'; do
			w=${run% *} j=${run#* }
			head -n "$w" none.jsonl >now.jsonl
			export PEFT_CPU="$1"
			gen "$j" "$w" out now.jsonl "$2"
			made=$(sed -n 's/.*: \([0-9]*\) tokens made.*/\1/p' stat)
			[ "$made" -eq $((65 * w)) ] || { echo "$w streams made $made tokens" >&2; exit 1; }
			rates="$rates $(rate)"
		done
		echo "$rates" >>turns
	done
	unset PEFT_CPU
	awk -v path="${1:-best path} $2" -v bytes="$bytes" -v memory="$(few-bench memory 1)" '
	function median(a, b, i, k, n, v, x) {	# of column a through b
		for (n = 0; n < NR; n++) {
			x = b ? at[n + 1, a] / at[n + 1, b] : at[n + 1, a]
			for (i = n; i > 0 && v[i] > x; i--)
				v[i + 1] = v[i]
			v[i + 1] = x
		}
		return v[int((NR + 1) / 2)]
	}
	{ for (k = 1; k <= 4; k++) at[NR, k] = $k }
	END {
		printf "%-17s one %.0f, sixteen %.0f: %.2f x; on two threads %.2f x, %.2f x as much\n", path,
		    median(1), median(2), median(2, 1), median(3, 1), median(4, 2)
		printf "%-17s weights read at %.1f, %.1f of %.1f GB/s\n", "",
		    median(1) * bytes / 1e9, median(2) / 16 * bytes / 1e9, memory
	}' turns
}
echo 'sixteen streams and one, 65 tokens each (tokens a second, by the clock):'
for path in '' avx512-bf16 avx2; do
	if PEFT_CPU=$path peft-generate -q -m "$model" -p a --max-tokens 1 >out 2>&1; then
		streams "$path" f32
		streams "$path" bf16
		streams "$path" int8
	fi
done
echo
echo 'sixteen records, one thread, milliseconds of the processor for a token each:'
one=$(cpu 1 f32 none)
for compute in f32 bf16 int8; do
	all=$(cpu 16 $compute none)
	awk -v a="$one" -v b="$all" -v c="$compute" 'BEGIN {
	    printf "%-34s %10.1f  %.1f x one stream (%.1f)\n", c, b, 16 * a / b, a }'
done
same=$(cpu 16 f32 same) own=$(cpu 16 f32 own)
awk -v s="$same" -v o="$own" 'BEGIN {
	printf "%-34s %10.1f\n%-34s %10.1f  %.0f %% of the speed of one\n",
	    "one adapter for all", s, "three adapters in turn", o, 100 * s / o }'
mkdir -p folder && cp a.safetensors folder/a.safetensors
{ head -n 1 same.jsonl; sleep 1; cp b.safetensors folder/b.safetensors; echo '{"control":"reload"}'; } |
    peft-generate -m "$model" -j 1 --jsonl --max-tokens 1 --adapters folder 2>&1 >out |
    sed -n 's/.*: \(adapters read again.*\)/\1 (one more loaded; switching costs nothing)/p'
