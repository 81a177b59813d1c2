#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models whose files are well formed and say what cannot be: config.json, the
# types and shapes of weights, 4-bit states, tokenizer and template, pipes.
# shellcheck disable=SC2016	# $_ is perl's
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
    'config.json: hidden_act "mish" is not honoured*' 's/silu/mish/' "$run"
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
    $layers/3/ "quantize $run"
config 'fewer layers than weights' 'weight model.layers.1.* is not of this *' \
    $layers/1/ "quantize $run"
config 'another width than the weights' \
    'weight * has shape [[]512, 64], the config calls for [[]512, 128]' \
    '/hidden_size/s/64/128/' "quantize $run"
config 'another vocabulary than the weights' \
    'weight * has shape [[]512, 64], the config calls for [[]500, 64]' \
    '/vocab_size/s/512/500/' "quantize $run"
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
weights 'a weight that is absent' 2 "bad.d: weight $w is missing" \
    "quantize $run" \
    's/layers.0.mlp.up_proj/layers.0.mlp.up_porj/'
weights 'a weight turned' 2 "bad.d: weight $w has shape *" "quantize $run" \
    's/(layers.0.mlp.up_proj.*?)128,64/${1}64,128/'
weights 'NaN in a weight' 4 '*' "$run quantize" \
    'substr($_, -4) = "\xff\xff\xff\xff"'

# ---- 4-bit and 8-bit weights --------------------------------------------------

peft-quantize -q -t nf4 -o nf4/ base
peft-quantize -q -t nf4 --double-quant -o dq/ base
# state WHAT GLOB PERL [FOLDER]: a folder of 4-bit weights, changed
state() {
	rm -rf bad.d; cp -r "${4-nf4}" bad.d
	perl -0777 -pe "$3" "${4-nf4}/model.safetensors" >bad.d/model.safetensors
	each model "$1" 2 "bad.d*: $2" bad.d
}
q=model.layers.0.mlp.down_proj.weight
state 'a state that is no JSON' "$q.quant_state*: byte *" \
    's/\{"quant_type"/["quant_type"/'
state 'a state of another kind' "$q.quant_state*: quant_type \"nf5\" is not*" \
    's/"quant_type": "nf4"/"quant_type": "nf5"/'
state 'values of a type nobody knows' \
    "$q.quant_state*: dtype \"float99\" is not known" 's/float32/float99/'
state 'a block size of 1' "$q.quant_state*: \"blocksize\" is 1, not in *" \
    's/"blocksize": 64/"blocksize":  1/'
state 'a block size of 0' "$q.quant_state*: \"blocksize\" is 0, not in *" \
    's/"blocksize": 64/"blocksize":  0/'
state 'another block size' "$q.absmax is not a list of 256 f32" \
    's/"blocksize": 64/"blocksize": 32/'
state 'a shape that the codes do not have' \
    "$q has 4096 bytes, its quant_state calls for 12288 values" \
    's/\[64, 128\]/[64, 192]/'
state 'a shape that overflows' "tensor $q: its shape is too large" \
    's/\[64, 128\]\} {20}/[1099511627776,1099511627776]}/'
state 'a shape below zero' "$q.quant_state*: \"shape\" is no shape" \
    's/\[64, 128\]/[-4, 128]/'
state 'no scales' "$q.absmax is missing" \
    's/(down_proj.weight).absmax/$1.absmix/'
state 'a state without its codes' "tensor $q.* belongs to no weight" \
    's/down_proj.weight":/down_proj.weighs":/'
state 'no scales of the scales' "$q.nested_absmax is missing" \
    's/(down_proj.weight).nested_absmax/$1.nested_absmix/' dq

# ---- weights that others have quantised ---------------------------------------

cp -r base packed; rm -f packed/tokenizer*.json
cp "$TOP/tests/golden/readers/gptq4.json" packed/config.json
zstd -dqf "$TOP/tests/golden/readers/gptq4.safetensors.zst" \
    -o packed/model.safetensors
# packed WHAT FILE GLOB PERL [STATUS PROGRAMS]: that folder, changed
packed() {
	rm -rf bad.d; cp -r packed bad.d
	perl -0777 -pe "$4" "packed/$2" >"bad.d/$2"
	each model "$1" "${5-2}" "bad.d: $3" bad.d "${6-}"
}
c=config.json m=model.safetensors j='config.json: quantization_config:'
packed 'a method nobody knows' $c "$j quant_method \"gptx\" is not known*" \
    's/"gptq"/"gptx"/'
packed 'no method' $c "$j quant_method is missing" 's/quant_method/quant_metho/'
packed 'a setting that changes the weights' $c \
    "$j key \"hadamard\" is not honoured" 's/"sym"/"hadamard": true, "sym"/'
packed 'bits that it cannot have' $c "$j bits 5 is not honoured*" \
    's/"bits": 4/"bits": 5/'
packed 'other bits' $c '*.qweight has * rows of words, * columns of 8 bits*' \
    's/"bits": 4/"bits": 8/'
packed 'another layout' $c "$j checkpoint_format \"marlin\" is not honoured" \
    's/"checkpoint_format": "gptq"/"checkpoint_format": "marlin"/'
packed 'no quantization_config' $c '*.qweight is packed, and no quant*' \
    's/"quantization_config"/"quantized"/'
w=model.layers.0.mlp.up_proj
packed 'no zeros' $m "$w.qzeros is missing" 's/(up_proj).qzeros/$1.qzorse/'
packed 'no scales' $m "$w.scales is missing" 's/(up_proj).scales/$1.sclaes/'
packed 'zeros of another type' $m "$w.qzeros is not 2 x 12 words (i32)" \
    's/(up_proj.qzeros":\{"dtype":")I32/$1F32/'
packed 'scales without codes' $m "tensor $w.* belongs to no weight" \
    's/(up_proj).qweight":/$1.qweighs":/'
packed 'a group too many' $m "$w.weight: g_idx: column 63 is of group 7 of 2" \
    '($n) = /up_proj.g_idx".*?offsets":\[\d+,(\d+)/;
    substr($_, 8 + unpack("Q<", $_) + $n - 4, 4) = pack "V", 7' \
    2 "quantize train eval generate"
packed 'a scale of NaN' $m \
    "the scales of $w.weight are not finite: scale 0 is NaN" \
    '($n) = /up_proj.scales".*?offsets":\[(\d+)/;
    substr($_, 8 + unpack("Q<", $_) + $n, 2) = pack "v", 0x7e00' \
    2 "quantize train eval generate"

# ---- tokenizer and template -------------------------------------------------

# side WHAT FILE GLOB PERL [PROGRAMS]: a side file, changed; by those that read
# it, and that is what tokenises
text='tokenize eval generate'
side() {
	rm -rf bad.d; cp -r base bad.d
	perl -0777 -pe "$4" "base/$2" >"bad.d/$2"
	each model "$1" 2 "$3" bad.d "${5-$text}"
}
t=tokenizer.json
side 'tokenizer.json cut' $t "bad.d: $t: byte *" '$_ = substr $_, 0, 9000'
side 'tokenizer.json empty' $t "bad.d: $t: byte 1: expected '{'" '$_ = ""'
side 'tokenizer.json not UTF-8' $t "bad.d: $t: *byte *: not UTF-8" \
    's/"content": "/$&\xff/'
side 'tokenizer.json nested deep' $t "bad.d: $t: *nested too deep" \
    's/"normalizer": null/"\"normalizer\": " . "[" x 9000 . "]" x 9000/e'
side 'a token twice' $t "bad.d: $t: the token 'at' is in the vocabulary twice" \
    's/"ate"/"at"/'
side 'a merge of what is no token' $t \
    "bad.d: $t: model.merges: merge 1, of 'zzz' and 't': the first is not *" \
    's/("merges": \[\s+\[\s+")[^"]*"/$1zzz"/'
side 'an id past the vocabulary' $t \
    "bad.d: $t: byte *: an id beyond all tokens" 's/"at": \d+/"at": 99999/'
side 'an id below zero' $t "bad.d: $t: *token 'at' is not a whole number *" \
    's/"at": \d+/"at": -1/'
side 'two tokens of one id' $t "bad.d: $t: tokens 'at' and * the same id, 300" \
    's/"at": \d+/"at": 300/'
side 'an added token of another id' $t \
    "bad.d: $t: the added token '<|im_end|>' has the id 5, in the voc* has 2" \
    's/"id": 2,/"id": 5,/'
side 'an added token past all ids' $t \
    "bad.d: $t: added token '<|im_end|>': \"id\" is 10000000000, not in *" \
    's/"id": 2,/"id": 1e10,/'
side 'another kind of model' $t "bad.d: $t: model of type XYZ is not known*" \
    's/"type": "BPE"/"type": "XYZ"/'
side 'another kind of pre-tokenizer' $t \
    "bad.d: $t: pre_tokenizer of type BiteLevel is not known*" \
    's/"type": "ByteLevel"/"type": "BiteLevel"/'
side 'a setting that is not honoured' $t \
    "bad.d: $t: model.dropout is not honoured*" \
    's/"dropout": null/"dropout": 0.1/'
side 'tokenizer_config.json cut' tokenizer_config.json \
    "bad.d: tokenizer_config.json: byte *" '$_ = substr $_, 0, 90'
j=chat_template.jinja
side 'a template that is cut' $j 'bad.d: template line 1: a tag without an*' \
    '$_ = substr $_, 0, 40'
side 'a tag nobody knows' $j "bad.d: template line 5: a tag that*'endfro'" \
    's/endfor/endfro/'
side 'a template nested deep' $j 'bad.d: template line 1: nested too deep*' \
    's/^/"{{ " . "(" x 100000 . "1" . ")" x 100000 . " }}"/e'
side 'a template not UTF-8' $j 'bad.d: chat template: not UTF-8' \
    's/You are/You \xff are/'
# raising WHAT GLOB TEMPLATE: at its first record
raising() {
	side "$1" $j "*: *template line 1: $2" "s/^/$3/"
}
raising 'a template that raises' 'no such role' \
    '{{ raise_exception("no such role") }}'
raising 'a template that goes on and on' 'a range that is too long*' \
    '{% for a in range(1000000000) %}{% endfor %}'
raising 'a template that calls itself' 'nested too deep*' \
    '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'
raising 'a template that divides by zero' 'division by zero*' '{{ 1 \/ 0 }}'
raising 'a text of 10^12 letters' 'a repetition that is too*' \
    '{{ "a" * 1000000000000 }}'
raising 'a text that doubles and doubles' '*too*' \
    '{% set n = namespace(x="aaaaaaaaaaaaaaaa") %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}'
raising 'a message that is not there' 'an item of something undefined*' \
    '{{ messages[99]["role"] + "x" }}'
rm -rf bad.d; cp -r base bad.d; rm bad.d/$t
each model 'no tokenizer' 2 'bad.d: *no tokenizer*' bad.d 'tokenize generate'
each model 'no tokenizer' 2 'test.jsonl:1: chats need a tokenizer*' bad.d eval
rm -rf bad.d; cp -r base bad.d; rm bad.d/$j
each model 'no template' 2 '*has no chat template*' bad.d 'tokenize eval'

# ---- pipes -------------------------------------------------------------------

peft-quantize -q -o base.safetensors base
size=$(wc -c <base.safetensors)
header=$(perl -e 'print 8 + unpack "Q<", <>' base.safetensors)
# cut WHAT N GLOB [PROGRAMS]: the pipe ends behind N bytes
cut() {
	head -c "$2" base.safetensors >bad.pipe
	each pipe "$1" 2 "standard input: $3" bad.pipe "${4-}"
}
# peft-tokenize leaves when it has the tokenizer
whole="quantize $run inspect"
cut 'nothing in the pipe' 0 'ends early*'
cut 'a pipe cut in the first bytes' 5 'ends early*'
cut 'a pipe cut in the header' $((header - 1)) 'ends early*'
cut 'a pipe cut behind the header' "$header" 'ends early*'
cut 'a pipe cut in the side files' $((header + 99)) 'ends early*'
cut 'a pipe cut in the weights' $((size - 40000)) '*ends early*' \
    "$whole"
cut 'a pipe without its last byte' $((size - 1)) '*ends early*' \
    "$whole"
{ cat base.safetensors; echo more; } >bad.pipe
each pipe 'bytes behind the pipe' 2 'standard input: has trailing bytes' \
    bad.pipe "$whole"
head -c 100000 base.gguf >bad.pipe
each pipe 'GGUF cut in a pipe' 2 'standard input: ends early: tensor *' bad.pipe
printf 'PK\003\004xxxxxxxx' >bad.pipe
each pipe 'a pickle in a pipe' 2 'standard input: is a PyTorch pickle*' bad.pipe

# of a folder, what is no file is not waited for
peft-quantize -q --shard 60K -o shards/ base
for f in config.json model.safetensors.index.json \
    "$(basename shards/model-00002-*)"; do
	rm -rf bad.d; cp -r shards bad.d
	rm "bad.d/$f"; mkfifo "bad.d/$f"
	for cmd in 'quantize -n' inspect; do
		# shellcheck disable=SC2086
		expect 2 "peft-*: bad.d/$f: not a file" \
		    timeout 20 peft-$cmd bad.d
	done
done

done_testing
