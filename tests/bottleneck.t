#!/bin/sh
# Adapters in the format of the adapters library
. "$TOP/tests/lib.sh"

base=$TOP/tests/golden/methods/base
golden=$TOP/tests/golden/adapters

# logits, loss, gradients, difference quotients, written and read again
for d in "$golden"/*/golden.safetensors; do
	d=${d%/golden.safetensors}
	ok "${d##*/}" peft-unit "$base" "$d" "$d/golden.safetensors"
done

# from a name to a folder that goes on, and the config of the library's
seq=0
while [ "$seq" -lt 4 ]; do
	seq=$((seq + 1))
	echo "{\"input_ids\":[3,$((seq + 3)),9,4,8,$((seq + 9))]}"
done >ids
jq -c '. + {labels: .input_ids}' ids >tok
for m in seq-bn double-seq-bn par-bn scaled-par-bn compacter compacter++; do
	ok "$m is trained" peft-train -q -m "$base" --method $m \
	    --set reduction_factor=4 --set 'name="demo"' --steps 2 \
	    --lr 1e-2 -f -o made/ tok
	ok "$m: its files are the library's" test -s made/adapter.safetensors
	ok "$m goes on" peft-train -q -m "$base" --init made --steps 1 -f \
	    -o again/ tok
	ok "$m: and keeps its config" cmp made/adapter_config.json \
	    again/adapter_config.json
done
peft-train -q -m "$base" --method par-bn --set scaling=4 --steps 1 -f \
    -o par/ tok
for m in ah-lora ah-ia3 'ah-prefix-tuning --set prefix_length=2' mam unipelt; do
	# shellcheck disable=SC2086
	ok "$m is trained" peft-train -q -m "$base" --method $m --steps 2 \
	    --lr 1e-2 -f -o made/ tok
	ok "$m goes on" peft-train -q -m "$base" --init made --steps 1 -f \
	    -o again/ tok
	ok "$m: and keeps its config" cmp made/adapter_config.json \
	    again/adapter_config.json
done
ok 'unipelt has three kinds of gates' test "$(peft-inspect made | grep -c \
    -e prefix_gates -e adapters.default.gate -e loras.default.gate)" -eq 16
ok 'par-bn has the settings of the library' jq -e '
    .config.scaling == 4 and .config.is_parallel and
    .config.init_weights == "mam_adapter" and .name == "default" and
    (.peft_type == null)' par/adapter_config.json
ok 'a factor is spelt as the library knows it' \
    grep -q '"scaling": 4.0,' par/adapter_config.json
ok 'a config file of the library begins one' peft-train -q -m "$base" \
    -c "$golden/par_bn/adapter_config.json" --steps 1 -f -o par/ tok
ok 'which keeps it' cmp par/adapter_config.json \
    "$golden/par_bn/adapter_config.json"

# one after the other, as the library stacks them
echo '{"input_ids":[5,17,33,8,21,39,3,12],"labels":[5,17,33,8,21,39,3,12]}' >stack.tok
for f in "$TOP"/tests/golden/stack/*.logits; do
	both=${f##*/} a=${both%%+*} b=${both#*+}
	b=${b%.logits}
	logits-tool "$base" "$golden/$a" "$golden/$b" <stack.tok >ours || exit 1
	ok "$b on $a" floats_near "$f" ours
	logits-tool "$base" "$golden/$b" "$golden/$a" <stack.tok >other || exit 1
	[ "$b" = lora ] || ok 'the order counts' sh -c '! cmp -s ours other'
done

# fused, with weights of the library's
fuse_train() { peft-train -q -m "$base" --batch 1 --optimizer sgd --beta1 0 \
    --lr 0.2 --clip 0 --schedule constant --warmup 0 -f "$@" stack.tok; }
fusions=$TOP/tests/golden/fusion
for f in dynamic static before; do
	set --
	for a in $(cat "$fusions/$f/members"); do set -- "$@" "$golden/$a"; done
	logits-tool "$base" "$@" "$fusions/$f" <stack.tok >ours || exit 1
	ok "a fusion: $f" floats_near "$fusions/$f/logits" ours
	logits-tool "$base" "$@" <stack.tok >other || exit 1
	ok "$f: no mere stack" sh -c '! cmp -s ours other'
	# trained: the library's losses, with the term that its trainer adds
	set --
	for a in $(cat "$fusions/$f/members"); do set -- "$@" --frozen "$golden/$a"; done
	fuse_train -o learnt/ "$@" --init "$fusions/$f" --log "$f.log" --steps 6
	jq -r '.loss // empty' "$f.log" | awk '{ getline w <"'"$fusions/$f/curve"'"
	    d = $1 - w; if (d < 0) d = -d; if (d > 2e-6 * w) exit 1; n++ }
	    END { exit !(n == 6) }'
	ok "$f: six steps of the library's" [ $? -eq 0 ]
	ok "$f: written as it does" cmp learnt/adapter_fusion_config.json \
	    "$fusions/$f/adapter_fusion_config.json"
done
# a new one, of what a name says
fuse_train --method ah-fusion --frozen "$golden/seq_bn" --frozen \
    "$golden/seq_bn_post" --steps 8 --lr 1e-2 --log new.log -o new/
ok 'a new one learns' jq -se 'map(.loss // empty) | .[0] > .[-1]' new.log
ok 'its members are told' jq -e '.name == "seq_bn,seq_bn_post" and
    .adapter_names == ["seq_bn", "seq_bn_post"]' new/adapter_fusion_config.json
ok 'and it is where they are' sh -c 'st-list new/model_adapter_fusion.safetensors |
    grep -c output_adapters.adapter_fusion_layer.seq_bn,seq_bn_post. | grep -qx 10 &&
    ! st-list new/model_adapter_fusion.safetensors | grep -q attention_adapters'
peft-eval -q -m "$base" -a a="$golden/seq_bn" -a b="$golden/seq_bn_post" \
    --combine x=a,b,./new --no-base --summary -f -o fused stack.tok
ok 'it is used as it was trained' jq -se --slurpfile l new.log '
    (map(.summary)[2].loss) < ([$l[].loss // empty][0])' fused
expect 2 '*there is nothing to fuse: name two or more bottlenecks (--frozen)' \
    fuse_train --method ah-fusion -o no/
expect 3 '*a fusion of 1 adapters finds 1*' fuse_train --method ah-fusion \
    --frozen "$golden/seq_bn" -o no/
expect 2 '*dropout_prob is not honoured in training: set it to 0' fuse_train \
    --method ah-fusion --set dropout_prob=0.1 --frozen "$golden/seq_bn" \
    --frozen "$golden/seq_bn_post" -o no/
# fuse RC WHAT-IT-SAYS FUSION ADAPTER...: a and b, or others, and it
fuse() {
	rc_=$1 says=$2 f=$3
	shift 3
	expect "$rc_" "*$says" peft-eval -q -m "$base" -a a="$golden/seq_bn" \
	    -a b="$golden/seq_bn_post" -a p="$golden/par_bn" \
	    --combine "x=$*,$f" --no-base --summary -f -o fused stack.tok
}
fuse 0 '' "$fusions/static" a,b
ok 'peft-eval measures it' jq -se 'map(.summary) | map(.system) == ["a","b","p","x"] and (map(.loss) | unique | length == 4)' fused
fuse 3 'a fusion of 3 adapters finds 2: they stand before it, --combine NAME=A,B,./FUSION' "$fusions/dynamic" a,b
fuse 2 'a fusion is of sequential bottlenecks, each with weight 1' "$fusions/static" a,p
fuse 2 'a fusion is of sequential bottlenecks, each with weight 1' "$fusions/static" a:0.5,b
expect 3 '*a fusion of 2 adapters finds 0*' peft-eval -q -m "$base" -a "$fusions/static" tok
expect 3 '*a fusion of 2 adapters finds 0*' peft-train -q -m "$base" --init "$fusions/static" --steps 1 -o no/ tok
cp -r "$fusions/static" partly; chmod -R u+w partly
sed 's/,seq_bn_post.key.bias/,seq_bn_post.key.bayz/' partly/model_adapter_fusion.safetensors >x && mv x partly/model_adapter_fusion.safetensors
fuse 3 'tensor *key.bayz fits nothing that the config targets in this model' ./partly a,b
cp -r "$fusions/static" hot; chmod -R u+w hot
jq '.config.temperature = true' "$fusions/static/adapter_fusion_config.json" >hot/adapter_fusion_config.json
fuse 2 'key "temperature" is not honoured here' ./hot a,b
jq '.config |= (.key = false | .query = false | .value = false)' "$fusions/static/adapter_fusion_config.json" >hot/adapter_fusion_config.json
fuse 2 'one of key, query and value is needed' ./hot a,b
rm hot/model_adapter_fusion.safetensors
printf 'PK\003\004' >hot/pytorch_model_adapter_fusion.bin
fuse 2 'pytorch_model_adapter_fusion.bin is a PyTorch pickle*' ./hot a,b
echo '{"prompt":"hello","adapter":["a","./hot"]}' >path.jsonl
expect 2 "*adapter: a name with ':', ',' or '/' (./hot) cannot be combined*" peft-generate -q -m "$TOP/tests/golden/tiny/model" -a a="$TOP/tests/golden/tiny/adapter" --jsonl path.jsonl
rm -f out

# over a base in four bits, and in the bundle of one file
ok 'a base in nf4' peft-quantize -q -t nf4 -o nf4.safetensors "$base"
ok 'and an adapter on it' peft-train -q -m nf4.safetensors --method seq-bn \
    --set reduction_factor=4 --steps 2 --lr 1e-2 -o nf4.adapter tok
ok 'which is used' peft-eval -q -m nf4.safetensors -a nf4.adapter -o out tok

# refusals
kind=seq_bn_map
bad() {		# status, message, jq's change of that one's config
	rm -rf bad
	mkdir bad
	cp "$golden/$kind/adapter.safetensors" bad/
	jq "$3" "$golden/$kind/adapter_config.json" >bad/adapter_config.json
	expect "$1" "peft-eval: bad: $2" peft-eval -q -m "$base" -a bad tok
}
bad 2 '*key "new_idea" is not honoured for BOTTLENECK here' \
    '.config.new_idea = 3'
bad 2 '*key "target_modules" is not honoured*' \
    '.config.target_modules = ["q_proj"]'
bad 2 '*architecture "reft" are not known here' '.config.architecture = "reft"'
bad 2 'config is no object*' '.config = "pfeiffer"'
bad 2 "name, the adapter's, is missing" 'del(.name)'
bad 3 'hidden_size is 32, this model*s is 16: *another model' \
    '.hidden_size = 32'
bad 3 'tensor *output_adapters.adapters.demo.* fits nothing*' '.name = "other"'
bad 3 'tensor *attention_adapters.*adapter_down.0.weight is missing' \
    '.config.mh_adapter = true'
bad 3 'tensor *layers.1.* fits nothing*' '.config.leave_out = [1]'
bad 3 'tensor *adapter_down.0.* has shape *' \
    '.config.reduction_factor = 4'
bad 3 'tensor *scaling has shape *' '.config.scaling = "channel"'
bad 2 '*reduction_factor names neither layer 0 nor a default' \
    '.config.reduction_factor = {"1": 8}'
bad 2 '*of "1" it is no number above 0' '.config.reduction_factor["1"] = 0'
bad 2 'non_linearity "prelu" is none of relu*' '.config.non_linearity = "prelu"'
bad 2 'key "inv_adapter" is not honoured here' '.config.inv_adapter = "nice"'
bad 2 'residual_before_ln "post_add": *' \
    '.config.residual_before_ln = "post_add"'
bad 2 'leave_out is no list' '.config.leave_out = 1'
bad 2 'neither mh_adapter nor output_adapter*' '.config.output_adapter = false'
bad 2 '*phm_dim 3 does not divide 16' \
    '.config.phm_layer = true | .config.phm_dim = 3'
bad 2 'scaling "nix" is not honoured here' '.config.scaling = "nix"'
expect 3 '*BOTTLENECK adapters cannot be merged*peft-generate -m BASE -a*' \
    peft-merge -q -m "$base" -a "$golden/seq_bn" -o merged/
expect 3 '*AH_UNION adapters cannot be merged*' \
    peft-merge -q -m "$base" -a "$golden/unipelt" -o merged/
expect 3 '*AH_LORA adapters cannot be merged*' \
    peft-merge -q -m "$base" -a "$golden/lora_gated" -o merged/
ok 'LoRA has a merge' peft-merge -q -m "$base" -a "$golden/lora" -o merged/
ok 'and IA3' peft-merge -q -m "$base" -a "$golden/ia3" -f -o merged/
kind=lora_all
bad 2 '*attn_matrices holds "x", not q, k or v' \
    '.config.attn_matrices = ["x"]'
bad 2 'key "use_dora" is not honoured here' '.config.use_dora = true'
bad 2 'key "vera_d" is not honoured here' '.config.vera_d = 0.1'
bad 2 'composition_mode "scale" is for r 1*' \
    '.config.composition_mode = "scale"'
bad 3 'tensor *k_proj.loras.demo.lora_A fits nothing*' \
    '.config.attn_matrices = ["q"]'
bad 3 'tensor *down_proj.loras.demo.lora_A is missing' \
    '.config.intermediate_lora = true'
kind=prefix_gated
bad 3 'tensor *wte.weight has shape *' '.config.prefix_length = 4'
bad 3 'tensor *control_trans.0.bias fits nothing*' '.config.flat = true'
bad 3 'tensor *prefix_gates.demo.* has shape *' \
    '.config.shared_gating = false'
bad 2 'key "leave_out" is not honoured here' '.config.leave_out = [0]'
kind=unipelt
bad 2 'configs is no list*' '.config.configs = 3'
bad 2 'configs[[]1]: is no object' '.config.configs[1] = 3'
bad 2 'configs[[]2]: adapter_config.json: key "nix" is not honoured*' \
    '.config.configs[2].nix = 1'
bad 2 'configs[[]0]: a union in a union' \
    '.config.configs[0] = {"architecture": "union", "configs": []}'
bad 3 'tensor *gate.* fits nothing*' \
    '.config.configs[1].use_gating = false'
bad 2 'the config asks for *loras.demo.lora_A twice' \
    '.config.configs[1] = .config.configs[2]'
mkdir pickle
cp "$golden/seq_bn/adapter_config.json" pickle/
printf '\200\002' >pickle/pytorch_adapter.bin
expect 2 '*pytorch_adapter.bin is a PyTorch pickle*safetensors*' \
    peft-eval -q -m "$base" -a pickle tok

done_testing
