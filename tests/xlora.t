#!/bin/sh
# X-LoRA: adapters that a classifier mixes, token by token
# shellcheck disable=SC2016
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/methods
base=$golden/base
x=$golden/xlora
experts="{\"0\":\"$x/0\",\"1\":\"$x/1\"}"
one='"input_ids":[5,7,11,4,9,8],"labels":[5,7,11,4,9,8]'
for i in 1 2 3; do echo "{$one}"; done >tok

ok 'a classifier is trained' peft-train -q -m "$base" --method xlora \
    --set adapters="$experts" --set xlora_depth=2 --set xlora_size=8 \
    --steps 30 --lr 3e-2 -o made/ tok
ok 'which learns' peft-train -q -m "$base" --init made --steps 10 --lr 1e-2 \
    --log log -o more/ tok
ok 'from step to step' jq -se 'map(select(.loss)) | .[-1].loss < .[0].loss' \
    log
ok 'for every number of threads' sh -c 'for j in 1 2; do peft-train -q -j $j \
    -m "$1" --init made --steps 2 -o j$j/ tok || exit 1; done
    cmp j1/adapter_model.safetensors j2/adapter_model.safetensors' - "$base"
ok 'in parts as whole' sh -c 'peft-train -q -m "$1" --init made --steps 2 \
    --micro-tokens 7 -o m/ tok && cmp -s m/adapter_config.json \
    j1/adapter_config.json' - "$base"
ok 'its experts lie where they were' test "$(jq -c .adapters \
    made/adapter_config.json)" = "$experts"

# refusals
odd() {		# jq's change of the config
	rm -rf odd
	cp -r "$x" odd
	chmod -R u+w odd
	jq "$1" "$x/adapter_config.json" >odd/adapter_config.json
}
bad() {		# status, message, jq's change of the config
	odd "$3"
	expect "$1" "$2" peft-eval -q -m "$base" -a odd tok
}
bad 2 '*adapters names none*' '.adapters = {}'
bad 2 '*2 are named, but none "0"*' '.adapters = {"a": "0", "b": "1"}'
bad 2 '*hidden_size is 32, the model'"'"'s is 16*' '.hidden_size = 32'
bad 2 '*top_k_lora is 3, there are 2 adapters*' '.top_k_lora = 3'
bad 2 '*softmax_temperature 0 is not above 0*' '.softmax_temperature = 0'
bad 2 '*which of equals are the top_k_lora*' \
    '.top_k_lora = 1 | .scaling_pass_value = 0.5'
bad 2 '*xlora_depth*' '.xlora_depth = 0'
bad 3 '*layers.0.* has shape *28*for *2*' \
    '.layerwise_scalings = false'
bad 3 '*layers.3.weight is missing*' '.xlora_depth = 2 | .xlora_size = 28'
bad 2 '*adapters: "2": gone: *' '.adapters["2"] = "gone"'
odd .
cp odd/0/adapter_model.safetensors odd
expect 3 '*lora_A.weight fits nothing that the config targets*' peft-eval -q -m "$base" -a odd tok
odd '.adapters["2"] = "odd"'
expect 2 '*adapters: "2": odd: it is XLORA, not LORA*' \
    peft-eval -q -m "$base" -a odd tok
for m in ia3:'it is IA3, not LORA' lora_dora:'cannot have use_dora' \
    lora_embed:'more than LoRA on linear layers' \
    pissa:'began as a part of the weights' alora:'more than LoRA'; do
	odd ".adapters[\"2\"] = \"$golden/${m%%:*}\""
	expect 2 "*adapters: \"2\": *${m#*:}*" \
	    peft-eval -q -m "$base" -a odd tok
done
odd '.use_trainable_adapters = true'
expect 2 '*the experts are trained each for itself*' \
    peft-train -q -m "$base" --init odd --steps 1 -o bad/ tok
expect 3 '*XLORA adapters cannot be merged*' peft-merge -q -m "$base" \
    -a "$x" -o merged/

# answers: a mixture of two, over a base with a tokenizer
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o t test.jsonl
for i in 0 1; do
	peft-train -q -m base --rank 2 --steps 4 --lr 0.05 -s $i -o e$i/ t
done
peft-train -q -m base --method xlora --set adapters='{"0":"e0","1":"e1"}' \
    --steps 8 --lr 0.05 -o mix/ t
says() {	# width, adapter: of records for x, the base, and an expert
	jq -c '. + {adapter: (["x", "base", "e"][input_line_number % 3])}' \
	    test.jsonl | peft-generate -q -m base -a x=mix -a e=e0 --jsonl \
	    --max-tokens 12 --width "$1"
}
says 1 >w1
says 7 >w7
ok 'answers do not depend on what else is in work' cmp w1 w7
alone() {	# the same of one of them, alone
	jq -c '. + {adapter: (["x", "base", "e"][input_line_number % 3])} |
	    select(.adapter == "'"$1"'") | del(.adapter)' test.jsonl |
	    peft-generate -q -m base $2 --jsonl --max-tokens 12 | jq .text
}
for a in 'x:-a mix' base: 'e:-a e0'; do
	jq 'select(.adapter == "'"${a%%:*}"'") | .text' w1 >got
	alone "${a%%:*}" "${a#*:}" >want
	ok "${a%%:*} answers as it does alone" cmp got want
done
alone x '-a mix' >got
alone x '' >want
ok 'the mixture does not say what the base says' sh -c '! cmp -s got want'

done_testing
