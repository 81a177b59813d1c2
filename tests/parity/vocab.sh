#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# llama.cpp reads the vocabularies that tests read, and those that we write,
# to the same ids; TAP.  PEERS= names a virtual environment with
# llama-cpp-python.
. "$TOP/tests/lib.sh"
"${PEERS:-}/bin/python" -c 'import llama_cpp' 2>/dev/null ||
    { echo "1..0 # SKIP no llama-cpp-python in PEERS=${PEERS:-}"; exit 0; }
for f in "$TOP"/tests/golden/spm/*.gguf.zst "$TOP"/tests/golden/pre/*.gguf.zst; do
	name=$(basename "$f" .gguf.zst)
	zstd -dqc "$f" >"$name.gguf"
	zstd -dqc "${f%.gguf.zst}.jsonl.zst" >texts
	# its architecture is one that nobody knows, and need not be known here
	[ "$name" != gemma4 ] || perl -0777 -pi -e \
	    's/\x0c\0{7}nobody-knows/\x09\0\0\0\0\0\0\0command-r/' gemma4.gguf
	ok "$name" "$PEERS/bin/python" "$TOP/tests/parity/vocab.py" "$name.gguf" texts
	[ "$name" != gemma4 ] || continue	# which is not written
	side-tool "$name.gguf" tokenizer.json >tok.json
	side-tool "$name.gguf" tokenizer_config.json >config.json
	mkdir -p ours; vocab-tool tok.json config.json 720 >"ours/$name.gguf"
	ok "$name, as we write it" "$PEERS/bin/python" "$TOP/tests/parity/vocab.py" "ours/$name.gguf" texts
done
# tiktoken's ranks of a llama
mkdir d
cp "$TOP/tests/golden/tiktoken/ranks" d/tokenizer.model
echo '{"model_type":"llama"}' >d/config.json
side-tool d tokenizer.json >tok.json
side-tool d tokenizer_config.json >config.json
vocab-tool tok.json config.json 920 >llama3.gguf
zstd -dqc "$TOP/tests/golden/tiktoken/llama3.jsonl.zst" >texts
ok 'ranks of Llama 3, as we write them' "$PEERS/bin/python" "$TOP/tests/parity/vocab.py" llama3.gguf texts
done_testing
