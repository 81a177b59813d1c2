#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters, checkpoints and packs that are damaged, hostile or of something
# else.
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
adapter 'a key that is not honoured' 2 'bad.a: *"use_dora" is not hon*' $c \
    's/"use_dora": false/"use_dora": true/'
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

done_testing
