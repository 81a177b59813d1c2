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
peft-quantize -q -t bf16 -o half/ base
expect 0 '' peft-quantize -q -o half.gguf half
expect 0 '' peft-quantize -q -t bf16 -o half.back/ half.gguf
for d in half half.back; do st-list $d/model.safetensors >$d.list; done
ok 'of bf16, byte for byte and in the same order' cmp half.list half.back.list
ok 'with the template' cmp half/chat_template.jinja half.back/chat_template.jinja
# what a config.json says of the model; where theta stands is transformers' taste
meaning() { jq -S 'del(.attention_dropout, .initializer_range, .pretraining_tp, .use_cache, .transformers_version) |
    .torch_dtype = (.torch_dtype // .dtype) | del(.dtype) |
    .rope_theta = (.rope_theta // .rope_parameters.rope_theta) | del(.rope_parameters)' "$1/config.json"; }
meaning half >want; meaning half.back >got
ok 'and a config.json that means the same' cmp want got
peft-quantize -q -o again.gguf half.gguf
ok 'GGUF to GGUF is the identity' cmp half.gguf again.gguf
peft-tokenize -q -m base chats.jsonl | tail -n +2 >ids.base
peft-tokenize -q -m a.gguf chats.jsonl | tail -n +2 >ids.gguf
ok 'the tokenizer survives the way through GGUF' cmp ids.base ids.gguf
peft-quantize -q -t bf16 base >p1; peft-quantize -q -t bf16 -o p2.safetensors base
ok 'a pipe and a name give the same bytes' cmp p1 p2.safetensors
peft-quantize -q -t Q8_0 -o q1.gguf base; peft-quantize -q base | peft-quantize -q -t q8_0 -o q2.gguf -
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
# GPT-2's linears are [in, out], and quantised ones [out, in]
mkdir gpt2; zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C gpt2 -xf -
for t in nf4 int8 fp8; do
	expect 0 '' peft-quantize -q -t $t -o turned/ gpt2/model
	ok "$t: a linear of GPT-2 is turned over" sh -c 'peft-inspect turned |
	    grep -q "h.0.attn.c_attn.weight .*\[96,32\]"'
	expect 0 '' peft-quantize -q -t f32 -o plain/ turned
	expect 0 '' peft-quantize -q -t $t -o again/ turned
	expect 0 '' peft-inspect --diff turned again
	expect 0 '' peft-quantize -q -t $t -o again/ -f plain
	expect 0 '' peft-quantize -q -t f32 -o plainer/ again
	expect 0 '' peft-inspect --diff plain plainer
	rm -rf turned plain again plainer
done
expect 0 '*rms*' peft-quantize -n -t q4_0 --report base
ok 'a dry run writes nothing' [ ! -s out ]
expect 0 '' peft-quantize -q --shard 100K -o shards/ base
expect 1 '*--shard is for folders*' peft-quantize -q --shard 100K -o shards.gguf base
expect 0 '' peft-inspect --diff base shards
ok 'shards and an index' [ -f shards/model.safetensors.index.json ]
expect 2 '*--keep * matches no weight' peft-quantize -q --keep nothing -t nf4 -o x/ base
expect 0 '' peft-quantize -q --keep 'layers\.0\.' -t nf4 -o kept/ base
ok 'what is kept is kept' sh -c 'peft-inspect kept | grep layers.0.mlp.up_proj.weight | grep -q f32'
expect 1 '*cannot be written*' peft-quantize -t q9_9 base
expect 2 '*exists in GGUF only*' peft-quantize -q -t q8_0 -o x.safetensors base
# what no weight could heed
for idle in '-t q8_0 --double-quant -o x.gguf' '-t int8 --block-size 64 -o x/' \
    '--double-quant -o x/' '--fit 1M --block-size 32 -o x.gguf' \
    '-t int8 -t mlp=fp8 --double-quant -o x/'; do
	# shellcheck disable=SC2086	# words are what they are
	expect 1 '*--*-* is for nf4 and fp4: no weight is to get one of these' peft-quantize $idle base
done
expect 0 '' peft-quantize -q -t int8 -t mlp=nf4 --block-size 32 -n base
expect 1 '*--keep is for -t and --fit*' peft-quantize --keep norm -o x/ base
expect 1 '*--pure is for quantised types of GGUF, not for nf4' peft-quantize -t nf4 --pure -o x/ base

# int8 and fp8: read as they were written, kept, and told in config.json
for t in int8 fp8; do
	expect 0 '*-> '$t' *rms*' peft-quantize -q -t $t --report -o $t/ base
	expect 0 '' peft-quantize -q -o kept.safetensors -f $t
	expect 0 '' peft-inspect --diff $t kept.safetensors
	expect 0 '' peft-quantize -q -t f32 -o values/ -f $t
	expect 0 '' peft-quantize -q -t q8_0 -o x.gguf -f $t
	peft-quantize -q -t $t base | peft-quantize -q >piped.safetensors
	expect 0 '' sh -c "peft-quantize -q <piped.safetensors >piped2.safetensors"
	ok "$t through a pipe" cmp piped.safetensors piped2.safetensors
done
st-list int8/model.safetensors | grep 'layers.0.*q_proj' | sed 's/ [0-9a-f]\{16,\}.*//' >got
ok 'int8: keys of bitsandbytes' sh -c "grep -q 'q_proj.weight I8' got && grep -q 'q_proj.SCB F32' got && grep -q 'q_proj.weight_format U8' got"
ok 'int8: config.json says how' grep -q '"load_in_8bit": true' int8/config.json
st-list fp8/model.safetensors >got
ok 'fp8: keys of transformers' sh -c "grep -q 'q_proj.weight F8_E4M3' got && grep -q 'q_proj.weight_scale_inv F32' got"
ok 'fp8: blocks that divide all' sh -c "tr -d ' \n' <fp8/config.json | grep -q '\"quant_method\":\"fp8\",\"weight_block_size\":\[32,32\]'"
ok 'fp8: no f32 beside what is expanded to bf16' sh -c '! grep -v weight_scale_inv got | grep -q " F32"'
expect 2 '*of two quantised types*' peft-quantize -q -t nf4 -t 'q_proj=fp8' -o x/ base
expect 2 '*type int8 does not exist in GGUF*' peft-quantize -q -t int8 -o y.gguf base

# what GPT-2 has [in, out] is a linear's in these, as bitsandbytes turns it
peft-quantize -q -t f32 -o gpt2.gguf gpt2/model
for t in nf4 int8 fp8; do
	for from in gpt2/model gpt2.gguf; do
		expect 0 '' peft-quantize -q -t $t -f -o g2.d/ $from
		peft-quantize -q -f -o g2.safetensors g2.d
		expect 0 '' peft-inspect --diff g2.d g2.safetensors
		peft-quantize -q -t f32 -f -o values/ g2.d
		run peft-inspect --json --diff gpt2/model values
		ok "gpt2 from $from in $t: near what it was" jq -s -e \
		    'map(.rms) | max | . > 1e-3 and . < 0.12' out
	done
	ok "gpt2 in $t: rows are outputs" sh -c \
	    "peft-inspect g2.d | grep -q 'h.0.attn.c_attn.weight  *$t  *\[96,32\]'"
done

# and what its rows divide into is seen as they are stored
cp -r gpt2/model wide
jq '.n_inner = 256' gpt2/model/config.json >wide/config.json
perl "$TOP/tests/st-edit.pl" 'for (keys %t) {
	my @s = /mlp.c_fc.weight/ ? (32, 256) : /mlp.c_fc.bias/ ? (256) : /mlp.c_proj.weight/ ? (256, 32) : next;
	my $n = $s[0] * ($s[1] // 1);
	$t{$_} = { dtype => "F32", shape => [@s], data => pack "f<*", map { sin } 1 .. $n };
}' <gpt2/model/model.safetensors >wide/model.safetensors
run peft-quantize -f -t q4_k --pure -o wide.gguf wide
ok "gpt2, rows of 32 and of 256: $(cat err)" sh -c \
    "[ $rc = 0 ] && peft-inspect wide.gguf >got && grep -q 'h.0.mlp.c_fc.weight  *q5_0' got && grep -q 'h.0.mlp.c_proj.weight  *q4_k' got"
expect 0 '' peft-quantize -q -f --fit 48K -o wide.gguf wide
expect 2 '*rows of 32 do not divide into blocks of 256*' peft-quantize -f -t 'c_fc=q4_k' -o wide.gguf wide

# the types of blocks from 64 to 4096
for n in 64 128 256 512 1024 2048 4096; do
	peft-quantize -q -t nf4 --block-size $n -f -o block.safetensors base
	ok "blocks of $n" sh -c "peft-inspect --json block.safetensors >got && strings block.safetensors | grep -q '\"blocksize\": $n,'"
	expect 0 '' peft-quantize -q -t f32 -f -o values.safetensors block.safetensors
done

# shards of which the index says how large they are
peft-quantize -q -t nf4 --shard 60K -f -o shards/ base
total=$(sed -n 's/.*"total_size": \([0-9]*\).*/\1/p' shards/model.safetensors.index.json)
for f in shards/*.safetensors; do st-list "$f"; done >got
ok 'total_size is the sum of all tensors' perl -e '
	my %size = (F32 => 4, U8 => 1, BF16 => 2, F16 => 2);
	my $sum = 0;
	while (<STDIN>) {
		my ($name, $type, $shape) = split;
		next if $name =~ /^peft\.file/;
		$sum += 256, next if $type =~ /^\{/;	# a state
		my $n = $size{$type} or die $_;
		$n *= $_ for $shape =~ /\d+/g;
		$sum += $n;
	}
	exit($sum != shift)' "$total" <got

# the hash of what a model was made from is in it, though it is written first
hash_of() { peft-inspect --json --hash "$1" | grep -o 'sha256:[0-9a-f]\{64\}' | tail -n 1; }
told() { strings -n 60 "$1" | grep -o '"peft.origin":"[^"]*"' | cut -d'"' -f4; }
peft-quantize -q -t nf4 --double-quant -f -o dq/ base
for src in base base.gguf dq; do
	h=$(hash_of $src)
	peft-quantize -q -t bf16 -f -o o.safetensors $src
	ok "$src: its hash in a bundle" [ -n "$h" -a "$(told o.safetensors)" = "$h" ]
	peft-quantize -q -t f32 --shard 100K -f -o o.d/ $src
	ok "$src: and in each shard" [ "$(for f in o.d/*.safetensors; do told $f; done | sort -u)" = "$h" ]
	peft-quantize -q -t bf16 $src | cmp - o.safetensors >same 2>&1
	ok "$src: the same bytes on standard output" [ ! -s same ]
done

# data that lies askew is copied to be read, and the copy does not last
perl -0777 -pe 'my $n = unpack "Q<", $_; substr($_, 8 + $n, 0) = " ";
    substr($_, 0, 8) = pack "Q<", $n + 1' <base/model.safetensors >askew
cp -r base askew.d && mv askew askew.d/model.safetensors
peft-quantize -q -t bf16 -f -o straight.safetensors base
for j in 1 2 7; do
	expect 0 '' peft-quantize -q -j $j -t bf16 -f -o o.safetensors askew.d
	ok "askew, -j $j: the same bytes" cmp straight.safetensors o.safetensors
done

# sizes that are none, in a config.json that is only copied
while IFS='|' read -r edit glob; do
	rm -rf askew.d && cp -r base askew.d
	sed "$edit" base/config.json >askew.d/config.json
	expect 2 "$glob" peft-quantize -q -t bf16 -f -o o.safetensors askew.d
done <<'END'
s/"hidden_size": 64/"hidden_size": -1, "x": 1/|*askew.d: config.json: "hidden_size" is -1, not in *
s/"num_hidden_layers": 2/"num_hidden_layers": 1e12, "x": 1/|*askew.d: config.json: "num_hidden_layers" is 1000000000000, not in *
/"hidden_size"/d|*askew.d: config.json: key "hidden_size" is missing
/"num_hidden_layers"/d|*askew.d: config.json: key "num_hidden_layers" is missing
/"num_attention_heads"/d|*askew.d: config.json: key "num_attention_heads" is missing
s/"vocab_size"/"x"/|*askew.d: config.json: key "vocab_size" is missing
END
# of a family that is not known here nothing is asked
sed '/"hidden_size"/d; s/"model_type": "[a-z]*"/"model_type": "another"/' \
    base/config.json >askew.d/config.json
expect 0 '' peft-quantize -q -t bf16 -f -o o.safetensors askew.d

# a source that changes while it is read, or is cut short
make_source() { rm -rf big; cp -r base big; }
slowly() {	# the writer waits on the pipe until it is changed
	make_source
	mkfifo pipe
	{ rc=0; peft-quantize -q -t f32 big >pipe 2>err || rc=$?; echo $rc >rc; } &
	{ head -c 1000 >/dev/null; sh -c "$1"; cat >/dev/null; } <pipe
	wait
	rm pipe
}
slowly 'touch big/model.safetensors'
ok 'a source that was changed is refused' sh -c 'grep -q "was changed while it was read" err && grep -qx 2 rc'
slowly 'truncate -s 9000 big/model.safetensors'
ok 'a source that was cut, too' sh -c 'grep -q "was c[a-z]* while it was read" err && grep -qx 2 rc'
slowly :
ok 'otherwise it is not' grep -qx 0 rc

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
