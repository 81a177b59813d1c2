#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# AdaLoRA goes on from a checkpoint with the importances that it had: stopped
# before the ranks are given out, while they are, and behind that.
. "$TOP/tests/lib.sh"

base=$TOP/tests/golden/methods/base
tokens=$TOP/tests/golden/losses/tokens

train() { ${EXEC-} peft-train -q -m "$base" --method adalora --target q_proj,v_proj \
    --set total_step=3000 --set tinit=250 --set tfinal=1000 --set deltaT=7 \
    --set init_r=4 --set target_r=2 --lr 1e-2 --batch 2 --steps 3000 \
    --no-shuffle "$@" "$tokens"; }

run train -o whole
ok 'trained' [ "$rc" -eq 0 ]
ok 'ranks were given out' grep -q 'false' whole/adapter_config.json
for step in 150 1100 2250; do
	rm -rf part ckpt
	EXEC='exec' train -o part --save-every "$step" --checkpoint ckpt & pid=$!
	while kill -0 $pid 2>/dev/null && [ ! -s ckpt ]; do :; done
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	if [ ! -e ckpt ]; then
		skip "step $step" 'it was done before it could be stopped'
		continue
	fi
	rm -rf part
	run train -o part --checkpoint ckpt --resume
	ok "step $step: gone on" [ "$rc" -eq 0 ]
	ok "step $step: the same bytes" cmp whole/adapter_model.safetensors \
	    part/adapter_model.safetensors
	ok "step $step: the same ranks" cmp whole/adapter_config.json \
	    part/adapter_config.json
done

# a module of which no rank is left
merge-tool fresh "$TOP/tests/golden/llama/model" '{"peft_type":"ADALORA",
    "init_r":2,"target_r":1,"total_step":10,"target_modules":["up_proj"],
    "rank_pattern":{"model.layers.1.mlp.up_proj.lora_E":[false,false]}}' none
echo "{\"input_ids\":[$(seq -s, 5 34)],\"labels\":[$(seq -s, 5 34)]}" >t.jsonl
run timeout -s KILL 60 peft-train -q -m "$TOP/tests/golden/llama/model" \
    --init none --steps 2 -o more/ t.jsonl
ok 'ranks of 0 are nothing' [ "$rc" -eq 0 ]

done_testing
