#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Classifiers: PEFT's AutoPeftModelFor... loads the adapter, transformers the
# merged model, and both tell what we tell; llama.cpp loads a LoRA file and
# computes our logits.  PEERS: a virtual environment with them.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
here=$TOP/tests/parity
python=${PEERS:+$PEERS/bin/}python3

# The most likely class of each line of logits, and its probability.
best() {
	jq -c '(max) as $m | (map(. - $m | exp) | add) as $s |
	    [(index($m)), (1 / $s * 1e4 | round)]'
}

if "$python" -c 'import peft, transformers' 2>/dev/null; then
	jq -c '{text: .messages[1].content, label: .messages[2].content}' \
	    chats.jsonl >in.jsonl
	peft-tokenize -q -m base in.jsonl | grep -v '^{"peft"' >in.tok
	peft-train -q -m base --lr 1e-2 --epochs 4 -o router/ \
	    --set base_model_name_or_path=base in.tok
	peft-merge -q -m base -a router -o merged/
	jq -c .input_ids in.tok >ids
	run "$python" -W ignore "$here/heads.py" load base router ids merged
	grep '^\[' out | best >theirs
	peft-eval -q -m base -a router --predict in.tok >told
	names=$(jq -c '[.id2label | to_entries | sort_by(.key | tonumber)[] |
	    .value]' merged/config.json)
	jq -c --argjson n "$names" '.label as $l | [($n | index($l)),
	    (.probability * 1e4 | round)]' told >ours
	n=$(wc -l <ours)
	head -n "$n" theirs >adapter.theirs
	tail -n +"$((n + 1))" theirs >merged.theirs
	ok 'PEFT tells the same of the adapter' cmp adapter.theirs ours
	ok 'transformers of the merged model' cmp merged.theirs ours
else
	skip 'PEFT loads a classifier' 'no PEFT: PEERS names an environment'
fi

if "$python" -c 'import llama_cpp' 2>/dev/null; then
	peft-quantize -q -t f32 -o base32.gguf base
	peft-merge -q -m base -a adapter --as-lora auto -o lora.gguf
	echo '[1,85,91,311,71,79,201,59]' >ids.json
	jq -c '{input_ids: ., labels: .}' ids.json |
	    logits-tool base adapter >ours.f32
	run "$python" -W ignore "$here/llamacpp_lora.py" base32.gguf \
	    lora.gguf ids.json ours.f32
	ok "llama.cpp's logits: $(cat out)" [ "$rc" -eq 0 ]
else
	skip 'llama.cpp loads a LoRA' 'no llama_cpp: PEERS names an environment'
fi
done_testing
