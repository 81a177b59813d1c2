#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PEFT's methods in the layout of the adapters library, and the other way: the
# same logits as the library's own (which bottleneck.t compares with it); there
# and back; and what is not the same arithmetic is refused by name.
. "$TOP/tests/lib.sh"
base=$TOP/tests/golden/methods/base
golden=$TOP/tests/golden/adapters
ids='[5,17,33,8,21,39,3,12]'
echo "{\"input_ids\":$ids,\"labels\":$ids}" >ids.tok
# the same tensors
same() { st-list "$1" | sort >one; st-list "$2" | sort >two; cmp one two; }
logits-tool "$base" <ids.tok >none || exit 1

for what in lora lora_all ia3 prefix prefix_flat; do
	rm -rf in back
	expect 0 '*' peft-merge -m "$base" -a "$golden/$what" --layout peft -o in/
	logits-tool "$base" "$golden/$what" <ids.tok >want || exit 1
	logits-tool "$base" in <ids.tok >ours || exit 1
	ok "$what: as PEFT's method, the same logits" floats_near want ours
	ok "$what: which are not the base's" sh -c '! cmp -s none ours'
	expect 0 '' peft-merge -q -m "$base" -a in --layout adapters -o back/
	logits-tool "$base" back <ids.tok >ours || exit 1
	ok "$what: and back" floats_near want ours
	case $what in lora*)
		ok "$what: bit by bit, under its name" same "$golden/$what/adapter.safetensors" back/adapter.safetensors
		# shellcheck disable=SC2016
		ok "$what: and its settings" jq -se 'map(.config | del(.init_weights)) | .[0] == .[1]' "$golden/$what/adapter_config.json" back/adapter_config.json ;;
	esac
done
ok 'prefixes: a second turn changes nothing but roundings' jq -e '.config.flat and .config.prefix_length == 3' back/adapter_config.json

# made NAME OPTION...: a PEFT adapter that was trained here, and the library's
made() {
	rm -rf made hub back
	peft-train -q -m "$base" "$@" --steps 3 --lr 0.1 -o made/ ids.tok || exit 1
	expect 0 '' peft-merge -q -m "$base" -a made --layout adapters -o hub/
	logits-tool "$base" made <ids.tok >want; logits-tool "$base" hub <ids.tok >ours
	ok "$*: the same logits" floats_near want ours
	expect 0 '' peft-merge -q -m "$base" -a hub --layout peft -o back/
	logits-tool "$base" back <ids.tok >ours
	ok "$*: and back" floats_near want ours
}
made --rank 3 --alpha 5 --target q_proj,v_proj
ok 'bit by bit' same made/adapter_model.safetensors back/adapter_model.safetensors
ok 'its settings' jq -e '.name == "default" and .config.architecture == "lora" and .config.r == 3 and .config.alpha == 5 and .config.attn_matrices == ["q","v"] and .config.leave_out == [] and (.config.output_lora or .config.intermediate_lora | not)' hub/adapter_config.json
made --rank 4 --alpha 6 --set use_rslora=true --target k_proj,down_proj --set 'layers_to_transform=[1]'
ok 'an alpha for its scale, a layer left out' jq -e '.config.alpha == 12 and .config.intermediate_lora and .config.leave_out == [0]' hub/adapter_config.json
made --method ia3
ok 'IA3 of the input of down_proj is that of the output of up_proj' jq -e '.config.composition_mode == "scale" and .config.output_lora and (.config.intermediate_lora | not) and .config.attn_matrices == ["k","v"]' hub/adapter_config.json
made --method prefix-tuning --set num_virtual_tokens=3
expect 0 '' peft-merge -q -m "$base" -a "$golden/seq_bn" --layout adapters -o bn/
ok 'one of its own is written as it is' same bn/adapter.safetensors "$golden/seq_bn/adapter.safetensors"
rm -rf made; peft-train -q -m "$base" --method ah-lora --steps 2 -o made/ ids.tok
expect 0 '' peft-merge -q -m "$base" -a made --layout kohya -o k.safetensors
logits-tool "$base" made <ids.tok >want; logits-tool "$base" k.safetensors <ids.tok >ours
ok 'one of its own in the layout of others' floats_near want ours

# refusals of PEFT's
cannot() {
	what=$1; shift
	rm -rf made
	peft-train -q -m "$base" "$@" --steps 1 -o made/ ids.tok || exit 1
	expect 3 "*made: $what" peft-merge -q -m "$base" -a made --layout adapters -o no/
}
cannot "model.layers.0.self_attn.o_proj has no place in the adapters library's LoRA: *" --target q_proj,o_proj
cannot 'layer 0 is adapted otherwise than others*' --target 'model\.layers\.0\.self_attn\.q_proj|model\.layers\.1\.self_attn\.[qv]_proj'
cannot 'use_dora has no place in the layout of adapters*' --set use_dora=true --target q_proj
cannot 'its modules differ in rank*' --target q_proj,v_proj --set 'rank_pattern={"v_proj":3}'
cannot "the adapters library has nothing like PROMPT_TUNING for decoders*" --method prompt-tuning --set num_virtual_tokens=2
cannot "the adapters library has nothing like LOHA for decoders*" --method loha
cannot '*k_proj: IA3 of its input (feedforward_modules) is that of no output*' --method ia3 --target k_proj --set 'feedforward_modules=["k_proj"]'
cannot '*up_proj has IA3 of its own and that of what follows*' --method ia3 --target up_proj,down_proj

# and of the library's
cannot_peft() { expect 3 "*$1: $2" peft-merge -q -m "$base" -a "$golden/$1" --layout peft -o no/; }
cannot_peft seq_bn 'PEFT has nothing like a bottleneck adapter*'
cannot_peft unipelt 'PEFT has nothing like a ah-union adapter*'
cannot_peft lora_gated 'PEFT has no gates (use_gating)'
cannot_peft prefix_gates 'PEFT has no gates (use_gating)'

# models without such adapters there, or without a rotation
of() { rm -rf m; mkdir m; zstd -dqc "$TOP/tests/golden/families/$1.tar.zst" | tar -C m -xf -; }
of qwen2
peft-train -q -f -m m/model --target q_proj --steps 1 -o made/ ids.tok
expect 3 '*has no such adapter for model_type "qwen2"*' peft-merge -q -m m/model -a made --layout adapters -o no/
of gptj
peft-train -q -f -m m/model --method prefix-tuning --set num_virtual_tokens=2 --steps 1 -o made/ ids.tok
expect 3 '*prefixes are not turned here for the rotation of this model' peft-merge -q -m m/model -a made --layout adapters -o no/
peft-train -q -f -m m/model --target q_proj,fc_in --steps 1 -o made/ ids.tok
expect 0 '' peft-merge -q -m m/model -a made --layout adapters -o gptj/
ok 'gptj: the first layer of the MLP is the intermediate one' jq -e '.config.intermediate_lora and (.config.output_lora | not)' gptj/adapter_config.json
expect 1 '*the layout of adapters is a folder: -o no.st/' peft-merge -q -m "$base" -a bn --layout adapters -o no.st
ok 'nothing is left' sh -c '[ ! -e no ]'
done_testing
