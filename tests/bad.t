#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models and adapters that are damaged or hostile, against every program that
# reads one: status, message, and nothing left behind.
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
hand 'a header nested deep' 'header: byte *: nested too deep' \
    "$(perl -e 'print "{\"a\":" x 20000')" 0
hand 'a side file nobody knows' \
    'peft.file/../x: no side file of that name is known' \
    '{"peft.file/../x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}' 2

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

done_testing
