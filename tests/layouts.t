#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters in the layouts of other tools: files that these made, with the
# logits of their own models (parity/layouts.py made both); there and back;
# every program takes them; what is hostile is refused by name.
. "$TOP/tests/lib.sh"
golden=$TOP/tests/golden/layouts
cp -r "$TOP/tests/golden/llama/model" base
cp -r "$TOP/tests/golden/llama/adapter" lora
chmod -R u+w base lora
ids='[1,85,91,311,71,79,201,48]'
echo "{\"input_ids\":$ids,\"labels\":$ids}" >ids.tok

# of WHAT: where the golden of that name is
of() { if [ -d "$golden/$1/adapter" ]; then echo "$golden/$1/adapter"; else echo "$golden/$1/adapter.safetensors"; fi; }

for what in kohya kohya-dora kohya-loha kohya-lokr kohya-lokrboth kohya-lokrfull diffusers diffusers-old mlx mlx-dora torchtune torchtune-dora; do
	layout=${what%-*} from=$(of $what)
	logits-tool base "$from" <ids.tok >ours || exit 1
	ok "$what: the logits of its own model" floats_near "$golden/$what/logits" ours
	expect 0 "*: $from is read in the layout of $layout*" peft-merge -f -m base -a "$from" --layout peft -o in/
	out=put.safetensors; case $layout in mlx|torchtune) out=put/;; esac
	rm -rf put put.safetensors back
	expect 0 '*' peft-merge -q -m base -a in --layout $layout -o $out
	expect 0 '*' peft-merge -q -m base -a $out --layout peft -o back/
	ok "$what: there and back, bit by bit" cmp in/adapter_model.safetensors back/adapter_model.safetensors
	ok "$what: and the config" cmp in/adapter_config.json back/adapter_config.json
	logits-tool base $out <ids.tok >ours || exit 1
	ok "$what: written here, the same logits" floats_near "$golden/$what/logits" ours
	run peft-inspect --json "$from"
	case $what in
	*-lo*)	ok "$what: peft-inspect tells whose it is" jq -se "first | .holds == \"adapter\" and .layout == \"kohya\" and (.modules | length == 0)" out
		continue ;;
	esac
	ok "$what: peft-inspect tells whose it is" jq -se "first | .holds == \"adapter\" and .layout == \"$layout\" and (.modules | length > 0) and all(.modules[]; .scale == 2.5 or (\"$what\" == \"diffusers-old\" and .scale == 1))" out
done
logits-tool base <ids.tok >none
ok 'the base alone has others' sh -c '! cmp -s none ours'

# one LoRA, in all of them
for out in peft/ l.gguf kohya.safetensors diffusers.safetensors mlx/ torchtune/; do
	layout=${out%%[./]*}; [ $out != l.gguf ] || layout=gguf
	expect 0 '*' peft-merge -q -m base -a lora --layout $layout -o $out
	rm -rf back
	expect 0 '*' peft-merge -q -m base -a "${out%/}" --layout peft -o back/
	ok "$out: bit by bit" cmp peft/adapter_model.safetensors back/adapter_model.safetensors
done
ok 'mlx: keys within the layer, for all layers' jq -e '.num_layers == 3 and .fine_tune_type == "lora" and .lora_parameters.scale == 2 and .lora_parameters.rank == 4 and (.lora_parameters.keys | index("self_attn.q_proj") != null and length == 7)' mlx/adapter_config.json
ok 'torchtune: its names' jq -e '.r == 4 and .lora_alpha == 8 and (.target_modules | sort == ["k_proj","output_proj","q_proj","v_proj","w1","w2","w3"])' torchtune/adapter_config.json
ok 'kohya: what sd-scripts says of itself' grep -aq '"ss_network_alpha":"8".*"ss_network_dim":"4"\|"ss_network_dim":"4".*"ss_network_alpha":"8"' kohya.safetensors
ok 'kohya: alpha is a tensor of no dimensions' sh -c 'st-list kohya.safetensors | grep -q "^lora_te_model_layers_0_self_attn_q_proj.alpha F32  "'
cat >one.json <<'X'
{"peft_type":"LORA","r":3,"lora_alpha":1,"target_modules":["model.layers.0.self_attn.q_proj","model.layers.1.mlp.up_proj"]}
X
expect 0 '*' peft-train -q -m base -c one.json --steps 1 --lr 0.1 -o one/ ids.tok
for out in mlx1/ k1.safetensors; do
	layout=kohya; [ $out != mlx1/ ] || layout=mlx
	expect 0 '*' peft-merge -q -m base -a one --layout $layout -o $out
	rm -rf back; peft-merge -q -m base -a "${out%/}" --layout peft -o back/
	ok "$out: of some layers" cmp one/adapter_model.safetensors back/adapter_model.safetensors || st-list one/adapter_model.safetensors
done
ok 'mlx: whole paths where layers differ' jq -e '.lora_parameters.keys == ["model.layers.0.self_attn.q_proj","model.layers.1.mlp.up_proj"]' mlx1/adapter_config.json
ok 'a third is a third again' jq -e '.lora_alpha == 1' back/adapter_config.json

# every program takes them
loss() { jq -e .summary.loss; }
want=$(peft-eval -q -m base -a lora --no-base --summary ids.tok | loss)
for a in l.gguf kohya.safetensors diffusers.safetensors mlx torchtune; do
	expect 0 "*adapter * is read in the layout of *" peft-eval -m base -a "x=$a" --no-base --summary -o r.jsonl -f ids.tok
	ok "peft-eval: $a" jq -e --argjson w "$want" 'select(.summary) | (.summary.loss - $w) | fabs < 1e-6' r.jsonl
	expect 0 '' peft-train -q -f -m base --init "$a" --steps 1 --lr 1e-9 -o went/ ids.tok
	ok "peft-train goes on from $a" jq -e '.peft_type == "LORA" and .r == 4' went/adapter_config.json
	expect 0 '' peft-train -q -f -m base --frozen "$a" --steps 1 -o went/ ids.tok
done
expect 0 '*--frozen: it is read in the layout of kohya*' peft-train -f -m base --frozen kohya.safetensors --steps 1 -o went/ ids.tok
expect 0 '*--init: it is read in the layout of mlx, and written as PEFT does*' peft-train -f -m base --init mlx --steps 1 -o went/ ids.tok
cp -r "$TOP/tests/golden/tiny/model" tiny
expect 0 '' peft-train -q -m tiny --steps 1 -o t/ ids.tok
peft-merge -q -m tiny -a t --layout mlx -o t.mlx/
peft-generate -q -m tiny -a t -p 'ask' --max-tokens 5 >want
expect 0 '*adapter t.mlx is read in the layout of mlx' peft-generate -m tiny -a t.mlx -p 'ask' --max-tokens 5
ok 'peft-generate: the same words' cmp out want
peft-merge -q -m base -a l.gguf -o m1/; peft-merge -q -m base -a torchtune -o m2/
ok 'merged, the same' cmp m1/model.safetensors m2/model.safetensors
expect 0 '*LoRA of rank 4 on 21 weights*' peft-merge -m base -a mlx --as-lora 4 --layout kohya -o as.safetensors
expect 0 '*LoRA of rank 8 on 21 weights, exactly' peft-merge -m base -a mlx=0.5 -a l.gguf=0.5 --as-lora exact --layout torchtune -o both/
logits-tool base both <ids.tok >both.f; logits-tool base lora <ids.tok >lora.f
ok 'halves of two layouts make the whole' floats_near lora.f both.f

# safetensors FILE JSON BYTES: with zeros
safetensors() {
	n=$(printf %s "$2" | wc -c)
	{ printf "\\$(printf %03o $((n % 256)))\\$(printf %03o $((n / 256)))\\0\\0\\0\\0\\0\\0%s" "$2"
	  head -c "$3" /dev/zero; } >"$1"
}
# t NAME SHAPE FROM TO: a tensor
t() { printf '"%s":{"dtype":"F32","shape":[%s],"data_offsets":[%s,%s]}' "$@"; }
q=lora_te_model_layers_0_self_attn_q_proj
pair="$(t $q.lora_down.weight 2,64 0 512),$(t $q.lora_up.weight 64,2 512 1024)"
# bad RC 'what it says' HEADER BYTES
bad() {
	safetensors x.safetensors "{$3}" "$4"
	expect "$1" "*x.safetensors: $2" peft-merge -q -f -m base -a x.safetensors -o no/
}
expect 0 '' safetensors x.safetensors "{$pair,$(t $q.alpha '' 1024 1028)}" 1028
expect 3 '*the adapters add nothing*' peft-merge -q -m base -a x.safetensors -o no/
bad 3 "$q has no $q.alpha, and the file no ss_network_alpha: its scale is not known" "$pair" 1024
safetensors x.safetensors "{\"__metadata__\":{\"ss_network_alpha\":\"2.0\"},$pair}" 1024
expect 3 '*the adapters add nothing*' peft-merge -q -m base -a x.safetensors -o no/
bad 2 'ss_network_alpha "2x" is no number' "\"__metadata__\":{\"ss_network_alpha\":\"2x\"},$pair" 1024
bad 3 "tensor $q.alpha is not one number" "$pair,$(t $q.alpha 2 1024 1032)" 1032
bad 3 "$q has no $q.lora_up.weight" "$(t $q.lora_down.weight 2,64 0 512)" 512
bad 3 "$q has no $q.lora_down.weight" "$(t $q.lora_up.weight 64,2 0 512)" 512
bad 3 "$q.lora_down.weight is of rank 2, $q.lora_up.weight of rank 3" "$(t $q.lora_down.weight 2,64 0 512),$(t $q.lora_up.weight 64,3 512 1280)" 1280
bad 3 "tensor $q.lora_down.weight is of 4 dimensions, not 2: *" "$(t $q.lora_down.weight 2,64,1,1 0 512),$(t $q.lora_up.weight 64,2 512 1024)" 1024
bad 3 "$q is for 64 x 32, model.layers.0.self_attn.q_proj is 64 x 64" "$(t $q.lora_down.weight 2,32 0 256),$(t $q.lora_up.weight 64,2 256 768),$(t $q.alpha '' 768 772)" 772
bad 3 "tensor $q.lora_mid.weight is no part of a LoRA in the layout of kohya" "$pair,$(t $q.lora_mid.weight 2,2 1024 1040)" 1040
# LoHa and LoKr
w() { safetensors x.safetensors "{$1}" "$2"; }
a="$(t $q.hada_w1_a 64,2 0 512),$(t $q.hada_w1_b 2,64 512 1024),$(t $q.hada_w2_a 64,2 1024 1536)"
bad 3 "$q has no $q.hada_w2_b" "$a" 1536
bad 3 "$q: the two products differ in shape or rank" "$a,$(t $q.hada_w2_b 2,32 1536 1792),$(t $q.alpha '' 1792 1796)" 1796
bad 3 "$q.hada_w2_a is of rank 2, $q.hada_w2_b of rank 3" "$a,$(t $q.hada_w2_b 3,64 1536 2304)" 2304
bad 3 "$q has no $q.alpha, and the file no ss_network_alpha*" "$a,$(t $q.hada_w2_b 2,64 1536 2048)" 2048
bad 3 "tensor $q.hada_t1 is no part of a LOHA in the layout of kohya" "$a,$(t $q.hada_w2_b 2,64 1536 2048),$(t $q.hada_t1 2,2 2048 2064)" 2064
bad 3 "tensor $q.dora_scale is no part of a LOHA in the layout of kohya" "$a,$(t $q.hada_w2_b 2,64 1536 2048),$(t $q.dora_scale 64,1 2048 2304)" 2304
bad 3 "tensor $q.hada_w1_a is no matrix*" "$(t $q.hada_w1_a 64,2,1,1 0 512),$(t $q.hada_w1_b 2,64 512 1024)" 1024
v=lora_te_model_layers_0_self_attn_k_proj
bad 3 "tensor $q.hada_w1_a is no part of a LoRA in the layout of kohya" "$a,$(t $q.hada_w2_b 2,64 1536 2048),$(t $v.lora_up.weight 32,2 2048 2304)" 2304
a="$(t $q.lokr_w1 8,8 0 256),$(t $q.alpha '' 256 260)"
bad 3 "$q has no $q.lokr_w2_a" "$a" 260
n=${q}x
bad 3 "tensor $n.lokr_w1_a fits no linear layer of this model" "$(t $n.lokr_w1_a 8,2 0 64),$(t $n.lokr_w1_b 2,8 64 128),$(t $n.lokr_w2 8,8 128 384),$(t $n.alpha '' 384 388)" 388
bad 3 "$q has both lokr_w2 and halves of it" "$a,$(t $q.lokr_w2 8,8 260 516),$(t $q.lokr_w2_a 8,2 516 580)" 580
bad 3 "$q is for 64 x 128, model.layers.0.self_attn.q_proj is 64 x 64" "$a,$(t $q.lokr_w2 8,16 260 772)" 772
a="$(t $q.lokr_w1 8,4 0 128),$(t $q.alpha '' 128 132)"
bad 3 "no decompose_factor of PEFT's LOKR divides its modules as this file does ($q, ...)" "$a,$(t $q.lokr_w2 8,16 132 644)" 644
a="$(t $q.lokr_w1 8,8 0 256),$(t $q.alpha '' 256 260)"
bad 3 "no settings of PEFT's LOKR give $q and the others their tensors of these shapes" "$a,$(t $q.lokr_w2_a 8,6 260 452),$(t $q.lokr_w2_b 6,8 452 644)" 644
w "$a,$(t $q.lokr_w2 8,8 260 516)" 516
expect 3 '*the adapters add nothing*' peft-merge -q -m base -a x.safetensors -o no/
peft-train -q -m base --method lokr --set decompose_both=true --set decompose_factor=16 --rank 4 --target q_proj --steps 1 -o odd/ ids.tok
expect 3 '*odd: model.layers.0.self_attn.q_proj: its first factor is 16 x 16, its second 4 x 4 (decompose_factor): LyCORIS has none whose first is larger' peft-merge -q -m base -a odd --layout kohya -o no.safetensors
peft-train -q -m base --method lokr --alpha 4 --set 'alpha_pattern={"v_proj":3}' --target q_proj,v_proj --steps 2 --lr 0.1 -o lokr/ ids.tok
expect 0 '' peft-merge -q -m base -a lokr --layout kohya -o lokr.safetensors
logits-tool base lokr <ids.tok >want; logits-tool base lokr.safetensors <ids.tok >ours
ok 'whole factors: the scale is in one of them' floats_near want ours
ok 'kohya: what LyCORIS says of itself' grep -aq '"ss_network_module":"lycoris.kohya"' lokr.safetensors

u=lora_unet_down_blocks_0_proj_in
bad 3 "$u is a part of an image model*" "$(t $u.lora_down.weight 2,64 0 512),$(t $u.lora_up.weight 64,2 512 1024),$(t $u.alpha '' 1024 1028)" 1028
c=lora_te_text_model_encoder_layers_0_mlp_fc1
bad 3 "tensor $c.lora_down.weight fits no linear layer of this model" "$(t $c.lora_down.weight 2,64 0 512),$(t $c.lora_up.weight 64,2 512 1024),$(t $c.alpha '' 1024 1028)" 1028
l=lycoris_layers_0_self_attn_q_proj
bad 3 "tensor * is a second LoRA of model.layers.0.self_attn.q_proj" "$pair,$(t $q.alpha '' 1024 1028),$(t $l.lora_down.weight 2,64 1028 1540),$(t $l.lora_up.weight 64,2 1540 2052),$(t $l.alpha '' 2052 2056)" 2056
bad 3 "tensor $q.dora_scale does not hold one magnitude for each of 64 outputs" "$pair,$(t $q.alpha '' 1024 1028),$(t $q.dora_scale 1,64 1028 1284)" 1284
k=lora_te_model_layers_0_self_attn_k_proj
bad 3 "$q has a magnitude (DoRA) and $k has none" "$pair,$(t $q.alpha '' 1024 1028),$(t $q.dora_scale 64,1 1028 1284),$(t $k.lora_down.weight 2,64 1284 1796),$(t $k.lora_up.weight 32,2 1796 2052),$(t $k.alpha '' 2052 2056)" 2056
bad 3 "$q has no $q.lora_down.weight" "$(t $q.lora_up.weight 64,2 0 512),$(t $q.alpha '' 512 516)" 516
p=text_encoder.model.layers.0.self_attn.q_proj
bad 2 'lora_adapter_metadata: *' "\"__metadata__\":{\"lora_adapter_metadata\":\"{\"},$(t $p.lora_A.weight 2,64 0 512),$(t $p.lora_B.weight 64,2 512 1024)" 1024
bad 3 "tensor $p.lora_C.weight is no part of a LoRA in the layout of diffusers" "$(t $p.lora_A.weight 2,64 0 512),$(t $p.lora_C.weight 64,2 512 1024)" 1024
bad 2 'no adapter_config.json: not an adapter' "$(t base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight 2,64 0 512)" 512

# edit FILTER WHAT-IT-SAYS RC: mlx's and torchtune's configs
edit() {
	rm -rf e; cp -r "$1" e; chmod -R u+w e
	jq "$2" "$1/adapter_config.json" >e/adapter_config.json
	expect "$3" "*e: $4" peft-merge -q -f -m base -a e -o no/
}
edit mlx '.lora_parameters.rank = 8' 3 '* is of rank 4, adapter_config.json says 8'
edit mlx 'del(.lora_parameters.scale)' 2 'lora_parameters has no scale'
edit mlx 'del(.lora_parameters)' 2 'lora_parameters has no rank'
edit mlx '.lora_parameters.scale = "2"' 2 'lora_parameters: *scale*'
edit mlx '.fine_tune_type = "full"' 2 'fine_tune_type "full" is no LoRA: fuse it into its model there (mlx_lm.fuse)'
edit torchtune 'del(.lora_alpha)' 2 'adapter_config.json has no lora_alpha'
edit torchtune '.r = 5' 3 '* is of rank 4, adapter_config.json says 5'
rm e/adapter_config.json
expect 2 '*e: in the layout of torchtune the scale is told in adapter_config.json, which is not there' peft-merge -q -m base -a e -o no/
mkdir gpt2; zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C gpt2 -xf -
expect 2 '*model_type "gpt2" is none of those whose torchtune names are known*' peft-merge -q -m gpt2/model -a torchtune -o no/
expect 3 '*no name in the layout of torchtune*' peft-merge -q -m base -a "$(of mlx)" --layout torchtune -o no/
expect 3 '*is the head of this model, too, which mlx-lm adapts with it*' peft-merge -q -m tiny -a "$(of mlx)" -o no/

# pickles, by name and with the way out
for f in adapter_model.bin pytorch_adapter.bin adapter_0.pt; do
	rm -rf e; mkdir e; cp lora/adapter_config.json e; printf 'PK\003\004' >e/$f
	expect 2 "*e/$f is a PyTorch pickle, which can run code when it is read; save it as safetensors*" peft-eval -q -m base -a e ids.tok
	expect 2 "*e/$f: is a PyTorch pickle, which can run code when it is read; save it as safetensors*" peft-merge -q -m base -a e/$f -o no/
done

# what has no place there
expect 1 '*--layout: there is no '\''onnx'\''*' peft-merge -m base -a lora --layout onnx -o no/
expect 1 '*the layout of mlx is a folder: -o no.safetensors/' peft-merge -q -m base -a lora --layout mlx -o no.safetensors
expect 1 '*the layout of kohya is one file: -o NAME.safetensors' peft-merge -q -m base -a lora --layout kohya -o no/
expect 1 '*the layout of kohya is no stream: give -o FILE' peft-merge -q -m base -a lora --layout kohya
expect 1 '*--layout writes one adapter as it is*' peft-merge -q -m base -a lora=2 --layout kohya -o no.safetensors
expect 1 '*--layout rounds nothing' peft-merge -q -m base -a lora --layout kohya --force-lossy -o no.safetensors
expect 1 '*--layout writes an adapter*' peft-merge -q -m base -a lora --layout kohya -t f16 -o no.safetensors
expect 2 '*kohya.safetensors exists*' peft-merge -q -m base -a lora --layout kohya -o kohya.safetensors
expect 3 '*use_dora has no place in the layout of gguf (--as-lora makes a plain LoRA, or merge it)' peft-merge -q -m base -a "$(of mlx-dora)" --layout gguf -o no.gguf
expect 0 '' peft-train -q -m base --method loha --steps 1 -o loha/ ids.tok
expect 3 '*loha: it is a LOHA adapter, the layout of mlx holds LoRA (--as-lora makes one of it)' peft-merge -q -m base -a loha --layout mlx -o no/
echo '{"peft_type":"LORA","r":2,"target_modules":["q_proj","v_proj"],"rank_pattern":{"v_proj":3}}' >p.json
expect 0 '' peft-train -q -m base -c p.json --steps 1 -o mixed/ ids.tok
expect 3 '*mixed: its modules differ in rank, and the layout of torchtune has one for all*' peft-merge -q -m base -a mixed --layout torchtune -o no/
for out in m.gguf m.safetensors; do
	layout=kohya; [ $out = m.safetensors ] || layout=gguf
	expect 0 '' peft-merge -q -m base -a mixed --layout $layout -o $out
	rm -rf back; peft-merge -q -m base -a $out --layout peft -o back/
	ok "$out: ranks of their own, and the hash of the base" cmp mixed/adapter_model.safetensors back/adapter_model.safetensors
done
expect 0 '' peft-train -q -m base --set init_lora_weights=pissa --rank 2 --steps 1 -o pissa/ ids.tok
expect 3 '*pissa: it is what was made of the part of the base*--as-lora exact*' peft-merge -q -m base -a pissa --layout kohya -o no.safetensors
# llama.cpp would take it and compute as if it were not there
mkdir ds; zstd -dqc "$TOP/tests/golden/families/deepseek_v2.tar.zst" | tar -C ds -xf -
echo '{"input_ids":[1,5,9,7],"labels":[1,5,9,7]}' >ds.tok
for t in q_proj kv_a_proj_with_mqa kv_b_proj; do
	peft-train -q -f -m ds/model --target "o_proj,$t" --steps 1 -o of-ds/ ds.tok
	expect 3 "*of-ds: model.layers.0.self_attn.$t: llama.cpp passes over a LoRA of it*: merge it into a model" peft-merge -q -m ds/model -a of-ds --layout gguf -o no.gguf
done
peft-train -q -f -m ds/model --target o_proj,down_proj --steps 1 -o of-ds/ ds.tok
expect 0 '' peft-merge -q -m ds/model -a of-ds --layout gguf -o ds.gguf
ok 'nothing is left' sh -c '[ ! -e no ] && [ ! -e no.gguf ] && [ ! -e no.safetensors ]'
done_testing
