#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Other software reads what we write and computes the same: logits of every
# token, greedy answers; TAP.  PEERS= names a virtual environment with
# torch, transformers, peft, bitsandbytes, gguf and llama-cpp-python; what is
# not in it is skipped, and said so.  MODEL=SmolLM2.gguf
. "$TOP/tests/lib.sh"
. "$TOP/tests/model.sh"
skipped=
TRANSFORMERS_VERBOSITY=error TRANSFORMERS_NO_ADVISORY_WARNINGS=1
export TRANSFORMERS_VERBOSITY TRANSFORMERS_NO_ADVISORY_WARNINGS
# Where another program has a core, threads of torch spin for each other: what
# one does in seconds takes two of them minutes then.
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}; export OMP_NUM_THREADS

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
	skipped="$skipped
*** SKIPPED: $1: $2"
}

has() {
	[ -x "${PEERS:-}/bin/python" ] &&
	    "$PEERS/bin/python" -c "import $1" >/dev/null 2>&1
}

# theirs SCRIPT: each line it prints is a claim, "ok" or "bad" in front
theirs() {
	run "$PEERS/bin/python" "$TOP/tests/parity/$1"
	mv out said
	mv err said.err
	while read -r verdict what; do
		ok "$name: $what" [ "$verdict" = ok ]
	done <said
	ok "$name: $1 ran to its end" [ "$rc" -eq 0 ]
	[ "${failed:-0}" -eq 0 ] || sed 's/^/# /' said.err
}

# What we compute with MODEL [ADAPTER], kept as NAME.logits, NAME.answers.
ours() {
	who=base as=$1 m=$2
	logits-tool "$2" ${3+"$3"} <some.tok >"$1.logits" || exit 1
	[ $# -lt 3 ] || who=${3##*/}
	shift 2
	jq -c ". + {adapter: \"$who\"}" some.jsonl | peft-generate -q \
	    -m "$m" ${1+-a "$1"} --jsonl --max-tokens 16 |
	    jq -c .text >"$as.answers" || exit 1
}

# make_all MODEL CHATS: all that is to be read, and what we make of it
make_all() {
	tail -n 4 "$2" >some.jsonl
	peft-tokenize -q -m "$1" some.jsonl | grep -v '^{"peft"' >some.tok
	head -n 16 "$2" | peft-tokenize -q -m "$1" >train.tok
	peft-quantize -q -t f32 -o f32/ "$1"
	for t in bf16 nf4 int8 fp8; do peft-quantize -q -t "$t" -o "$t/" f32; done
	peft-quantize -q -t nf4 --double-quant -o nf4dq/ f32
	peft-quantize -q -t bf16 -o fp8-bf16/ fp8
	for t in f32 f16 q8_0 q4_k; do
		peft-quantize -q -t "$t" -o "$t.gguf" f32
	done
	peft-quantize -q -t f32 -o values.gguf q4_k.gguf
	for t in gguf dat; do
		peft-eval -q -m f32 --summary --imatrix "imatrix.$t" \
		    some.tok >imatrix.out || exit 1
	done
	for m in f32 nf4; do
		peft-train -q -m "$m" --lr 2e-3 --batch 4 --rank 8 \
		    -o "lora-$m/" train.tok
		ours "lora-$m" "$m" "lora-$m"
	done
	peft-merge -q -m f32 -a lora-f32 -o merged/
	for m in f32 bf16 nf4 nf4dq int8 fp8-bf16 merged f32.gguf f16.gguf q8_0.gguf; do
		ours "$m" "$m"
	done
}

compare() {
	name=$1
	mkdir "$scratch/$name" && cd "$name" || exit 1
	make_all "$2" "$3"
	if has torch && has transformers && has peft; then
		theirs load.py
	else
		skip "$name in transformers and PEFT" "not in PEERS=${PEERS:-}"
	fi
	if has llama_cpp; then
		theirs llamacpp.py
		theirs imatrix.py
	else
		skip "$name in llama.cpp" "no llama-cpp-python in PEERS=${PEERS:-}"
	fi
	cd "$scratch" && rm -rf "${scratch:?}/$name"
}

compare tiny "$TOP/tests/golden/tiny/model" "$TOP/tests/golden/tiny/chats.jsonl"
if [ -f "$model" ]; then
	compare SmolLM2 "$model" "$TOP/examples/banking/test.jsonl"
else
	skip SmolLM2 "no $model (MODEL= names it)"
fi
[ -z "$skipped" ] || echo "$skipped" >&2
done_testing
