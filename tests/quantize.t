#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-quantize: containers there and back, pipes, refusals.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

expect 0 '' peft-quantize -q -t f32 -o a.gguf base
expect 0 '' peft-quantize -q -t f32 -o b/ a.gguf
expect 0 '' peft-inspect --diff base b
ok 'folder -> GGUF -> folder is the identity' [ ! -s out ]
expect 0 '' peft-quantize -q -o c.safetensors b
expect 0 '' peft-inspect --diff base c.safetensors
peft-tokenize -q -m base chats.jsonl | tail -n +2 >ids.base
peft-tokenize -q -m a.gguf chats.jsonl | tail -n +2 >ids.gguf
ok 'the tokenizer survives the way through GGUF' cmp ids.base ids.gguf
peft-quantize -q -t bf16 base >p1; peft-quantize -q -t bf16 -o p2.safetensors base
ok 'a pipe and a name give the same bytes' cmp p1 p2.safetensors
peft-quantize -q -t q8_0 -o q1.gguf base; peft-quantize -q base | peft-quantize -q -t q8_0 -o q2.gguf -
ok 'from a pipe as from a folder' cmp q1.gguf q2.gguf
for t in nf4 fp4; do
	expect 0 '' peft-quantize -q -t $t -o $t/ base
	peft-quantize -q -t $t base | peft-quantize -q -o $t.safetensors -
	expect 0 '' peft-inspect --diff $t $t.safetensors
	expect 0 '' peft-quantize -q -t $t --double-quant -o $t.dq/ base
	expect 3 '*differ*' peft-inspect --diff base $t.dq
done
ok 'config.json says how' grep -q '"bnb_4bit_quant_type": "nf4"' nf4/config.json
ok 'floats are spelt as floats: transformers refuses 6 for 6.0' grep -q '"llm_int8_threshold": 6\.0,' nf4/config.json
expect 0 '' peft-quantize -q -t f32 -o back/ nf4
ok 'and no longer, afterwards' sh -c '! grep -q quantization_config back/config.json'
expect 0 '*rms*' peft-quantize -n -t q4_0 --report base
ok 'a dry run writes nothing' [ ! -s out ]
expect 0 '' peft-quantize -q --shard 100K -o shards/ base
expect 0 '' peft-inspect --diff base shards
ok 'shards and an index' [ -f shards/model.safetensors.index.json ]
expect 2 '*--keep * matches no weight' peft-quantize -q --keep nothing -t nf4 -o x/ base
expect 0 '' peft-quantize -q --keep 'layers\.0\.' -t nf4 -o kept/ base
ok 'what is kept is kept' sh -c 'peft-inspect kept | grep layers.0.mlp.up_proj.weight | grep -q f32'
expect 1 '*cannot be written*' peft-quantize -t q9_9 base
expect 2 '*exists in GGUF only*' peft-quantize -q -t q8_0 -o x.safetensors base

# hostile input: the message names the file and what is wrong
f=base/model.safetensors
size=$(wc -c <$f) i=0 missed=
while [ "$i" -lt "$size" ]; do
	head -c "$i" $f >short.safetensors
	peft-inspect short.safetensors >/dev/null 2>err && missed="$missed $i"
	[ -s err ] || missed="$missed $i"
	i=$((i * 2 + 7))
done
ok 'no prefix is taken for the whole' [ -z "$missed" ]
(cat $f; printf x) >long.safetensors
expect 2 '*trailing bytes*' peft-inspect long.safetensors
st() { perl -e 'my ($h,$n)=@ARGV; $h.=" " while length($h)%8; print pack("Q<",length $h),$h,"\0"x$n' "$1" "$2" >bad.safetensors; }
st '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}' 4
expect 2 '*tensor a: its data has 4 bytes, its shape calls for 8' peft-inspect bad.safetensors
st '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}' 6
expect 2 '*overlaps*' peft-inspect bad.safetensors
st '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' 8
expect 2 '*duplicate key "a"' peft-inspect bad.safetensors
st '{"a\u001b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' 4
expect 2 '*tensor a[?][[]2J: *control character*' peft-inspect bad.safetensors
st '{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}' 4
expect 2 '*dtype F99 is not known' peft-inspect bad.safetensors
st '{"a":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,4]}}' 4
expect 2 '*too large' peft-inspect bad.safetensors
st '{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}' 4
expect 2 '*byte *' peft-inspect bad.safetensors
printf 'PK\003\004xxxxxxxx' >model.bin
expect 2 '*pickle*' peft-inspect model.bin
cp -r shards less; rm less/model-00002-*
expect 2 '*No such file*' peft-inspect less
cp -r shards out_of; sed -i 's/model-00002-of/..\/x-of/' out_of/model.safetensors.index.json
expect 2 '*in no file of this folder' peft-inspect out_of
g=a.gguf
for at in 3 20 200 2000 20000; do
	head -c $at $g >short.gguf
	expect 2 '*' peft-inspect short.gguf
done

done_testing
