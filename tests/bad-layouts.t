#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Weights that others have quantised: what each layout can have wrong.
# shellcheck disable=SC2016	# $w is st-edit.pl's
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"
golden=$TOP/tests/golden/readers

# layout CASE WEIGHT: what is changed from here on
layout() {
	case=$1 W=$2; export W
	zstd -dqf "$golden/$case.safetensors.zst" -o "$case.st"
	rm -rf bad.d; mkdir bad.d
}
# wrong WHAT GLOB CODE [SED-SCRIPT for config.json]: in turns as a folder and
# as a stream
turn=0
wrong() {
	turn=$((turn + 1))
	sed "${4-}" "$golden/$case.json" >bad.d/config.json
	perl "$TOP/tests/st-edit.pl" "$3" <"$case.st" \
	    >bad.d/model.safetensors || exit 1
	refuse "$case: $1" 2 "bad.d*: $2" \
	    peft-quantize -q -t f32 -f -o o/was.safetensors bad.d
	[ $((turn % 3)) -eq 0 ] || return 0
	perl "$TOP/tests/st-edit.pl" 'first("config.json", "bad.d/config.json")' \
	    <bad.d/model.safetensors >bad.pipe || exit 1
	refuse "$case: $1, in a pipe" 2 "standard input: $2" \
	    sh -c 'peft-quantize -q -t f32 -o o/new.d/ - <bad.pipe'
}
# config WHAT GLOB SED-SCRIPT: that alone
config() { wrong "$1" "config.json: quantization_config: $2" 1 "$3"; }
u=model.layers.0.mlp.up_proj

# ---- bitsandbytes -----------------------------------------------------------

layout bnb-nf4 $u.weight
state="$u.weight.quant_state.bitsandbytes__nf4:"
wrong 'a scale of NaN' "the scales of $u.weight are not finite: scale 0 is NaN" \
    'put(0, f32("nan"), "$w.nested_absmax")'
wrong 'a scale below zero' "scale 0 of $u.weight is -1, which no scale of nf4 is" \
    'put(0, f32(-1), "$w.nested_absmax")'
wrong 'a map that holds Inf' "the scales of $u.weight are not finite: scale 2 is infinite" \
    'put(8, f32("inf"), "$w.nested_quant_map")'
wrong 'another map' "$u.weight.quant_map is not the table of nf4" \
    'put(8, f32(0.5), "$w.quant_map")'
wrong 'no map' "$u.weight.quant_map is missing" 'delete $t{"$w.quant_map"}'
wrong 'no map of the scales' "$u.weight.nested_quant_map is missing" \
    'delete $t{"$w.nested_quant_map"}'
wrong 'no codes' "tensor $u.weight.* belongs to no weight" 'delete $t{$w}'
wrong 'codes that are truths' "$u.weight is bool: codes of 4 bits are stored *" \
    'be($w, "BOOL", 3072)'
wrong 'a state that is none either' \
    "$u.weight.quant_state.bitsandbytes__nf4 is bool, not the u8 of a text" \
    'my $s = "$w.quant_state.bitsandbytes__nf4"; $t{$s}{dtype} = "BOOL"'
wrong 'scales of another type' "$u.weight.absmax is not a list of 192 u8" \
    'be("$w.absmax", "I8", 192)'
wrong 'half of the scales' "$u.weight.absmax is not a list of 192 u8" \
    'cut("$w.absmax", 96, 96)'
wrong 'blocks that do not divide it' "$u.weight.absmax is not a list of 128 u8" \
    'state_of($w, "\"blocksize\": 32", "\"blocksize\": 48")'
wrong 'an offset past f32' "$state nested_offset is no f32" \
    'state_of($w, "\"nested_offset\": [-0-9.e]+", "\"nested_offset\": 1e99")'
wrong 'no offset' "$state nested_offset is missing" \
    'state_of($w, "\"nested_offset\"", "\"nested_ofsett\"")'
wrong 'nested blocks of 0' "$state \"nested_blocksize\" is 0, not in *" \
    'state_of($w, "\"nested_blocksize\": 256", "\"nested_blocksize\": 0")'
wrong 'a shape that is an object' "$state \"shape\" is no shape" \
    'state_of($w, "\"shape\": .96, 64.", "\"shape\": {\"a\":96,\"b\":64}")'
wrong 'a state under the name of another type' \
    "$u.weight.quant_state.bitsandbytes__fp4: quant_type is nf4" \
    'move("$w.quant_state.bitsandbytes__nf4", "$w.quant_state.bitsandbytes__fp4")'
wrong 'two states' "tensor $u.weight.*__fp4 belongs to no weight" \
    '$t{"$w.quant_state.bitsandbytes__fp4"} =
    { %{$t{"$w.quant_state.bitsandbytes__nf4"}} }'

layout bnb-int8 $u
scb="$u.SCB does not hold a scale for each row of $u.weight"
wrong 'a scale of NaN' "the scales of $u.weight are not finite: scale 0 is NaN" \
    'put(0, f32("nan"), "$w.SCB")'
wrong 'a scale below zero' "scale 3 of $u.weight is -2, which no scale of int8 is" \
    'put(12, f32(-2), "$w.SCB")'
wrong 'half of the scales' "$scb" 'cut("$w.SCB", 192, 48)'
wrong 'scales of another type' "$scb" 'be("$w.SCB", "I32", 96)'
wrong 'codes that are no matrix' "$scb" 'be("$w.weight", "I8", 96 * 64)'
wrong 'no scales' "tensor $u.weight_format belongs to no weight" \
    'delete $t{"$w.SCB"}'
wrong 'no codes' "tensor $u.* belongs to no weight" 'delete $t{"$w.weight"}'
wrong 'codes of another type' "tensor $u.SCB belongs to no weight" \
    'be("$w.weight", "U8", 96, 64)'
wrong 'another order of codes' \
    "$u.weight: weight_format 1 is not known (0: row)" \
    'put(0, "\1", "$w.weight_format")'

wrong 'an order that is a truth' "$u.weight_format is not one u8" \
    'be("$w.weight_format", "BOOL")'

# ---- GPTQ and AWQ ------------------------------------------------------------

# both WHAT-THE-FAULTS-OF-BOTH-ARE: names and shapes are the same
both() {
	wrong 'a scale of Inf' "the scales of $u.weight are not finite: scale *" \
	    'put(0, pack("v", 0x7c00), "$w.scales")'
	wrong 'scales of whole numbers' \
	    "$u.scales is of type i16, which scales are not" \
	    'be("$w.scales", "I16", 2, 96)'
	wrong 'scales in a list' "$u.scales is not *" \
	    'be("$w.scales", "F16", 192)'
	wrong 'half of the scales' "$u.scales *" \
	    'cut("$w.scales", 192, 1, 96)'
	wrong 'no scales' "$u.scales is missing" 'delete $t{"$w.scales"}'
	wrong 'no zeros' "$u.qzeros is missing" 'delete $t{"$w.qzeros"}'
	wrong 'zeros turned' "$u.qzeros is not 2 x 12 words (i32)" \
	    'be("$w.qzeros", "I32", 12, 2)'
	wrong 'no codes' "tensor $u.* belongs to no weight" \
	    'delete $t{"$w.qweight"}'
	wrong 'wide words' "$u.qweight is not a matrix of words (i32)" \
	    'be("$w.qweight", "I64", 8, 48)'
	wrong 'words in a list' "$u.qweight is not a matrix of words (i32)" \
	    'be("$w.qweight", "I32", 768)'
	wrong 'fewer words' "$u.* *[27]*" 'cut("$w.qweight", 2688, 7, 96)'
	wrong 'the weight as it is, too' "weight $u.weight is there twice" \
	    '$t{"$w.weight"} = { dtype => "F16", shape => [96, 64],
	    data => "\0" x 12288 }'
	g=/group_size/s/32
	wrong 'groups that do not divide' \
	    'model.layers.0.mlp.down_proj.scales *' 1 $g/48/
	wrong 'groups larger than a row' \
	    'model.layers.0.mlp.down_proj.scales *' 1 $g/1000000/
	config 'groups of 0' 'group_size is 0' $g/0/
	config 'groups below zero' '"group_size" is -2, not in *' $g/-2/
	config 'groups without end' '"group_size" is 1e+30, not in *' $g/1e30/
	config 'half a column' '"group_size" is not a whole number' $g/2.5/
	config 'groups in words' '"group_size" is not a number' $g/'"32"'/
	config 'bits without end' '"bits" is 1e+300, not in *' \
	    's/"bits": 4/"bits": 1e300/'
	config 'no bits' 'bits or group_size is missing' 's/"bits": 4,//'
}
layout gptq4 $u
both
wrong 'a group too many' "$u.weight: g_idx: column 0 is of group 2 of 2" \
    'put(0, pack("V", 2), "$w.g_idx")'
wrong 'a group below zero' "$u.weight: g_idx: column 1 is of group -1 of 2" \
    'put(4, pack("l<", -1), "$w.g_idx")'
wrong 'fewer columns in order' "$u.qweight has 8 rows of words, 32 columns *" \
    'cut("$w.g_idx", 128, 32)'
wrong 'an order of wide numbers' "$u.g_idx is not a list of i32" \
    'be("$w.g_idx", "I64", 32)'
layout awq $u
both
wrong 'an order of columns' "tensor $u.g_idx belongs to no weight" \
    '$t{"$w.g_idx"} = { dtype => "I32", shape => [64], data => "\0" x 256 }'

# ---- FP8 ---------------------------------------------------------------------

layout fp8-block $u
fits="$u.weight_scale_inv fits no block size that the quant*(of 96 x 64 weights)"
for v in nan inf; do
	wrong "a scale of $v" \
	    "the scales of $u.weight are not finite: scale 1 is *" \
	    "put(4, f32('$v'), \"\$w.weight_scale_inv\")"
done
for v in -1 0; do
	wrong "a scale of $v" \
	    "scale 1 of $u.weight is $v, which no scale of fp8 is" \
	    "put(4, f32($v), \"\$w.weight_scale_inv\")"
done
wrong 'scales turned' "$fits" 'be("$w.weight_scale_inv", "F32", 2, 3)'
wrong 'fewer scales' "$fits" 'cut("$w.weight_scale_inv", 16, 2, 2)'
wrong 'one scale for all' "$fits" 'cut("$w.weight_scale_inv", 4, 1)'
wrong 'scales of whole numbers' \
    "$u.weight_scale_inv is of type i32, which scales are not" \
    'be("$w.weight_scale_inv", "I32", 3, 2)'
wrong 'no scales' "$u.weight_scale is missing" \
    'delete $t{"$w.weight_scale_inv"}'
wrong 'two scales' "$u.weight_scale and $u.weight_scale_inv are both there" \
    '$t{"$w.weight_scale"} = { %{$t{"$w.weight_scale_inv"}} }'
wrong 'no codes' "tensor $u.weight_scale_inv belongs to no weight" \
    'delete $t{"$w.weight"}'
for t in I8 F8_E5M2; do
	wrong "codes of $t" \
	    "$u.weight is of type *, which the quantization_config (fp8) does *" \
	    "be(\"\$w.weight\", '$t', 96, 64)"
done
wrong 'codes of 16 bits' "tensor $u.weight_scale_inv belongs to no weight" \
    'be("$w.weight", "F16", 96, 32)'
wrong 'codes in a box' "$u.weight is not a matrix" \
    'be("$w.weight", "F8_E4M3", 96, 8, 8)'
for v in 0 -32 1e300 2.5; do
	config "blocks of $v" 'weight_block_size is not two sizes' "s/32,/$v,/"
done
wrong 'blocks that do not divide' '*.weight_scale_inv fits no block size *' 1 \
    s/32,/48,/
wrong 'another float than it says' \
    "*.weight is of type f8_e4m3, which the quantization_config (fp8) does *" \
    1 s/e4m3/e5m2/
config 'no such float' 'fmt "e3m4" is not honoured' s/e4m3/e3m4/
layout fp8-ue8m0 $u
wrong 'an exponent of NaN' "the scales of $u.weight are not finite: scale 0 *" \
    'put(0, "\xff", "$w.weight_scale_inv")'

# ---- compressed-tensors -------------------------------------------------------

layout ct-int4 $u
wrong 'a scale of NaN' "the scales of $u.weight are not finite: scale 0 is NaN" \
    'put(0, pack("v", 0x7fc0), "$w.weight_scale")'
wrong 'scales turned' "$u.weight_scale fits no block size *" \
    'be("$w.weight_scale", "BF16", 2, 96)'
wrong 'scales of whole numbers' \
    "$u.weight_scale is of type u16, which scales are not" \
    'be("$w.weight_scale", "U16", 96, 2)'
wrong 'a shape of four' "$u.weight_shape is not two whole numbers" \
    'be("$w.weight_shape", "I32", 4)'
wrong 'a shape of floats' "$u.weight_shape is not two whole numbers" \
    'be("$w.weight_shape", "F64", 2)'
for v in -96 0 '1 << 62'; do
	wrong "$v rows" "$u.weight_shape holds *" \
	    "put(0, pack('q<', $v), \"\$w.weight_shape\")"
done
for v in 95,0 65,8; do
	wrong "a size of ${v%,*}" "$u.weight_packed is not * rows of words *" \
	    "put(${v#*,}, pack('q<', ${v%,*}), \"\$w.weight_shape\")"
done
for p in scale shape zero_point; do
	wrong "no $p" "$u.weight_$p is missing" "delete \$t{\"\$w.weight_$p\"}"
done
wrong 'no codes' "tensor $u.weight_* belongs to no weight" \
    'delete $t{"$w.weight_packed"}'
wrong 'words in a list' "$u.weight_packed is not 96 rows of words *" \
    'be("$w.weight_packed", "I32", 768)'
wrong 'zeros turned' "$u.weight_zero_point is not 12 x 2 words (i32)" \
    'be("$w.weight_zero_point", "I32", 2, 12)'
wrong 'a group below zero' "$u.weight: g_idx: column 0 is of group -1 of 2" \
    '$t{"$w.weight_g_idx"} = { dtype => "I32", shape => [64],
    data => pack("l<", -1) . "\0" x 252 }'
wrong 'fewer columns in order' "$u.weight_g_idx is not a list of 64 i32" \
    '$t{"$w.weight_g_idx"} = { dtype => "I32", shape => [32],
    data => "\0" x 128 }'
g='config_groups: group_0: weights:'
config 'five bits' "$g 5 bits of type int are not honoured*" \
    '/num_bits/s/4/5/'
wrong 'other bits' '*.weight_packed is not 64 rows of words *' 1 \
    '/num_bits/s/4/8/'
wrong 'groups that do not divide' '*.weight_scale fits no block size *' 1 \
    '/group_size/s/32/48/'
config 'groups of 0' "$g group_size is missing" '/group_size/s/32/0/'
config 'floats of four bits' "$g 4 bits of type float are not honoured*" \
    's/"type": "int"/"type": "float"/'
config 'another scope' "$g strategy \"x\" is not honoured" \
    '/strategy/s/"group"/"x"/'
wrong 'one scale for all' '*.weight_scale fits no block size *' 1 \
    '/strategy/s/"group"/"tensor"/'
config 'another layout' 'format "marlin-24" is not honoured' \
    's/pack-quantized/marlin-24/'
config 'no groups' 'key "config_group" is not honoured' \
    's/config_groups/config_group/'
layout ct-w8a8 $u
zeros="$u.weight_zero_point is not as many i8 as $u.weight_scale"
wrong 'a scale of NaN' "the scales of $u.weight are not finite: scale 0 is NaN" \
    'put(0, pack("v", 0x7fc0), "$w.weight_scale")'
wrong 'zeros of another type' "$zeros" \
    'be("$w.weight_zero_point", "U8", 96, 1)'
wrong 'fewer zeros' "$zeros" 'cut("$w.weight_zero_point", 95, 95, 1)'
wrong 'codes of floats' "$u.weight is of type f8_e4m3, which the quant*" \
    'be("$w.weight", "F8_E4M3", 96, 64)'
layout ct-fp8 $u
wrong 'a scale below zero' "scale 0 of $u.weight is -1, which no scale of fp8 is" \
    'put(0, pack("v", 0xbf80), "$w.weight_scale")'
wrong 'codes of whole numbers' "$u.weight is of type i8, which the quant*" \
    'be("$w.weight", "I8", 96, 64)'

# ---- MXFP4 --------------------------------------------------------------------

d=model.layers.0.mlp.experts.down_proj
layout mxfp4 $d
blocks="${d}_blocks is not experts x rows x blocks of 16 u8"
scales="${d}_scales is not an u8 for each block of ${d}_blocks"
wrong 'an exponent of NaN' "the scales of model.layers.0.mlp.experts.0.down_proj.weight are not finite: scale 0 is NaN" \
    'put(0, "\xff", "${w}_scales")'
wrong 'scales turned' "$scales" 'be("${w}_scales", "U8", 2, 1, 40)'
wrong 'scales of another type' "$scales" 'be("${w}_scales", "I8", 2, 40, 1)'
wrong 'fewer scales' "$scales" 'cut("${w}_scales", 40, 1, 40, 1)'
wrong 'no scales' "${d}_scales is missing" 'delete $t{"${w}_scales"}'
wrong 'no codes' "tensor ${d}_scales belongs to no weight" \
    'delete $t{"${w}_blocks"}'
wrong 'blocks of 8' "$blocks" 'be("${w}_blocks", "U8", 2, 40, 2, 8)'
wrong 'a dimension less' "$blocks" 'be("${w}_blocks", "U8", 2, 40, 16)'
wrong 'codes of another type' "$blocks" \
    'be("${w}_blocks", "I8", 2, 40, 1, 16)'
wrong 'the weight as it is, too' "weight model.layers.0.mlp.experts.0.down_proj.weight is there twice" \
    '$t{$w} = { dtype => "F16", shape => [1, 1, 1], data => "\0\0" }'
wrong 'no stack' "$d is not experts x inputs x outputs" \
    '$t{$w} = { dtype => "F16", shape => [1], data => "\0\0" }'
wrong 'no pairs' "model.layers.0.mlp.experts.gate_up_proj_bias is not experts x outputs" \
    '$t{"model.layers.0.mlp.experts.gate_up_proj_bias"} = { dtype => "F16", shape => [2, 1], data => "\0\0\0\0" }'

# ---- blocks of ggml's ---------------------------------------------------------

# The same types again are copied, and still looked into (the file ends with
# a norm, before which are the rows of the last layer's values).
while read -r t at; do
	peft-quantize -q -f -t "$t" --pure -o whole.gguf base
	N=$at perl -0777 -pe 'BEGIN { binmode STDIN; binmode STDOUT }
	    substr($_, -256 - $ENV{N}, 2) = pack "v", 0x7c00' \
	    whole.gguf >bad.gguf
	refuse "$t: a scale of Inf, kept" 2 "weight model.layers.1.self_attn.v_*: \
blocks of $t whose scales are not finite: 1" \
	    peft-quantize -q -f -o o/was.gguf bad.gguf
	refuse "$t: a scale of Inf, made into others" 4 \
	    'weight *self_attn.v_proj.weight: 32 values are not finite' \
	    peft-quantize -q -f -t f16 -o o/was.gguf bad.gguf
done <<END
q8_0 2176
q4_0 1152
q5_1 1536
END

done_testing
