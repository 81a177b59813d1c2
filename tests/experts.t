#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# LoRA on the parameters of experts (target_parameters), as PEFT computed it
# (parity/experts_golden.py) over the models of golden/families: logits, loss,
# gradients, a cache; merged, in folders and over a GGUF; trained from nothing
# and loaded again; and the refusals.
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden
printf '{"input_ids":[5,6,7,8,9,10],"labels":[-100,6,7,8,9,10]}\n' >tokens

# train DIR ARG ...: an adapter of three steps over its model
train() {
	d=$1; shift
	run peft-train -q -m "$d/model" --rank 2 --steps 3 --lr 1e-2 -f \
	    -o "$d/ours" "$@" tokens
}
refuse() { expect 2 "peft-train: $1" peft-train -q -m mixtral/model \
    --target q_proj --set "$2" -o never tokens; }

for pack in "$golden"/experts/*.tar.zst; do
	name=$(basename "$pack" .tar.zst)
	mkdir "$name"
	zstd -dqc "$golden/families/$name.tar.zst" | tar -C "$name" -xf -
	zstd -dqc "$pack" | tar -C "$name" -xf -
	unit model-unit "$name"
	run peft-merge -q -m "$name/model" -a "$name/adapter" -t f32 \
	    -o "$name/merged/"
	run model-unit "$name" "$name/merged" adapter_logits
	ok "$name: merged" [ "$rc" -eq 0 ]
	[ -f "$name/model.gguf" ] || continue
	run peft-merge -q -m "$name/model.gguf" -a "$name/adapter" -t f32 \
	    -o "$name/more/"
	run model-unit "$name" "$name/more" adapter_logits
	ok "$name: merged into a GGUF's weights" [ "$rc" -eq 0 ]
done

both='target_parameters=["experts.gate_up_proj","experts.down_proj"]'
train mixtral --set target_modules=[] --set "$both"
ok 'trained' [ "$rc" -eq 0 ]
run st-list mixtral/ours/adapter_model.safetensors
ok 'the inner parameter' grep -q \
    'layers.0.mlp.experts.base_layer.lora_A.weight F32 8x32 ' out
ok 'the outer one' grep -q \
    'layers.1.mlp.experts.lora_B.weight F32 32x8 ' out
run peft-eval -q -m mixtral/model -a mixtral/ours tokens
sed -n 's/.*"summary".*"ours".*"loss":\([0-9.]\{7\}\).*/\1/p' out >first
run peft-merge -q -m mixtral/model -a mixtral/ours -t f32 -o mixtral/as/
run peft-eval -q -m mixtral/as tokens
sed -n 's/.*"summary".*"loss":\([0-9.]\{7\}\).*/\1/p' out >second
ok 'a loss' grep -q '^[0-9]' first
ok 'merged, the loss is the same' cmp first second
cp -r mixtral/ours mixtral/were
train mixtral --set target_modules=[] --set "$both" -j 2
ok 'the same bytes on other threads' cmp mixtral/ours/adapter_model.safetensors \
    mixtral/were/adapter_model.safetensors
train mixtral --set target_modules=[] --set 'target_parameters=["gate_up_proj","down_proj",
    "layers.1.mlp.experts.down_proj"]'
run peft-eval -q -m mixtral/model -a mixtral/ours tokens
sed -n 's/.*"summary".*"ours".*"loss":\([0-9.]\{7\}\).*/\1/p' out >third
ok 'one that two entries name is one' cmp first third
train mixtral --set target_modules=[] --set "$both" --compute bf16
ok 'trained in bf16' [ "$rc" -eq 0 ]
run peft-quantize -q -t nf4 -o nf4.safetensors mixtral/model
run peft-train -q -m nf4.safetensors --set target_modules=[] --set "$both" \
    --steps 2 -o over-nf4 tokens
ok 'trained over NF4' [ "$rc" -eq 0 ]

refuse 'target_parameters is no list of names' 'target_parameters="x"'
refuse 'target_parameters is no list of names' 'target_parameters=[1]'
refuse "target_parameters: 'nix' matches no parameter of *" \
    'target_parameters=["nix"]'
refuse "target_parameters: 'q_proj.weight' is of a module that target_mod*" \
    'target_parameters=["q_proj.weight"]'
refuse "target_parameters: 'norm.weight' is neither of experts nor a linear*" \
    'target_parameters=["norm.weight"]'
expect 2 'peft-train: *target_parameters excludes lora_dropout, *' \
    peft-train -q -m mixtral/model --target q_proj --dropout 0.1 \
    --set "$both" -o never tokens
expect 2 'peft-train: *init_lora_weights: the experts of *' \
    peft-train -q -m mixtral/model --target q_proj \
    --set init_lora_weights=pissa --set "$both" -o never tokens
expect 2 'peft-train: target_modules: * matches no module of this model' \
    peft-train -q -m mixtral/model --target 'model.*experts.gate_up_proj' \
    -o never tokens
ok 'nothing is left' [ ! -e never ]

done_testing
