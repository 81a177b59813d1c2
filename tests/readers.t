#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checkpoints that others have quantised, and models in odd containers.
# (tests/parity/readers_golden.py makes golden/readers with the software that
# writes such checkpoints, or by its formulas.)
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
golden=$TOP/tests/golden/readers
seeds=$TOP/tests/fuzz/corpus/fuzz-safetensors

perl -e 'for $r (1 .. 4) { @i = map { 3 + ($_ * $r * 7) % 29 } 1 .. 20;
    printf "{\"input_ids\":[%s],\"labels\":[-100,-100,%s]}\n",
    join(",", @i), join(",", @i[2 .. 19]) }' >micro.jsonl

# ---- values, bit for bit -----------------------------------------------------

for want in "$golden"/*.txt; do
	c=$(basename "$want" .txt)
	mkdir "$c"
	cp "$golden/$c.json" "$c/config.json"
	zstd -dq "$golden/$c.safetensors.zst" -o "$c/model.safetensors"
	type=$(head -n 1 "$want")
	expect 0 '' peft-quantize -q -t "$type" -o "$c.own/" "$c"
	st-list "$c.own/model.safetensors" | sort >got
	sed 1d "$want" | sort >wanted
	ok "$c in $type: as other software has it" diff wanted got
	ok "$c: nothing is left of its quantization_config" \
	    sh -c "! grep quantization_config $c.own/config.json"
	case $c in mxfp4|gptq-gpt2) continue ;; esac

	# the programs take them as they are
	peft-quantize -q -t f32 -o "$c.f32/" "$c"
	for m in "$c" "$c.f32"; do
		peft-eval -q -m "$m" micro.jsonl >"${m#"$c"}.eval"
	done
	ok "$c: the loss is that of its values in f32" cmp .eval .f32.eval
done

# seeds are bundles with their config first
for c in gptq4 gptq3 awq ct-int4 ct-w8a8 fp8-block mxfp4; do
	peft-quantize -q -t f32 -f -o file.safetensors "$seeds/$c"
	peft-quantize -q -t f32 - <"$seeds/$c" >pipe.safetensors
	st-list file.safetensors | grep -v '^peft.file' >file
	st-list pipe.safetensors | grep -v '^peft.file' >pipe
	ok "$c: a pipe and a file say the same" cmp file pipe
	ok "$c: something" [ -s pipe ]
done

# edited CASE NEW CODE [SED-SCRIPT]: another model, with its values in NEW.f32
edited() {
	mkdir "$2"
	sed "${4-}" "$1/config.json" >"$2/config.json"
	perl "$TOP/tests/st-edit.pl" "$3" <"$1/model.safetensors" \
	    >"$2/model.safetensors"
	expect 0 '' peft-quantize -q -t f32 -o "$2.f32/" "$2"
	st-list "$2.f32/model.safetensors" | sort >"$2.list"
}
# compressed-tensors leaves a g_idx of -1 where columns are in order
edited ct-int4 inorder 1
edited ct-int4 unset 'for my $p (grep /packed$/, keys %t) {
    (my $s = $p) =~ s/packed/shape/; (my $g = $p) =~ s/packed/g_idx/;
    my $n = (unpack "q<2", $t{$s}{data})[1];
    $t{$g} = { dtype => "I32", shape => [$n], data => pack("l<", -1) x $n } }'
ok 'a g_idx that was never set is none' cmp inorder.list unset.list
# 1.0 in both kinds of 8-bit floats
ones='for (grep /proj.weight$/, keys %t) {
    $t{$_}{data} =~ s/./$c/gs; $t{$_}{dtype} = $d }'
edited fp8-block e4m3 "my (\$c, \$d) = ('8', 'F8_E4M3'); $ones"
edited fp8-block e5m2 "my (\$c, \$d) = ('<', 'F8_E5M2'); $ones" s/e4m3/e5m2/
edited fp8-block either "my (\$c, \$d) = ('<', 'F8_E5M2'); $ones" /fmt/d
ok 'fp8: of five bits of exponent, if that is said' cmp e4m3.list e5m2.list
ok 'or if nothing is' cmp e4m3.list either.list

# ---- other types, other containers ------------------------------------------

values() { st-list "$1" | grep -v '^peft.file' | sort; }
for c in gptq4 ct-int4; do
	values $c.f32/model.safetensors >want
	peft-quantize -q -t nf4 -o $c.nf4/ $c
	peft-quantize -q -t nf4 -o twice.nf4/ -f $c.f32
	values $c.nf4/model.safetensors | grep proj.weight | grep -v state >got
	values twice.nf4/model.safetensors | grep proj.weight | grep -v state >twice
	ok "$c: nf4 is that of its values" cmp twice got
	ok "$c: the quantization_config is nf4's" \
	    grep -q '"bnb_4bit_quant_type": "nf4"' $c.nf4/config.json
	ok "$c: and of no other method" \
	    sh -c "! grep -E 'gptq|compressed' $c.nf4/config.json"
done
peft-quantize -q -o kept/ gptq4
ok 'without -t it gets the type of its scales' sh -c \
    "peft-inspect kept | grep -q '^types  *f16 .* bytes 66304'"
peft-quantize -q -f -o gptq4.gguf gptq4
ok 'and in GGUF' sh -c \
    'peft-inspect gptq4.gguf | grep -q "q_proj.weight  *f16"'
peft-quantize -q -t f32 -f -o gptq4.gguf gptq4
peft-quantize -q -t f32 -o back/ gptq4.gguf
values gptq4.f32/model.safetensors >want
values back/model.safetensors >got
ok 'GGUF and back: the same values' cmp want got
ok 'a tied head stays tied' sh -c '! grep lm_head got'
st-list gptq3.own/model.safetensors >got
ok 'an untied head is there' grep -q '^lm_head.weight F16 32x64' got
ok 'and biases' grep -q 'q_proj.bias F16 64' got

# ---- a frozen base ------------------------------------------------------------

for c in gptq4 fp8-block bnb-int8; do
	train="--steps 2 --rank 2 --batch 2 --no-shuffle -s 1 -j 2"
	# shellcheck disable=SC2086
	for m in $c $c.f32; do
		peft-train -q -m $m $train -o ad.$m/ micro.jsonl
		st-list ad.$m/adapter_model.safetensors >list.$m
	done
	ok "$c: training over it is training over its values" \
	    cmp list.$c list.$c.f32
	expect 0 '' peft-merge -q -m $c -a ad.$c -t f32 -o merged.$c/
	peft-merge -q -m $c.f32 -a ad.$c.f32 -t f32 -o merged.$c.f32/
	values merged.$c/model.safetensors >got
	values merged.$c.f32/model.safetensors >want
	ok "$c: merging into it is merging into its values" cmp want got
	expect 0 '' peft-merge -q -m $c -a ad.$c --force-lossy -o lossy.$c/
	ok "$c: without -t into 16 bits" sh -c \
	    "st-list lossy.$c/model.safetensors | grep -q 'q_proj.weight B*F16'"
done

# ---- what is told --------------------------------------------------------------

# tells CASE GLOB
tells() {
	run peft-inspect "$1"
	said=$(sed -n 's/^quantization  *//p' out)
	# shellcheck disable=SC2254
	case $said in
	$2) ok "$1: $2" true ;;
	*) ok "$1: $2" echo "$said" -a false ;;
	esac
}
tells gptq4 '*"gptq"*"bits":4,"scale_for":"group of 32","group_size":32,"weights":7*"act_order":true,"symmetric":false*"not_quantised":8*'
tells gptq2-dynamic '*"bits":4,"scale_for":"group of 16","group_size":16,"weights":1*"bits":2,"scale_for":"group of 32","group_size":32,"weights":6*'
tells gptq8-v2 '*"bits":8,"scale_for":"row"*"symmetric":true*'
tells awq '*"awq"*"bits":4*"group of 32"*'
tells ct-w8a8 '*"compressed-tensors"*"int8g"*"activations":"not quantised here"*'
tells fp8-block '*"fp8"*"fp8"*"block of 32 x 32"*'
tells fp8-tensor '*"scale_for":"weight"*'
tells mxfp4 '*"mxfp4"*"bits":4,"scale_for":"group of 32","group_size":32,"weights":6*'
tells bnb-int8 '*"bitsandbytes"*"bits":8,"scale_for":"row"*'
tells bnb-nf4 '*"bits":4,"scale_for":"32 weights","group_size":32,"double":true*'

# a hash holds what the values depend on
for c in gptq4 awq mxfp4; do
	peft-inspect --hash $c | grep '^hash' >first
	peft-inspect --hash $c | grep '^hash' >second
	ok "$c: a hash, twice the same" cmp first second
done

# as many scales of the same values, for blocks of 16 x 32 and of 32 x 16
grid='for (grep /_scale_inv$/, keys %t) { (my $w = $_) =~ s/_scale_inv//;
    my ($r, $c) = @{$t{$w}{shape}}; $t{$_}{shape} = [$r / $a, $c / $b];
    $t{$_}{data} = pack "f<*", map $_ / 8, 1 .. $r / $a * $c / $b }'
edited fp8-block flat "(\$a, \$b) = (16, 32); $grid" 's/^ *32,$/16,/'
edited fp8-block tall "(\$a, \$b) = (32, 16); $grid" 's/^ *32$/16/'
ok 'blocks of another form are other values' sh -c '! cmp -s flat.list tall.list'
for c in flat tall; do
	peft-inspect --hash $c | grep '^hash' >$c.hash
done
ok 'and another hash' sh -c '! cmp -s flat.hash tall.hash'

# ---- a file of its own for the quantization ---------------------------------

cp -r gptq4 old
perl -0777 -ne 'print $1 if /"quantization_config": (\{.*\})\s*\}\s*$/s' \
    gptq4/config.json >old/quantize_config.json
sed '/"quantization_config"/,$d' gptq4/config.json >old/config.json
printf '"x": null}\n' >>old/config.json
peft-quantize -q -t f16 -f -o old.own/ old
st-list old.own/model.safetensors | sort >got
sed 1d "$golden/gptq4.txt" | sort >want
ok 'quantize_config.json, as old folders have it' diff want got
echo '{"bits":4,"group_size":32,"desc_act":true,"extra":7}' \
    >old/quantize_config.json
expect 2 '*: old/quantize_config.json: key "extra" is not honoured' \
    peft-quantize -n old
cp -r awq oldawq
sed 's/"quantization_config"/"x"/' awq/config.json >oldawq/config.json
echo '{"zero_point":true,"q_group_size":32,"w_bit":4,"version":"GEMM"}' \
    >oldawq/quant_config.json
peft-quantize -q -t f16 -f -o old.own/ oldawq
st-list old.own/model.safetensors | sort >got
sed 1d "$golden/awq.txt" | sort >want
ok 'quant_config.json, too' diff want got

# ---- a config.json that says too much -------------------------------------

cp -r base claims
sed 's/^{/{"quantization_config": {"load_in_4bit": true},/' \
    base/config.json >claims/config.json
expect 2 '*: claims: quantization_config says bitsandbytes, and no weight *' \
    peft-quantize -n claims
cp -r adapter beside
cp claims/config.json beside
expect 0 '' peft-merge -q -m base -a beside -o plain/

# ---- split GGUF -----------------------------------------------------------------

peft-inspect --hash base.gguf | grep '^hash' >want
mkdir s
split-tool base.gguf s/m 3
split-tool base.gguf s/bare 4 0
for f in s/m-00001-of-00003.gguf s/m-00003-of-00003.gguf \
    s/bare-00001-of-00004.gguf s/bare-00004-of-00004.gguf; do
	peft-inspect --hash $f | grep '^hash' >got
	ok "$(basename $f): the model it is part of" cmp want got
done
peft-quantize -q -t f32 -o one.safetensors base.gguf
peft-quantize -q -t f32 -o all.safetensors s/m-00002-of-00003.gguf
ok 'the parts are the whole, byte for byte' cmp one.safetensors all.safetensors

expect 2 '*: standard input: is part 1 of 3 of a split GGUF, which a pipe*' \
    sh -c 'peft-inspect - <s/m-00001-of-00003.gguf'
part=s/m-00002-of-00003.gguf
mv $part s/kept
expect 2 "*: part 2 of 3: $part: No such file*" \
    peft-inspect s/m-00001-of-00003.gguf
cp s/m-00001-of-00003.gguf $part
expect 2 "*: $part: is part 1 of 3, not 2 of 3" \
    peft-inspect s/m-00001-of-00003.gguf
cp s/bare-00002-of-00004.gguf $part
expect 2 "*: $part: is part 2 of 4, not 2 of 3" \
    peft-inspect s/m-00001-of-00003.gguf
cp base.gguf $part
expect 2 "*: $part: split.no is missing or no number" \
    peft-inspect s/m-00001-of-00003.gguf
: >$part
expect 2 "*: part 2 of 3: $part: is empty" peft-inspect s/m-00001-of-00003.gguf
echo '{}' >$part
expect 2 "*: $part: *" peft-inspect s/m-00001-of-00003.gguf
perl -0777 -pe 's/(split\.tensors\.count.{4})(.)/$1 . chr(1 + ord $2)/se' s/kept >$part
expect 2 "*: $part: is of another model: split.tensors.count is *" \
    peft-inspect s/m-00001-of-00003.gguf
head -c 30000 s/kept >$part
expect 2 "*: $part: ends early*" peft-inspect s/m-00001-of-00003.gguf
for i in 1 2 3; do		# one tensor more is said to be there
	perl -0777 -pe \
	    's/(split\.tensors\.count.{4})(.)/$1 . chr(1 + ord $2)/se' \
	    "$([ $i = 2 ] && echo s/kept || echo s/m-0000$i-of-00003.gguf)" \
	    >s/n-0000$i-of-00003.gguf
done
expect 2 '*: its parts have 20 tensors in all, split.tensors.count is 21' \
    peft-inspect s/n-00001-of-00003.gguf
cp s/kept $part
cp s/m-00001-of-00003.gguf other.gguf
expect 2 '*: other.gguf: is part 1 of 3 of a split GGUF, but its name does *' \
    peft-inspect other.gguf
split-tool base.gguf s/two 2		# a layer in each
perl -0777 -pi -e 's/blk\.1\.ffn_up/blk.0.ffn_up/' s/two-00002-of-00002.gguf
for i in 1 2; do
	expect 2 '*: s/two-0000?-of-00002.gguf: tensor model.layers.0.mlp.up_proj.weight is there twice' \
	    peft-quantize -q -o twice.safetensors s/two-0000$i-of-00002.gguf
done
ok 'nothing is left' [ ! -e twice.safetensors ]
perl -0777 -pe 's/(general\.architecture.{12})llama/$1alama/s' \
    s/bare-00001-of-00004.gguf >s/far-00001-of-00004.gguf
for i in 2 3 4; do
	cp s/bare-0000$i-of-00004.gguf s/far-0000$i-of-00004.gguf
done
expect 2 '*: architecture alama is not known*' \
    peft-inspect s/far-00004-of-00004.gguf

# ---- pickles -----------------------------------------------------------------------

for name in pytorch_model.bin model.pt consolidated.00.pth last.ckpt \
    pytorch_model.bin.index.json; do
	rm -rf p; mkdir p
	cp base/*.json p
	echo x >p/$name
	expect 2 "*: p/$name is a PyTorch pickle*save it as safetensors*" \
	    peft-inspect p
done
rm -rf p; mkdir p
cp base/*.json base/*.jinja p
echo x >p/training_args.bin
echo x >p/optimizer.pt
expect 0 '' peft-tokenize -q -m p -o tok.jsonl chats.jsonl
ok "what trainers leave is no model" grep -q input_ids tok.jsonl

done_testing
