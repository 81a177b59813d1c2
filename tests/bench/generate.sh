#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generation and forward passes of the model as it came (Q4_1), beside
# llama.cpp in the same run: 1,024 tokens at once, one stream, sixteen, two
# threads against one, and sixteen records with adapters of their own.
# On a machine that others use too only what is told in seconds of the
# processor means something.
# usage: generate.sh MODEL.gguf; PEERS=VENV with llama_cpp, THREADS=N
set -eu
model=$1 threads=${THREADS:-$(nproc)}
bytes=$(stat -Lc %s "$model")

tokens() { jq -nc "[range($1) | (. * 7919 + 17) % 49152] | {input_ids: ., labels: .}"; }
jq -nc '[range(16) | {prompt: "Number \(.): a long story about the banks of country \(.)",
    max_tokens: 96, adapter: ["a", "b", "c"][. % 3]}][]' >own.jsonl
jq -c '.adapter = "a"' own.jsonl >same.jsonl
jq -c '.adapter = null' own.jsonl >none.jsonl

gen() { peft-generate -v -m "$model" -j "$1" --width "$2" --jsonl "$4" -a a=a.safetensors -a b=b.safetensors -a c=c.safetensors 2>stat >"$3"; }
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
	gen "$j" 1 out long.jsonl
	read=$(sed -n 's/.*shared, \([0-9]*\) a second.*/\1/p' stat)
	gen "$j" 1 out one.jsonl
	echo "$(rate) $read" >"ours.$j"
	share "$j"
done
awk 'NR == 1 { a = $2 } NR == 2 { printf "prompts, %d threads against one: %.2f\n", n, $2 / a }' \
    n="$threads" ours.1 "ours.$threads"
if [ -x "${PEERS:-}/bin/python" ] && "$PEERS/bin/python" -c 'import llama_cpp' 2>/dev/null; then
	for j in 1 "$threads"; do
		"$PEERS/bin/python" "$TOP/tests/bench/llama_peer.py" "$model" "$j" >"theirs.$j" 2>/dev/null
		awk -v j="$j" '{ printf "%-34s %10d %10d\n", "llama.cpp, threads " j, $2, $1 }' "theirs.$j"
		paste -d' ' "ours.$j" "theirs.$j" | awk '{ printf "%-34s %10.2f %10.2f\n",
		    "    times llama.cpp", $2 / $4, $1 / $3 }'
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
echo 'sixteen records, one thread, milliseconds of the processor for a token each:'
one=$(cpu 1 f32 none)
for compute in f32 bf16; do
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
