#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models whose files are well formed and say what cannot be: config.json, the
# types and shapes of weights, 4-bit states, tokenizer and template, pipes.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
. "$TOP/tests/bad.sh"

run='train merge eval generate'		# what runs the model

# ---- config.json ------------------------------------------------------------

# config WHAT GLOB SED-SCRIPT [PROGRAMS]
config() {
	rm -rf bad.d; cp -r base bad.d
	sed "$3" base/config.json >bad.d/config.json
	each model "$1" 2 "bad.d: $2" bad.d "${4-}"
}
read="quantize $run inspect"		# what reads config.json
config 'config.json cut' 'config.json: byte *' 5q "$read"
config 'config.json empty' 'config.json: byte 1: *' d "$read"
config 'a list for config.json' 'config.json: not an object' \
    's/.*//;1s/$/[]/' "quantize $run"
config 'a key twice in config.json' \
    'config.json: duplicate key "hidden_size"' \
    's/"use_cache": true/"hidden_size": 64/' "$read"
config 'NaN in config.json' 'config.json: byte *: not a value' \
    's/1e-05/NaN/' "$read"
config 'Infinity in config.json' 'config.json: byte *' \
    's/1e-05/-Infinity/' "$read"
config 'config.json not UTF-8' 'config.json: byte *: not UTF-8' \
    "s/silu/sil$(printf '\377')/" "$read"
config 'config.json nested deep' 'config.json: byte *: nested too deep' \
    "s/1e-05/$(perl -e 'print "[" x 9000')/" "$read"
config 'text behind config.json' \
    'config.json: byte *: text after the value' '$s/$/ {}/' "$read"
config 'no vocab_size' 'config.json: key "vocab_size" is missing' \
    's/"vocab_size": 512/"vocab": 0/' "$run"
config 'a family nobody knows' \
    'config.json: model_type "alama" is not known (known: *' \
    '/model_type/s/llama/alama/' "$run"
config 'a key that is not honoured' \
    'config.json: key "sliding_window" is not honoured*' \
    's/"use_cache": true/"sliding_window": 4096/' "$run"
config 'another activation' \
    'config.json: hidden_act "gelu" is not honoured*' 's/silu/gelu/' "$run"
layers=/num_hidden_layers/s/2
config 'no layers' 'config.json: "num_hidden_layers" is 0, not in *' \
    $layers/0/ "$run"
config 'layers below zero' 'config.json: "num_hidden_layers" is -2, not in *' \
    $layers/-2/ "$run"
config 'half a layer' 'config.json: "num_hidden_layers" is not a whole *' \
    $layers/2.5/ "$run"
config '10^300 layers' 'config.json: "num_hidden_layers" is 1*' \
    $layers/1e300/ "$run"
config 'a number past a double' \
    'config.json: "num_hidden_layers" is not a number' $layers/1e999/ "$run"
config 'layers in words' 'config.json: "num_hidden_layers" is not a number' \
    $layers/'"2"/' "$run"
config 'more layers than weights' 'weight model.layers.2.* is missing' \
    $layers/3/ "$run"
config 'fewer layers than weights' 'weight model.layers.1.* is not of this *' $layers/1/ "$run"
config 'another width than the weights' \
    'weight * has shape [[]512, 64], the config calls for [[]512, 128]' \
    '/hidden_size/s/64/128/' "$run"
config 'another vocabulary than the weights' \
    'weight * has shape [[]512, 64], the config calls for [[]500, 64]' \
    '/vocab_size/s/512/500/' "$run"
config 'heads that share nothing' \
    'config.json: 3 attention heads do not divide into 2 *' \
    '/num_attention_heads/s/4/3/' "$run"
config 'an end token outside the vocabulary' \
    'config.json: eos_token_id is not a token of a vocabulary of 512' \
    '/eos_token_id/s/2/512/' "$run"
config 'a first token outside the vocabulary' \
    'config.json: "bos_token_id" is 512, not in [[]0, 511]' \
    '/bos_token_id/s/1/512/' "$run"

# to GGUF, config.json becomes metadata
togguf() {
	rm -rf bad.d; cp -r base bad.d
	sed "$3" base/config.json >bad.d/config.json
	refuse "$1: quantize to GGUF" 2 "bad.d: config.json: $2" \
	    peft-quantize -q -o o/new.gguf bad.d
}
togguf '10^300 layers' '"num_hidden_layers" is 1e+300, *' $layers/1e300/
togguf 'layers below zero' '"num_hidden_layers" is -2, *' $layers/-2/

# ---- types and shapes of weights --------------------------------------------

# weights WHAT STATUS GLOB PROGRAMS PERL: the weights, changed in place
weights() {
	rm -rf bad.d; cp -r base bad.d
	perl -0777 -pe "$5" base/model.safetensors >bad.d/model.safetensors
	each model "$1" "$2" "$3" bad.d "$4"
}
w=model.layers.0.mlp.up_proj.weight
weights 'a weight of whole numbers' 2 \
    "bad.d: weight $w: *i32 cannot be *" "$run" 's/(up_proj.*?)F32/$1I32/'
weights 'a weight that is absent' 2 "bad.d: weight $w is missing" "$run" \
    's/layers.0.mlp.up_proj/layers.0.mlp.up_porj/'
weights 'a weight turned' 2 "bad.d: weight $w has shape *" "$run" \
    's/(layers.0.mlp.up_proj.*?)128,64/${1}64,128/'
weights 'NaN in a weight' 4 '*' "$run quantize" \
    'substr($_, -4) = "\xff\xff\xff\xff"'

done_testing
