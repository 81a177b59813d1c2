#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters, checkpoints and packs that are damaged, hostile or of something
# else.
# shellcheck disable=SC2016,SC2317	# perl's $_; by name
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"

# ---- adapters ---------------------------------------------------------------

# adapter WHAT STATUS GLOB FILE PERL [PROGRAMS]: a file of it, changed
adapter() {
	rm -rf bad.a; cp -r adapter bad.a
	perl -0777 -pe "$5" "adapter/$4" >"bad.a/$4"
	each adapter "$1" "$2" "$3" bad.a "${6-train merge eval generate}"
}
c=adapter_config.json w=adapter_model.safetensors
all='train merge eval generate inspect'
adapter 'weights cut' 2 "bad.a/$w: ends early*" $w '$_ = substr $_, 0, -9' "$all"
adapter 'bytes behind the weights' 2 "bad.a/$w: has trailing*" $w '$_ .= 1' "$all"
adapter 'config cut' 2 "bad.a: $c: byte *" $c '$_ = substr $_, 0, 99' "$all"
adapter 'a key twice' 2 "bad.a: $c: duplicate key \"r\"" $c \
    's/"revision"/"r"/' "$all"
adapter 'NaN in the config' 2 "bad.a: $c: byte *: not a value" $c \
    's/"lora_alpha": 8/"lora_alpha": NaN/' "$all"
adapter 'config not UTF-8' 2 "bad.a: $c: byte *: not UTF-8" $c \
    's/tiny/\xff/' "$all"
adapter 'a config that is a list' 2 'bad.a: peft_type is missing*' $c '$_ = "[]"'
adapter 'no type' 2 'bad.a: peft_type is missing*' $c 's/"peft_type"/"peft_tape"/'
adapter 'a type nobody knows' 2 'bad.a: peft_type "LORE" is not known *' $c 's/"LORA"/"LORE"/'
adapter 'a key that is not honoured' 2 'bad.a: *"use_qalora" is not hon*' $c \
    's/"use_qalora": false/"use_qalora": true/'
adapter 'a rank of 0' 2 'bad.a: *"r" is 0, not in *' $c 's/"r": 4/"r": 0/'
adapter 'a rank below zero' 2 'bad.a: *"r" is -4, *' $c 's/"r": 4/"r": -4/'
adapter 'a rank of 2^40' 2 'bad.a: *"r" is 1099511627776, *' $c \
    's/"r": 4/"r": 1099511627776/'
adapter 'a rank in words' 2 'bad.a: *"r" is not a number' $c \
    's/"r": 4/"r": "4"/'
adapter 'another rank' 3 'bad.a: tensor * has shape *, * call for *' $c \
    's/"r": 4/"r": 8/'
adapter 'targets that are a number' 2 'bad.a: target_modules is neither a*' $c \
    's/"target_modules": \[.*?\]/"target_modules": 3/s'
adapter 'targets that fit nothing' 3 'bad.a: *targets no module of *' $c \
    's/"target_modules": \[.*?\]/"target_modules": ["nope"]/s'
adapter 'a regex that is none' 2 "bad.a: pattern '(((a', at character 5*" $c \
    's/"target_modules": \[.*?\]/"target_modules": "(((a"/s'
adapter 'fits nothing of the model' 3 'bad.a: tensor *layers.0.* fits nothing*' \
    $w 's/self_attn/self_attm/g'
adapter 'fits in part' 3 'bad.a: tensor *down_porj*fits nothing*' $w \
    's/layers.1.mlp.down_proj/layers.1.mlp.down_porj/'
adapter 'a tensor less than the config targets' 3 \
    'bad.a: tensor *lm_head.lora_A.weight is missing' $c \
    's/"target_modules": \[/$&"lm_head",/'
adapter 'a tensor more than the config targets' 3 \
    'bad.a: tensor *layers.1.mlp.down_proj* fits nothing*' $c \
    's/"model.layers.1.mlp.down_proj",//'
adapter 'tensors of whole numbers' 2 'bad.a: tensor * is of type i32, not *' \
    $w 's/F32/I32/'
adapter 'NaN in a tensor' 4 'bad.a: tensor * holds NaN or Inf' $w \
    'substr($_, -4) = "\0\0\xc0\x7f"'
merge-tool stamp adapter other "sha256:$(printf '%064d' 0)"
each adapter 'of another base' 3 '*other was trained on the base sha256:0*' \
    other 'train merge eval generate'
each adapter 'a model for an adapter' 2 'base: no adapter_config.json: not*' \
    base 'train merge eval generate'
each adapter 'no such adapter' 2 'nowhere: No such file*' nowhere
mkdir void
each adapter 'an empty folder' 2 'void: no model.safetensors, *' void
: >empty
each adapter 'an empty file' 2 'empty: is empty' empty
mkdir pickled; cp adapter/$c pickled; printf 'PK\003\004' >pickled/adapter_model.bin
each adapter 'a pickle' 2 'pickled/adapter_model.bin is a PyTorch pickle*' \
    pickled
merge-tool stamp adapter adapter.safetensors none
head -c 20000 adapter.safetensors >cut.safetensors
refuse 'a cut adapter in a pipe: merge' 2 'standard input: *ends early*' \
    sh -c 'peft-merge -q -m base -a - -o o/new/ <cut.safetensors'
refuse 'a cut adapter in a pipe: merge -f' 2 'standard input: *ends early*' \
    sh -c 'peft-merge -q -m base -a - -f -o o/was.d/ <cut.safetensors'
each model 'an adapter for a model' 2 'adapter: no config.json: not a model' \
    adapter 'train merge eval generate'

# ---- settings of an adapter to be made ----------------------------------------

# config WHAT STATUS GLOB TEXT: a file for -c
config() {
	printf '%s' "$4" >bad.json
	refuse "$1: train -c" "$2" "$3" \
	    peft-train -q -m base -c bad.json --steps 1 -o o/new/ tokens.jsonl
	refuse "$1: train -c -f" "$2" "$3" \
	    peft-train -q -m base -c bad.json --steps 1 -f -o o/was.d tokens.jsonl
}
config 'nothing' 2 'bad.json: byte 1: *' ''
config 'a list' 2 'bad.json: not an object' '[]'
config 'cut' 2 'bad.json: byte *' '{"r": 4'
config 'a key twice' 2 'bad.json: duplicate key "r"' '{"r":4,"r":8}'
config 'NaN' 2 'bad.json: byte *: not a value' '{"lora_alpha":NaN}'
config 'not UTF-8' 2 'bad.json: byte *: not UTF-8' "$(printf '{"r\377":1}')"
config 'nested deep' 2 'bad.json: byte *: nested too deep' \
    "$(perl -e 'print "[" x 9000, "]" x 9000')"
config 'a rank in words' 2 '*"r" is not a number' '{"r":"4"}'
config 'a key nobody knows' 2 '*"magic" is not honoured*' '{"magic":1}'
config 'a target that fits nothing' 2 "*'nope' matches no module*" \
    '{"target_modules":["q_proj","nope"]}'
config 'a rank for what is no target' 2 "*'nope'*" \
    '{"rank_pattern":{"nope":2}}'
refuse 'no such config' 2 'bad: No such file*' peft-train -q -m base -c bad \
    -o o/new/ tokens.jsonl
refuse 'a folder for a config' 2 'base: Is a directory' \
    peft-train -q -m base -c base -o o/new/ tokens.jsonl

# ---- checkpoints ----------------------------------------------------------------

again() {
	peft-train -q -m base --batch 4 --epochs 400 --checkpoint "$1" \
	    --resume -o o/new/ tokens.jsonl
}
peft-train -q -m base --batch 4 --epochs 400 --save-every 1 -o run/ \
    tokens.jsonl & pid=$!
while [ ! -f run.ckpt ] && kill -0 $pid 2>/dev/null; do sleep 0.1; done
kill -9 $pid; wait $pid 2>/dev/null
ok 'there is a checkpoint and nothing else' \
    [ "$(find . -name 'run*' -o -name '.peft*')" = ./run.ckpt ]
# checkpoint WHAT STATUS GLOB PERL: run.ckpt, changed
checkpoint() {
	perl -0777 -pe "$4" run.ckpt >bad.ckpt
	cp bad.ckpt before.ckpt
	refuse "$1: train --resume" "$2" "bad.ckpt: $3" \
	    again bad.ckpt
	ok "$1: the checkpoint is as it was" cmp bad.ckpt before.ckpt
}
checkpoint 'cut' 2 'ends early*' '$_ = substr $_, 0, -9'
checkpoint 'bytes behind it' 2 'has trailing bytes*' '$_ .= "x"'
checkpoint 'a value changed' 2 'its checksum does not fit*' \
    'substr($_, -4, 1) = chr(1 ^ ord substr $_, -4, 1)'
checkpoint 'another step' 2 'its checksum does not fit*' \
    's/"peft.step":"\K(\d)/($1 + 1) % 10/e'
checkpoint 'another best loss' 2 'its checksum does not fit*' \
    's/"peft.best_loss":".*?\K.(?=")/Z/'
checkpoint 'other settings' 3 'the checkpoint is of a run that differs in lr: * there, 0.* here' \
    's/(peft.settings.*?lr\\":)./${1}9/'
checkpoint 'a tensor of another name' 2 '*is missing' 's/"m\/base/"n\/base/'
cp -r adapter/adapter_model.safetensors bad.ckpt
refuse 'an adapter for a checkpoint' 2 'bad.ckpt: not a checkpoint' \
    again bad.ckpt
refuse 'no checkpoint' 2 'none: No such file*' \
    again none

# ---- packs --------------------------------------------------------------------

# tar NAME TYPE DATA [LINK [DEVICE]]: a member of ustar, its header made by hand
tar() {
	perl -e 'my ($name, $type, $data, $link, $dev) = @ARGV;
	    $data .= "\n" if $type eq "x";
	    my $size = $type =~ /[0x]/ ? length $data : 0;
	    my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a100 a6 a2 a32 a32 a8 a8",
		$name, "0000644", "0000000", "0000000", sprintf("%011o", $size),
		"00000000000", "", $type, $link // "", "ustar", "00", "", "",
		$dev // "", $dev // "") . "\0" x 167;
	    my $sum = unpack "%32C*", $h;
	    substr($h, 148, 8) = sprintf "%06o\0 ", $sum;
	    print substr($h, 0, 512);
	    print $data, "\0" x (-$size % 512) if $size' "$@"
}
end() { head -c 1024 /dev/zero; }
sum() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }
# m NAME SIZE DIGEST, ...: the manifest
m() {
	perl -e 'my @f; while (my ($n, $s, $d) = splice @ARGV, 0, 3) {
	    push @f, "{\"name\":\"$n\",\"size\":$s,\"sha256\":\"$d\"}" }
	    print "{\"peft.pack\":1,\"files\":[", join(",", @f), "]}"' "$@"
}
one=$(sum one)
# packed WHAT STATUS GLOB: bad.tar as a pack
packed() { zstd -qc <bad.tar >bad.tar.zst; each pack "$1" "$2" "$3" bad.tar.zst; }
manifest() { tar MANIFEST.json 0 "$1"; }
{ manifest "$(m a 3 "$one")"; tar a 0 one; end; } | zstd -qc >good.tar.zst
expect 0 '' peft-pack --verify good.tar.zst
for name in ../a /a a/../b ./a a/ a//b . .. 'a\b' 'a\u0007' ''; do
	{ manifest "$(m "$(printf %s "$name" | sed 's/\\b/\\\\b/')" 3 "$one")"
	  tar a 0 one; end; } >bad.tar
	packed "'$name' in the manifest" 2 '*: MANIFEST.json: * is no name*'
done
for name in ../a /a a/../b ./a a//b .. 'a\b'; do
	{ manifest "$(m a 3 "$one")"; tar "$name" 0 one; end; } >bad.tar
	packed "a member called '$name'" 2 "*: a member is called '*"
done
for kind in 1:hard 2:symbolic; do
	{ manifest "$(m a 3 "$one")"; tar a ${kind%:*} '' /etc/passwd; end; } >bad.tar
	packed "a ${kind#*:} link" 2 '*: a is not a regular file'
done
for kind in 3:character 4:block 6:fifo; do
	{ manifest "$(m a 3 "$one")"; tar a ${kind%:*} '' '' 0000001; end; } >bad.tar
	packed "a device: ${kind#*:}" 2 '*: a is not a regular file'
done
{ manifest "$(m d/a 3 "$one")"; tar d 2 '' /tmp; tar d/a 0 one; end; } >bad.tar
packed 'a file behind a link' 2 '*: d is not a regular file'
{ manifest "$(m a 3 "$one" a/b 3 "$one")"; tar a 0 one; tar a/b 0 one; end; } \
    >both.tar
refuse 'a file that is a folder' 2 \
    '*: MANIFEST.json: a/b is in a folder that is a file' \
    peft-pack -x -C o/new both.tar
{ manifest "$(m a 3 "$one")"; tar a 0 one; tar a 0 one; end; } >bad.tar
packed 'a member twice' 2 '*: a is there twice'
manifest "$(m a 3 "$one" a 3 "$one")" >bad.tar
packed 'a member twice in the manifest' 2 '*: two files are called a'
{ manifest "$(m a 3 "$one")"; tar b 0 one; end; } >bad.tar
packed 'a member that the manifest lacks' 2 '*: b is not in the manifest'
{ manifest "$(m a 3 "$one")"; end; } >bad.tar
packed 'a member that is missing' 2 '*: a is in the manifest and not in*'
{ manifest "$(m a 3 "$one")"; tar a 0 two; end; } >bad.tar
packed 'another content' 3 '*: a is not what the manifest says'
{ manifest "$(m a 3 "$one")"; tar a 0 onemore; end; } >bad.tar
packed 'more content' 3 '*: a is not what the manifest says'
{ manifest "$(m a 3 "$one")"; tar a 0 one; end; echo more; } >bad.tar
packed 'bytes behind the archive' 2 '*: has trailing bytes behind the arch*'
{ manifest "$(m a 3 "$one")"; tar a 0 one; head -c 400000 /dev/zero
    echo more; } >bad.tar
packed 'bytes far behind the archive' 2 '*: has trailing bytes behind *'
{ cat good.tar.zst; echo more; } >bad.tar.zst
each pack 'bytes behind the packed data' 2 '*: *' bad.tar.zst
for text in '' '[]' '{"peft.pack":2,"files":[]}' '{"files":[]}' '{"peft.pack":1' \
    '{"peft.pack":1,"files":{}}' '{"peft.pack":1,"files":[1]}' \
    '{"peft.pack":1,"files":[{"name":"a","size":-1,"sha256":"x"}]}' \
    '{"peft.pack":1,"files":[{"name":"a","size":3}]}' \
    '{"peft.pack":1,"peft.pack":1,"files":[]}'; do
	{ manifest "$text"; end; } >bad.tar
	packed "the manifest '$text'" 2 '*: MANIFEST.json: *'
done
{ tar a 0 one; end; } >bad.tar
packed 'no manifest' 2 '*: not a pack: its first member is not MANIFEST*'
{ tar MANIFEST.json 2 '' /etc/passwd; end; } >bad.tar
packed 'a manifest that is a link' 2 '*: not a pack: *'
{ tar PaxHeader x "$(printf '22 path=\303\251\303\251\303\251\303\251.json')"
  tar a 0 one; end; } >bad.tar
packed 'a name that cannot be converted' 2 '*: *'
{ manifest "$(m a 1125899906842624 "$one")"; tar a 0 one; end; } |
    zstd -qc >bad.tar.zst
refuse 'more than there is room for: extract' 2 \
    'o/new: the manifest calls for 1125899906842624 bytes, the file system*' \
    peft-pack -x -C o/new bad.tar.zst
# a bomb: 300 MB of zeros in 10 kB, where 3 bytes were announced
{ manifest "$(m a 3 "$one")"
  perl -e 'print pack("a100 a8 a8 a8 a12 a12", "a", "0000644", "0000000",
      "0000000", sprintf("%011o", 300000000), "00000000000")' >h
  perl -0777 -ne '$_ .= "        0" . "\0" x (512 - 157);
      my $s = unpack "%32C*", $_; substr($_, 148, 8) = sprintf "%06o\0 ", $s;
      print' h
  head -c 300000256 /dev/zero; end; } >bad.tar
packed 'a bomb' 3 '*: a is not what the manifest says'
head -c 17000000 /dev/zero | tr '\0' ' ' >h
{ perl -e 'print pack("a100 a8 a8 a8 a12 a12", "MANIFEST.json", "0000644",
      "0000000", "0000000", sprintf("%011o", 17000000), "00000000000")' |
    perl -0777 -ne '$_ .= "        0" . "\0" x (512 - 157);
      my $s = unpack "%32C*", $_; substr($_, 148, 8) = sprintf "%06o\0 ", $s;
      print'; cat h; head -c 2048 /dev/zero; } >bad.tar
packed 'a manifest of 17 MB' 2 '*: the manifest is too large'
peft-pack -c -o whole.tar.zst base
size=$(wc -c <whole.tar.zst)
for at in 1 4 50 $((size / 2)) $((size - 1)); do
	head -c "$at" whole.tar.zst >bad.tar.zst
	each pack "cut at $at bytes" 2 '*: is damaged or cut: *' bad.tar.zst
done
: >bad.tar.zst
each pack 'an empty file' 2 '*' bad.tar.zst
rm bad.tar.zst
each pack 'no such file' 2 'bad.tar.zst: No such file*' bad.tar.zst list
mkdir bad.tar.zst
each pack 'a folder' 2 'bad.tar.zst: is a folder' bad.tar.zst 'list verify'
# what cannot be packed
mkdir -p in/sub; echo x >in/sub/MANIFEST.json; ln -s /etc/passwd in/link
mkfifo in/fifo
for p in none:'No such file*' in/link:'neither a file nor a folder' \
    in/fifo:'neither a file nor a folder' base/none:'No such file*'; do
	refuse "create from ${p%%:*}" 2 "${p%%:*}: ${p#*:}" \
	    peft-pack -c -o o/new base "${p%%:*}"
done
refuse 'create from a folder with a link in it' 2 'in/*: neither a file *' \
    peft-pack -c -o o/new in
refuse 'create with the name of the manifest' 2 '*MANIFEST.json*is no name*' \
    peft-pack -c -o o/new in/sub/MANIFEST.json
mkdir copy; cp base/config.json copy
refuse 'create from two files of a name' 2 '*two files are called config.json' \
    peft-pack -c -f -o o/was base/config.json copy/config.json
mkdir hollow
refuse 'create from nothing' 2 'there is nothing to pack' \
    peft-pack -c -o o/new hollow
refuse 'a folder that holds something' 2 'o/was.d holds x: unpacked into a*' \
    peft-pack -x -C o/was.d good.tar.zst
refuse 'a file for a folder' 2 'o/was: unpacked into *: Not a directory' \
    peft-pack -x -C o/was good.tar.zst

done_testing
