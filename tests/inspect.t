#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-inspect: what is in a file, what is wrong with it, how two differ.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

# json FILTER FILE: jq says true
json() { jq -s -e "$1" "$2" >/dev/null; }
# got 'what is claimed' FILTER command...: of what it wrote
got() {
	got_what=$1 got_filter=$2; shift 2
	run "$@"
	ok "$got_what" json "$got_filter" out
}

# a model: each part is told
got 'sizes' '.[0] | .weights == 20 and .parameters == 106816 and
    .bytes == 427264' peft-inspect --json base
got 'types' '.[0].types.f32 == {"weights":20,"parameters":106816,
    "bytes":427264,"share":1}' peft-inspect --json base
got 'rope' '.[0].rope.rope_parameters.rope_theta == 100000' \
    peft-inspect --json base
got 'heads' '.[0].heads == {"query":4,"key_value":2,"dim":16}' \
    peft-inspect --json base
got 'heads of a GGUF file' '.[0].heads == {"query":4,"key_value":2,"dim":16}' \
    peft-inspect --json base.gguf
# as the families' code has them, whatever config.json calls them
# family NAME WHAT FILTER
family() {
	[ -d "$1" ] || { mkdir "$1"; zstd -dqc \
	    "$TOP/tests/golden/families/$1.tar.zst" | tar -C "$1" -xf - model; }
	got "$1: $2" "$3" peft-inspect --json "$1/model"
}
family mpt sizes '.[0] | .hidden_size == 32 and .num_hidden_layers == 2 and
    .num_attention_heads == 4 and .intermediate_size == 128 and
    .max_position_embeddings == 64'
family falcon_7b heads '.[0].heads == {"query":4,"key_value":1,"dim":8}'
family gptj 'a part of a head is turned' '.[0].heads.rope_dim == 4'
family deepseek_v2 'heads of three widths' '.[0].heads ==
    {"query":4,"key_value":4,"dim":12,"value_dim":6,"rope_dim":4}'
sed 's/"rope_type": "yarn"/"rope_type": "prey"/' deepseek_v2/model/config.json >c
mv c deepseek_v2/model/config.json
family deepseek_v2 'what its code refuses is told as it is' \
    '.[0].heads.dim == 4'
run peft-inspect gptj/model
ok 'the table has them' grep -qx 'heads  *{.*"rope_dim":4}' out
family gemma3 windows '.[0].rope.sliding_window > 0'
run peft-inspect gemma3/model
ok 'the table has them beside both ropes' sh -c \
    "grep -q '^rope  *rope_parameters full_attention ' out &&
    grep -qx 'rope  *sliding_window [0-9]*' out"
cp -r base lacks
sed -i '/num_hidden_layers/s/2/3/' lacks/config.json
expect 3 'peft-inspect: lacks: weight model.layers.2.*.weight is missing' \
    peft-inspect lacks
ok 'and all else is told' grep -q '^parameters  *106816' out
sed -i '/num_hidden_layers/s/3/1/' lacks/config.json
expect 3 'peft-inspect: lacks: weight model.layers.1.* is not of this model' \
    peft-inspect --json lacks

got 'tokenizer and template' '.[0] | .tokenizer.type == "BPE" and
    (.chat_template | startswith("sha256:"))' peft-inspect --json base
cp -r base bare
rm -f bare/tokenizer* bare/chat_template.jinja
got 'their absence' '.[0] | has("tokenizer") and .tokenizer == null and
    has("chat_template") and .chat_template == null' peft-inspect --json bare
cp -r bare older
printf '{"chat_template":"{{ 1 }}"}' >older/tokenizer_config.json
sum=$(printf '{{ 1 }}' | sha256sum | cut -d' ' -f1)
got 'a template within tokenizer_config.json' \
    ".[0].chat_template == \"sha256:$sum\"" peft-inspect --json older
run peft-inspect base
ok 'the table says the same' \
    grep -q '^types  *f32  *weights 20 parameters 106816' out

# quantised
peft-quantize -q -t nf4 --double-quant -o dq/ base
got 'what the scales say' '.[0].quantization | .method == "bitsandbytes" and
    (.kinds | length) == 1 and .kinds[0].type == "nf4" and .kinds[0].double and
    .kinds[0].scale_for == "64 weights"' peft-inspect --json dq
got 'and the config' '.[0].quantization_config.quant_method ==
    "bitsandbytes"' peft-inspect --json dq
peft-quantize -q -t q8_0 -o q8.gguf base
got 'bits per value' '.[0].bits_per_quantized_value == 8.5' \
    peft-inspect --json q8.gguf
got 'types of a file' '.[0].types | keys == ["f32","q8_0"]' \
    peft-inspect --json q8.gguf

# one hash whatever the container
peft-quantize -q -o one.safetensors base
peft-quantize -q -t f32 -o one.gguf base
peft-quantize -q --shard 100K -o shards/ base
for m in base one.safetensors one.gguf shards; do
	run peft-inspect --hash --json $m
	jq -r .hash out >>hashes
done
ok 'four containers' [ "$(wc -l <hashes)" -eq 4 ]
ok 'one hash' [ "$(sort -u hashes | grep -c '^sha256:')" -eq 1 ]
peft-inspect --json --hash - <one.safetensors | jq -r .hash >>hashes
ok 'from a pipe too' [ "$(sort -u hashes | wc -l)" -eq 1 ]
expect 1 '*--diff compares weights*' peft-inspect --diff --hash base one.gguf
peft-tokenize -q -m base -o idle.tok test.jsonl
expect 1 '*idle.tok: --hash and --scan are for weights, and this is text' peft-inspect --scan idle.tok
run peft-inspect --json --hash base.gguf
ok 'other values, another hash' sh -c '! grep -qf hashes out'

# a scan
f=base/model.safetensors
got 'a scan counts and measures' '.[0] | .not_finite == 0 and
    (.tensors | all(.nan == 0 and .inf == 0 and .rms > 0 and .max >= .rms))' \
    peft-inspect --scan --json base
got 'by hand' '.[0].tensors[] | select(.name == "x") |
    .mean == 1.5 and .rms == 2.12132 and .max == 3' \
    sh -c "printf '%s' '' | perl -e '\$h=q({\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}});
	\$h.=\" \" while length(\$h)%8;
	print pack(\"Q<\",length \$h),\$h,pack(\"f<2\",0,3)' >x.safetensors
	peft-inspect --scan --json x.safetensors"
peft-inspect --scan --json -j 1 base >j1; peft-inspect --scan --json -j 3 base >j3
ok 'the same for any number of threads' cmp j1 j3
cp -r base sick
size=$(wc -c <$f)
# the last values of the file: NaN, Inf, -Inf
printf '\000\000\300\177\000\000\200\177\000\000\200\377' |
    dd of=sick/model.safetensors bs=1 seek=$((size - 12)) conv=notrunc 2>/dev/null
expect 3 '*sick: 3 values are not finite' peft-inspect --scan --json sick
ok 'NaN and Inf are told apart' json '[.[0].tensors[] | select(.nan + .inf > 0)] |
    length == 1 and .[0].nan == 1 and .[0].inf == 2 and .[0].max < 100' out
run peft-inspect --scan sick
ok 'the table names the weight' grep -q 'nan 1 inf 2$' out

# shards and their index
got 'healthy shards' '.[0].shards | .problems == [] and .files > 1 and
    .total_size == .bytes and .bytes == 427264' peft-inspect --json shards
i=model.safetensors.index.json
cp -r shards wrong; sed -i 's/"total_size": 427264/"total_size": 427268/' wrong/$i
expect 3 '*the index and the shards do not agree*' peft-inspect --json wrong
ok 'total_size' json '.[0].shards.problems ==
    ["total_size is 427268, the tensors have 427264 bytes"]' out
cp -r shards less; rm less/model-00002-*
expect 2 '*No such file*' peft-inspect --json less
ok 'an absent shard' json '.[0].shards.problems | length == 1 and
    (.[0] | test("^model-00002-.*No such file"))' out
cp -r shards hidden; sed -i '/"model.norm.weight"/d' hidden/$i
sed -i -z 's/,\n  }/\n  }/' hidden/$i
expect 2 '*is in a shard and not in the index' peft-inspect --json hidden
ok 'a tensor that is not in the index' json '.[0].shards.problems | length == 1
    and (.[0] | test("^tensor model.norm.weight is in .* and not in the index"))' out
cp -r shards more; cp base/model.safetensors more/model-extra.safetensors
expect 3 '*do not agree*' peft-inspect --json more
ok 'a file that is not in the index' json '.[0].shards.problems ==
    ["model-extra.safetensors is here and not in the index"]' out
cp -r shards cut; for s in cut/model-00002-*; do
	head -c 1000 "$s" >c; cp c "$s"; done
expect 2 '*' peft-inspect --json cut
ok 'a shard that was cut short' json '.[0].shards.problems | length == 1 and
    (.[0] | test("its header calls for|within the header"))' out
cp -r shards moved
awk '/"model.norm.weight"/ { sub(/model-0000[0-9]/, "model-00001") } 1' \
    shards/$i >moved/$i
expect 2 '*' peft-inspect --json moved
ok 'a tensor in another shard' json '.[0].shards.problems | length == 2 and
    any(test("the index has it in model-00001"))' out
expect 2 '*' peft-inspect --json -o left less
ok 'and a file is not left behind' [ ! -e left ]

# what GPT-2 has the other way round in a GGUF
mkdir gpt2; tar --zstd -C gpt2 -xf "$TOP/tests/golden/families/gpt2.tar.zst"
peft-quantize -q -t f32 -o turned.d/ gpt2/model
peft-quantize -q -t f32 -o turned.gguf gpt2/model
peft-quantize -q -t f16 -o half.gguf gpt2/model
for f in turned.d turned.gguf; do peft-inspect --hash $f | grep '^hash'; done |
    sort -u >hashes
ok 'gpt2: one hash for folder and GGUF' [ "$(wc -l <hashes)" -eq 1 ]
expect 0 '' peft-inspect --diff turned.d turned.gguf
expect 0 '' peft-inspect --diff turned.gguf turned.d
expect 3 '*' peft-inspect --json --diff gpt2/model half.gguf
ok 'gpt2: values are compared with their own' json 'length > 20 and
    all(.rms < 1e-3)' out

# two
expect 0 '' peft-inspect --diff base one.gguf
ok 'no difference, no word' [ ! -s out ]
expect 3 '*they differ: 15 of 20 weights do, 0 are in one of them alone' \
    peft-inspect --diff --json base base.gguf
ok 'across containers and types, by little' json 'length == 15 and
    all(.a == "f32" and .b == "f16" and .rms < 5e-4 and .cosine > 0.999999)' out
expect 3 '*15 of 20*' peft-inspect --diff --json base q8.gguf
ok 'q8_0' json 'all(.b == "q8_0" and .rms > 1e-3 and .rms < 1e-2)' out
expect 3 '*14 of 20*' peft-inspect --diff --json base dq
ok 'nf4' json 'all(.b == "nf4" and .rms > 0.05 and .rms < 0.12)' out
expect 3 '*28 of 28 weights do, 14 are in one of them alone' peft-inspect --diff --json adapter \
    "$TOP/tests/golden/llama/adapter"
ok 'only in one of them' json 'map(select(.only == "b")) | length > 0' out
merge() { perl -e 'my ($h,@v)=@ARGV; $h.=" " while length($h)%8;
    print pack("Q<",length $h),$h,pack("f<*",@v)' "$@"; }
merge '{"x":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}' 0 3 >y.safetensors
expect 3 '*they differ*' peft-inspect --diff --json x.safetensors y.safetensors
ok 'shapes' json '.[0].a_shape == [2] and .[0].b_shape == [2,1]' out
merge '{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 0 4 >y.safetensors
expect 3 '*they differ*' peft-inspect --diff --json x.safetensors y.safetensors
ok 'by how much' json '.[0].rms == 0.333333 and .[0].max == 1 and
    .[0].cosine == 1' out

# adapters: numpy's singular values of the product itself; six digits are told
a=$TOP/tests/golden/llama/adapter want=$TOP/tests/golden/llama/ranks.json
run peft-inspect --json "$a"
ok 'norms and ranks of modules' jq -e --slurpfile w "$want" 'def near($b):
    (. - $b | fabs) <= 5e-6 * $b; .modules | length == 21 and all(
    $w[0].modules[.name] as $v | (.norm | near($v[0])) and
    (.largest | near($v[1])) and (.effective_rank | near($v[2])) and
    (.stable_rank | near($v[3])))' out
ok 'of layers' jq -e --slurpfile w "$want" 'def near($b):
    (. - $b | fabs) <= 5e-6 * $b; .layers | length == 3 and all(
    $w[0].layers[.layer | tostring] as $v | (.norm | near($v[0])) and
    (.effective_rank | near($v[1])))' out
ok 'of all' jq -e --slurpfile w "$want" \
    '(.delta_norm - $w[0].delta_norm | fabs) < 1e-5' out
cp -r "$a" bad; chmod -R u+w bad
size=$(wc -c <bad/adapter_model.safetensors)
printf '\377\377\377\377' | dd of=bad/adapter_model.safetensors bs=1 \
    seek=$((size - 4)) conv=notrunc 2>/dev/null
got 'an adapter with a NaN has no norm' '[.[0].modules[] |
    select(.norm == null)] | length == 1' peft-inspect --json bad
cp -r "$a" twice; chmod -R u+w twice
sed -i 's/"use_rslora": false/"use_rslora": true/' twice/adapter_config.json
got 'rsLoRA: alpha over the root of the rank' '.[0].modules |
    all(.scale == 4)' peft-inspect --json twice
sed -i 's/"alpha_pattern": {}/"alpha_pattern": {"q_proj": 2}/' twice/adapter_config.json
got 'alpha_pattern' '[.[0].modules[] | select(.scale == 1) | .name |
    test("q_proj$")] == [true, true, true]' peft-inspect --json twice
mkdir odd; cp "$a/adapter_config.json" odd
merge '{"m.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"m.lora_B.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]}}' \
    3 4 1 0 >odd/adapter_model.safetensors
got 'by hand: 8 / 1 * |(1, 0)| * |(3, 4)|' '.[0].modules[0] | .scale == 8 and
    .norm == 40 and .largest == 40 and .effective_rank == 1 and
    .stable_rank == 1' peft-inspect --json odd
merge '{"m.lora_A.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"m.lora_B.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}' \
    3 4 0 0 >odd/adapter_model.safetensors
got 'factors that do not fit are tensors' '.[0] | (has("modules") | not) and
    .tensor_norm == 5' peft-inspect --json odd
echo 'no library' >libopenblas.so.0
got 'without OpenBLAS it says so' '.[0].layers | test("apt-get install")' \
    env LD_LIBRARY_PATH=. peft-inspect --json "$a"

done_testing
