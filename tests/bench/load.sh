#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Loading vocabularies: load.sh NAME...  What peft-tokenize takes for one short
# text, the whole program, the best of seven; of NAME.json, and of what
# vocab-tool makes of it as GGUF.
set -eu
best() {
	i=0 least=
	while [ $i -lt 7 ]; do
		begin=$(date +%s%N)
		peft-tokenize -q -m "$1" --supervise text one.jsonl >/dev/null
		took=$((($(date +%s%N) - begin) / 10000))
		[ -n "$least" ] && [ "$least" -le "$took" ] || least=$took
		i=$((i + 1))
	done
	awk -v n="$2" -v k="$3" -v t="$least" 'BEGIN {
		printf "%-24s %8s %7.3f s\n", n, k, t / 100000 }'
}

echo '{"text":"a"}' >one.jsonl
echo '{}' >load-config.json
echo 'loading, the whole program, by all threads:'
for name; do
	[ -f "$name.json" ] || continue
	mkdir -p "load-$name"
	cp "$name.json" "load-$name/tokenizer.json"
	best "load-$name" "$name" json
	if vocab-tool "$name.json" load-config.json 300000 >"$name.gguf" \
	    2>/dev/null; then
		best "$name.gguf" "$name" gguf
	fi
done
