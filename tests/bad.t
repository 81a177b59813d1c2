#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models and adapters that are damaged or hostile, against every program that
# reads one: status, message, and nothing left behind.
# shellcheck disable=SC2016	# $_ is perl's
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"

# ---- safetensors made by hand ----------------------------------------------

# st FILE HEADER N: the header and N bytes of zeros
st() {
	perl -e 'my ($h, $n) = @ARGV; $h .= " " while length($h) % 8;
	    print pack("Q<", length $h), $h, "\0" x $n' "$2" "$3" >"$1"
}
f32() { printf '"%s":{"dtype":"F32","shape":[%s],"data_offsets":[%s,%s]}' "$@"; }
# hand WHAT GLOB HEADER N: what is wrong with it, in every program
hand() {
	st bad.st "$3" "$4"
	each model "$1" 2 "bad.st: $2" bad.st
}
hand 'too little data for the shape' \
    'tensor a: its data has 4 bytes, its shape calls for 8' \
    "{$(f32 a 2 0 4)}" 4
hand 'too much data for the shape' \
    'tensor a: its data has 8 bytes, its shape calls for 4' \
    "{$(f32 a 1 0 8)}" 8
hand 'tensors overlap' "tensor b: its data overlaps another's" \
    "{$(f32 a 1 0 4),$(f32 b 1 2 6)}" 6
hand 'a gap between tensors' 'tensor b: its data leaves a gap before it' \
    "{$(f32 a 1 0 4),$(f32 b 1 8 12)}" 12
hand 'the file ends early' \
    'ends early: 4 bytes of data, the header calls for 8' \
    "{$(f32 a 2 0 8)}" 4
hand 'bytes behind the data' \
    'has trailing bytes: 9 bytes of data, the header calls for 8' \
    "{$(f32 a 2 0 8)}" 9
hand 'offsets that go back' \
    'tensor a: its data has -4 bytes, its shape calls for 4' \
    "{$(f32 a 1 8 4)}" 8
hand 'offsets below zero' 'tensor a: data_offsets: not two whole numbers' \
    "{$(f32 a 1 -4 0)}" 4
hand 'a name twice' 'header: duplicate key "a"' \
    "{$(f32 a 1 0 4),$(f32 a 1 4 8)}" 8
hand 'a shape that overflows' 'tensor a: its shape is too large' \
    "{$(f32 a 4503599627370496,4503599627370496 0 4)}" 4
hand 'a shape that wraps to what is there' \
    'tensor a: its shape is too large' \
    "{$(f32 a 4294967296,4294967296,4 0 0)}" 0
hand 'a dimension below zero' 'tensor a: shape: not a whole number' \
    "{$(f32 a -1 0 4)}" 4
hand 'a dimension with a fraction' 'tensor a: shape: not a whole number' \
    "{$(f32 a 1.5 0 6)}" 6
hand 'a dimension past 2^53' 'tensor a: shape: not a whole number' \
    "{$(f32 a 18014398509481985 0 4)}" 4
hand 'NaN for a dimension' 'header: byte *: not a value' \
    "{$(f32 a NaN 0 4)}" 4
hand 'nine dimensions' 'tensor a: more than 8 dimensions' \
    "{$(f32 a 1,1,1,1,1,1,1,1,1 0 4)}" 4
hand 'a type nobody knows' 'tensor a: dtype F99 is not known' \
    '{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}' 4
hand 'a type that is a number' 'tensor a: "dtype" is not a string' \
    '{"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}' 4
hand 'no type' 'tensor a: dtype is missing' \
    '{"a":{"shape":[1],"data_offsets":[0,4]}}' 4
hand 'a tensor that is a list' 'tensor a: not an object' '{"a":[]}' 4
hand 'metadata that is a number' '__metadata__: "k" is not a string' \
    "{\"__metadata__\":{\"k\":1},$(f32 a 1 0 4)}" 4
hand 'a header that is a list' 'header: not a JSON object' '[]' 0
hand 'a header that is cut' 'header: byte *: * is missing' '{"a":' 0
hand 'a header that is not UTF-8' 'header: byte *: not UTF-8' \
    "{$(f32 "$(printf 'a\377')" 1 0 4)}" 4
hand 'a NUL in a name' 'header: byte *: \\u0000' "{$(f32 'a\u0000b' 1 0 4)}" 4
hand 'a name that steers the terminal' \
    'tensor a?[[]31m b: a control character in its name' \
    "{$(f32 'a\u001b[31m\nb' 1 0 4)}" 4
hand 'a header nested deep' 'header: byte *: nested too deep' \
    "$(perl -e 'print "{\"a\":" x 20000')" 0
hand 'a side file nobody knows' \
    'peft.file/../x: no side file of that name is known' \
    '{"peft.file/../x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}' 2

# what is odd and right all the same
st odd.st "{$(f32 a 0,4 0 0),$(f32 b '' 0 4),$(f32 c 0 4 4)}" 4
expect 0 '' peft-quantize -q -t f16 -o odd.safetensors odd.st
expect 0 '' peft-quantize -q -o odd.d/ odd.st
expect 0 '' peft-inspect --diff odd.st odd.d
st long.st "$(printf '%-384s' "{$(f32 a 1 0 4)}")" 4
expect 0 '' peft-quantize -q -o not-a-pickle.safetensors long.st
perl -e 'printf "{\"__metadata__\":{\"k\":\"%s\"}}", "x" x 104857600' >h
perl -e 'print pack("Q<", -s "h")' >long.st
cat h >>long.st
each model 'a header of more than 100 MB' 2 \
    'long.st: not safetensors: a header of 104857625 bytes' long.st
rm h long.st

# ---- shards and their index -------------------------------------------------

peft-quantize -q --shard 100K -o shards/ base
index=model.safetensors.index.json
# damage WHAT GLOB SED-SCRIPT: the index, changed
damage() {
	rm -rf bad.d; cp -r shards bad.d
	sed "$3" shards/$index >bad.d/$index
	each model "$1" 2 "$2" bad.d
}
damage 'a shard outside the folder' \
    "bad.d/$index: weight_map: * is in no file of this folder" \
    's/model-00002-of/..\/model-00002-of/'
damage 'a shard that is the index itself' \
    "bad.d/$index: *" "s/model-00002-of-[0-9]*.safetensors/$index/"
damage 'a shard that is the folder' \
    "bad.d/$index: weight_map: * is in no file of this folder" \
    's/model-00002-of-[0-9]*.safetensors/./'
damage 'a shard that is a number' \
    "bad.d/$index: weight_map: * is in no file of this folder" \
    's/"model-00002-of-[0-9]*.safetensors"/2/'
damage 'a shard that is absent' \
    'bad.d/model-00099-of-00099.safetensors: No such file*' \
    's/model-00002-of-[0-9]*/model-00099-of-00099/'
damage 'a tensor of another shard' \
    "bad.d/$index: weight_map: * is in *, not in *" \
    '/layers.0.mlp.up_proj/s/model-0000.-/model-00001-/;
    /layers.1.mlp.up_proj/s/model-0000.-/model-00002-/'
damage 'a tensor that no shard has' \
    "bad.d/$index: weight_map: model.layers.7.more is not in model-0*" \
    's/model.layers.0.mlp.up_proj.weight/model.layers.7.more/'
damage 'a tensor that the index lacks' \
    "bad.d/$index: tensor model.layers.0.mlp.up_proj.weight is in a shard*" \
    '/layers.0.mlp.up_proj.weight/d'
damage 'a tensor twice in the index' "bad.d/$index: duplicate key \"model.*" \
    's/layers.1.mlp.up_proj/layers.0.mlp.up_proj/'
damage 'an index without a map' "bad.d/$index: no weight_map" \
    's/weight_map/weights/'
damage 'an index that is cut' "bad.d/$index: byte *" 10q
rm -rf bad.d; cp -r shards bad.d
cp shards/model-00001-* "$(ls bad.d/model-00002-*)"
each model 'two shards with the same tensors' 2 \
    'bad.d/*: tensor * is there twice' bad.d
rm -rf bad.d; cp -r shards bad.d
ln -sf "$index" "$(ls bad.d/model-00002-*)"
each model 'a shard that leads to the index' 2 'bad.d/model-00002-*: *' bad.d
ln -sf "$(basename "$(ls bad.d/model-00002-*)")" "$(ls bad.d/model-00002-*)"
each model 'a shard that leads to itself' 2 \
    'bad.d/model-00002-*: Too many levels*' bad.d

# ---- GGUF -------------------------------------------------------------------

# gguf WHAT GLOB PERL: $_ is the tiny model's file.  at(NAME) is the place
# behind a name, put(PLACE, BYTES) writes over what is there; whole numbers
# are v(32 bits) and q(64 bits).
prelude='sub at { my $i = index($_, $_[0]); die $_[0] if $i < 0;
    $i + length $_[0] }
sub put { substr($_, $_[0], length $_[1]) = $_[1] }
sub v { pack("V", $_[0]) } sub q64 { pack("Q<", $_[0]) }'
gguf() {
	perl -0777 -pe "BEGIN { binmode STDIN; $prelude } $3" \
	    base.gguf >bad.gguf
	each model "$1" 2 "bad.gguf: $2" bad.gguf "${4-}"
}
w=blk.0.ffn_gate.weight		# u32 2; u64 cols, rows; u32 type; u64 offset
gguf 'another magic' 'not safetensors: a header of *' 'put(0, "GGUX")'
gguf 'GGUF of version 1' 'GGUF version 1 is not known' 'put(4, v(1))'
gguf 'GGUF of a big-endian machine' 'GGUF version * (big-endian) *' \
    'put(4, pack("N", 3))'
gguf '2^60 tensors' '24 pairs and 1152921504606846976 tensors are more*' \
    'put(8, q64(1 << 60))'
gguf '2^64 - 1 pairs' '18446744073709551615 pairs and 20 tensors are more*' \
    'put(16, q64(~0))'
gguf 'a tensor more than there is' 'a name of 0 bytes' 'put(8, q64(21))'
gguf 'a tensor less than there is' 'has trailing bytes: *, the tensors end*' 'put(8, q64(19))'
gguf 'a pair more than there is' 'a string of *' 'put(16, q64(25))'
gguf 'a pair less than there is' 'tensor *' 'put(16, q64(23))'
gguf 'a key with an escape' 'a name that *control characters' \
    's/general.file/general\x1bfile/'
gguf 'a string of 2^64 - 1 bytes' \
    'key general.architecture: a string of 18446744073709551615 bytes*' \
    'put(at("general.architecture") + 4, q64(~0))'
gguf 'a key of 2^40 bytes' 'a string of 1099511627776 bytes*' \
    'put(24, q64(1 << 40))'
gguf 'a key of no bytes' 'a name of 0 bytes' 'put(24, q64(0))'
gguf 'a key that is not UTF-8' 'a name that is not UTF-8*' \
    's/general.file/general\xfffile/'
gguf 'a key with a NUL' 'a name that is not UTF-8*' \
    's/general.file/general\0file/'
gguf 'a key twice' 'the key tokenizer.ggml.eos_token_id is there twice' \
    's/bos_token_id/eos_token_id/'
gguf 'a type of value nobody knows' \
    'key llama.block_count: type 99 is not known' \
    'put(at("llama.block_count"), v(99))'
gguf 'a list of lists' 'key tokenizer.ggml.tokens: type 9 is not known' \
    'put(at("tokenizer.ggml.tokens") + 4, v(9))'
gguf 'a list of 2^62 numbers' \
    'key tokenizer.ggml.token_type: 4611686018427387904 elements, more*' \
    'put(at("tokenizer.ggml.token_type") + 8, q64(1 << 62))'
gguf 'a list of 2^61 + 4 numbers' \
    'key tokenizer.ggml.token_type: 2305843009213693956 elements, more*' \
    'put(at("tokenizer.ggml.token_type") + 8, q64((1 << 61) + 4))'
gguf 'a list of 2^60 strings' 'key tokenizer.ggml.tokens: a string of *' \
    'put(at("tokenizer.ggml.tokens") + 8, q64(1 << 60))'
gguf 'an alignment of 3' 'general.alignment is not a power of two' \
    's/llama.block_count/general.alignment/;
    put(at("general.alignment") + 4, v(3))'
gguf 'a tensor name twice' 'tensor blk.0.ffn_gate.weight: there twice' \
    's/blk.1.ffn_gate.weight/blk.0.ffn_gate.weight/'
gguf 'a tensor name of 64 bytes and more' 'a name of 4096 bytes' \
    "put(at(\"$w\") - 29, q64(4096))"
gguf 'no dimensions' "tensor $w: 0 dimensions" "put(at(\"$w\"), v(0))"
gguf 'five dimensions' "tensor $w: 5 dimensions" "put(at(\"$w\"), v(5))"
gguf '2^31 dimensions' "tensor $w: 2147483648 dimensions" \
    "put(at(\"$w\"), v(1 << 31))"
gguf 'a dimension of 0' "tensor $w: a dimension of 0" \
    "put(at(\"$w\") + 4, q64(0))"
gguf 'a dimension of 2^63' "tensor $w: a dimension of -*" \
    "put(at(\"$w\") + 4, q64(1 << 63))"
gguf 'dimensions that overflow' "tensor $w: its shape is too large" \
    "put(at(\"$w\") + 4, q64(1 << 40)); put(at(\"$w\") + 12, q64(1 << 40))"
gguf 'a type of tensor nobody knows' "tensor $w: ggml's type 99 is not known" \
    "put(at(\"$w\") + 20, v(99))"
gguf 'rows that are no whole blocks' \
    "tensor $w: rows of 64 do not divide into blocks of 256 (q4_k)" \
    "put(at(\"$w\") + 20, v(12))"
gguf 'another type than the place fits' \
    'tensor *: its data is at *, not at *' "put(at(\"$w\") + 20, v(0))"
gguf 'tensors overlap' "tensor $w: its data is at 0, not at *" \
    "put(at(\"$w\") + 24, q64(0))"
gguf 'an offset of 2^64 - 32' \
    "tensor $w: its data is at 18446744073709551584, not at *" \
    "put(at(\"$w\") + 24, q64(~0 - 31))"
gguf 'data that ends early' 'ends early: tensor * needs byte * of *' \
    '$_ = substr($_, 0, length($_) - 100)'
gguf 'bytes behind the data' 'has trailing bytes: *, the tensors end at *' '$_ .= "x" x 33'
# a tokenizer is of use whatever the model is that it comes with
models='inspect quantize train merge eval generate'
gguf 'another architecture' 'architecture alama is not known (known: *' \
    's/(general.architecture.{12})llama/$1alama/s' "$models"
gguf 'an adapter' 'holds no model but a GGUF modes' \
    's/(general.type.{12})model/$1modes/s' "$models"
gguf 'a float for a count' \
    'the key llama.block_count is missing or no number' \
    'put(at("llama.block_count"), v(6))' "$models"
gguf 'no layers' 'the key llama.block_count is 0, not in *' \
    'put(at("llama.block_count") + 4, v(0))' "$models"
gguf '2^31 layers' 'the key llama.block_count is 2147483648, not in *' \
    'put(at("llama.block_count") + 4, v(1 << 31))' "$models"
gguf 'no heads' 'the key llama.attention.head_count is 0, not in *' \
    'put(at("llama.attention.head_count") + 4, v(0))' "$models"
gguf 'heads that do not divide the rows' \
    'tensor blk.0.attn_q.weight: 64 rows do not divide into 3 heads' \
    'put(at("llama.attention.head_count") + 4, v(3))' "$models"
gguf 'a width of 0' 'the key llama.embedding_length is 0, not in *' \
    'put(at("llama.embedding_length") + 4, v(0))' "$models"

# ---- what is no model at all ------------------------------------------------

: >empty
each model 'an empty file' 2 'empty: is empty' empty
each model 'no such file' 2 'nowhere: No such file*' nowhere
mkdir void
each model 'an empty folder' 2 'void: no model.safetensors, *' void
mkdir inside; mkdir inside/model.safetensors
each model 'a folder where the weights should be' 2 \
    'inside/model.safetensors: not a file' inside
rmdir inside/model.safetensors; cp base/model.safetensors inside
mkdir inside/config.json
each model 'a folder where config.json should be' 2 \
    'inside/config.json: Is a directory' inside
printf 'PK\003\004 and more' >model.bin
each model 'a pickle in a zip' 2 'model.bin: is a PyTorch pickle*' model.bin
printf '\200\002}q\000.' >model.pt
each model 'a pickle' 2 'model.pt: is a PyTorch pickle*' model.pt
mkdir pickled; cp base/*.json pickled; cp model.bin pickled/pytorch_model.bin
each model 'a folder with a pickle' 2 \
    'pickled/pytorch_model.bin is a PyTorch pickle*' pickled
mkdir stopped; printf '\002\000\000\000\000\000\000\000{}' >stopped/run.ckpt
each model 'a folder with a checkpoint of ours' 2 \
    'stopped: no model.safetensors, *' stopped
echo 'This is not a model at all.' >text
each model 'a text' 2 'text: not safetensors: a header of * bytes' text

done_testing
