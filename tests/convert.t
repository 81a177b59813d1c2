#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters made into LoRA: of every method with a merge, of two models; exact
# where the rank suffices, with the error told where not.
# shellcheck disable=SC2016	# $ is jq's
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o chats.tok chats.jsonl
jq -c 'select(.input_ids)' chats.tok | head -n 4 >some.tok

loss() { peft-eval -q -m "${2:-base}" -a "$1" --no-base --summary some.tok | jq .summary.loss; }
near() { jq -ne --argjson a "$1" --argjson b "$2" --argjson e "$3" '($a - $b) | fabs <= $e'; }

# as METHOD RANK OPTION...: trained a little, converted, the same loss
as() {
	m=$1 rank=$2
	shift 2
	peft-train -q -f -m base --method "$@" --lr 2e-2 --steps 3 --batch 4 -o from/ chats.tok
	expect 0 "*: a LoRA of rank $rank on *" peft-merge -f -m base -a from --as-lora auto -o to/
	a=$(loss from) b=$(loss to)
	ok "$m: the same loss ($a, $b)" near "$a" "$b" 2e-5
	ok "$m: it moved" sh -c "! jq -ne '($a - $(cat before)) | fabs < 0.001'"
	ok "$m: it is LoRA" jq -e '.peft_type == "LORA" and .use_rslora == false and .use_dora == false and .init_lora_weights == true' to/adapter_config.json
}
peft-eval -q -m base --summary some.tok | jq .summary.loss >before
as LoRA 4 lora --rank 4
as rsLoRA 4 lora --rank 4 --rslora
as PiSSA 4 lora --rank 2 --set init_lora_weights=pissa
as OLoRA 4 lora --rank 2 --set init_lora_weights=olora
as DoRA 64 lora --rank 2 --set use_dora=true
as LoHa 64 loha --rank 8
as LoKr 64 lokr --rank 4
as HRA 8 hra --rank 8
as OFT 64 oft
as IA3 64 ia3 --target all-linear
as HiRA 64 hira --rank 8

# the factors themselves: exact METHOD RANK OPTION...
exact() {
	m=$1 rank=$2
	shift 2
	peft-train -q -f -m base --method "$@" --lr 2e-2 --steps 3 --batch 4 -o own/ chats.tok
	expect 0 "*: a LoRA of rank $rank on * weights, exactly" peft-merge -f -m base -a own --as-lora exact -o plain/
	ok "$m: plain LoRA" jq -e ".peft_type == \"LORA\" and .r == $rank and .use_rslora == false and .init_lora_weights == true" plain/adapter_config.json
	peft-merge -q -f -m base -a own -t f32 -o m1/; peft-merge -q -f -m base -a plain -t f32 -o m2/
	run peft-inspect --json --diff m1 m2
	ok "$m: the same weights to rounding" jq -se 'all(.[]; .rms < 1e-6)' out
	ok "$m: which are not the base's" sh -c '! cmp -s m1/model.safetensors base/model.safetensors'
}
exact LoRA 4 lora --rank 4
ok 'LoRA: the same bytes' sh -c 'st-list own/adapter_model.safetensors >a; st-list plain/adapter_model.safetensors | cmp a -'
exact rsLoRA 4 lora --rank 4 --rslora
ok 'rsLoRA: the same bytes, another alpha' sh -c 'st-list own/adapter_model.safetensors >a; st-list plain/adapter_model.safetensors | cmp a - && jq -ne --argjson a "$(jq .lora_alpha own/adapter_config.json)" --argjson b "$(jq .lora_alpha plain/adapter_config.json)" "(\$b / 4 - \$a / 2) | fabs < 1e-12"'
# and back, of several ranks and alphas, too
peft-train -q -f -m base --rank 4 --target q_proj,v_proj,up_proj --set 'rank_pattern={"v_proj":2}' --set 'alpha_pattern={"up_proj":5}' --lr 2e-2 --steps 3 -o own/ chats.tok
expect 0 '*: a LoRA of rank 4 on * weights, exactly' peft-merge -f -m base -a own --as-lora exact --rslora -o rs/
ok 'LoRA to rsLoRA' jq -e '.use_rslora == true' rs/adapter_config.json
ok 'LoRA to rsLoRA: the same bytes' sh -c 'st-list own/adapter_model.safetensors >a; st-list rs/adapter_model.safetensors | cmp a -'
ok 'LoRA to rsLoRA: the same loss' near "$(loss own)" "$(loss rs)" 1e-6
ok 'which is not the base'"'"'s' sh -c "! jq -ne '($(loss rs) - $(cat before)) | fabs < 0.001'"
peft-merge -q -f -m base -a rs --as-lora exact -o own2/
ok 'and to LoRA again' near "$(loss own)" "$(loss own2)" 1e-6
peft-merge -q -f -m base -a own --as-lora 2 -o few/; peft-merge -q -f -m base -a own --as-lora 2 --rslora -o few-rs/
ok 'approximated, too' near "$(loss few)" "$(loss few-rs)" 1e-6
expect 1 '*--rslora is for --as-lora' peft-merge -q -m base -a own --rslora -o no/
rm -rf own2
exact PiSSA 4 lora --rank 2 --set init_lora_weights=pissa
exact OLoRA 4 lora --rank 2 --set init_lora_weights=olora
exact 'the library'"'"'s' 4 ah-lora --rank 4
expect 3 '*own2: * beside its factors: --as-lora RANK or auto*' sh -c 'peft-train -q -m base --set use_dora=true --steps 1 -o own2/ chats.tok && peft-merge -q -m base -a own2 --as-lora exact -o no/'
expect 3 '*is no pair of factors: --as-lora RANK or auto makes a LoRA of it' peft-merge -q -m base -a from --as-lora exact -o no/
expect 1 '*--tuned needs --as-lora RANK or auto' peft-merge -q -m base --tuned base --as-lora exact -o no/
# DoRA into a model, and out of it again
peft-merge -q -f -m base -a own2 -t f32 -o m1/
expect 0 '*a LoRA of rank * on *' peft-merge -f -m base --tuned m1 --as-lora auto -o plain/
ok 'DoRA, merged, and as LoRA: the same loss' near "$(loss own2)" "$(loss plain)" 2e-5

# rank by rank: what is told is what is lost
expect 0 '*: a LoRA of rank 4 on 14 weights; * % of the change*s norm is lost (most, * %, in model.*' \
    peft-merge -m base -a to --as-lora 4 -o four/
run peft-merge -n -v -m base -a to --as-lora 4
ok 'a line a weight' [ "$(grep -c ': change .*, lost .* %' err)" -eq 14 ]
ok 'nothing is written for -n' [ ! -s out ]
run sh -c 'for r in 1 4 16; do peft-merge -n -m base -a to --as-lora $r 2>&1 | sed "s/.*weights; \([0-9.e-]*\) .*/\1/"; done'
ok 'more rank, less lost' sh -c 'sort -gr out | cmp - out'
# the sum of two, halves of one
expect 0 '*: a LoRA of *' peft-merge -f -m base -a from=0.5 -a from=0.5 --as-lora auto -o twice/
ok 'halves make a whole' near "$(loss twice)" "$(loss from)" 2e-5
peft-merge -q -m base -a from --as-lora auto | peft-merge -q -m base -a - -o folded/
ok 'through a pipe' near "$(loss from)" "$(peft-eval -q -m folded --summary some.tok | jq .summary.loss)" 2e-5

# llama.cpp's files (parity/llamacpp_lora.py has its logits), and back
expect 0 '*: a LoRA of rank * on 14 weights*' peft-merge -m base -a from --as-lora 8 -o l.gguf
ok 'named as llama.cpp names them' sh -c 'grep -aq "adapter.lora.alpha" l.gguf && grep -aq "blk.1.attn_q.weight.lora_b" l.gguf'
expect 0 '*: l.gguf is read in the layout of gguf*' peft-merge -m base -a l.gguf --as-lora 8 -o back/
peft-merge -q -m base -a from --as-lora 8 -o eight/
ok 'there and back' near "$(loss back)" "$(loss eight)" 2e-5
ok 'rows of queries are turned in between' sh -c '! cmp -s l.gguf back/adapter_model.safetensors'
expect 0 '*' peft-merge -q -m base -a l.gguf -o folded2/
ok 'folded in' near "$(peft-eval -q -m folded2 --summary some.tok | jq .summary.loss)" "$(loss eight)" 2e-5
expect 2 '*l.gguf*exists*' peft-merge -q -m base -a from --as-lora 8 -o l.gguf
expect 2 '*base.gguf: no adapter_config.json: not an adapter' peft-merge -q -m base -a base.gguf -o no/
sed 's/attn_q.weight.lora_b/attn_q.weight.lora_x/' l.gguf >half.gguf
expect 3 '*half.gguf: tensor blk.0.attn_q.weight.lora_x is no part of a LoRA in the layout of gguf' peft-merge -q -m base -a half.gguf -o no/
sed 's/attn_q.weight.lora_./attn_q.weight.lora_x/g' l.gguf >other.gguf
expect 2 '*other.gguf: *' peft-merge -q -m base -a other.gguf -o no/
sed 's/blk.1.attn_q.weight.lora/blk.7.attn_q.weight.lora/g' l.gguf >far.gguf
expect 3 '*far.gguf: tensor blk.7.attn_q.weight.lora_* fits no linear layer of this model' peft-merge -q -m base -a far.gguf -o no/
head -c 900 l.gguf >cut.gguf
expect 2 '*cut.gguf: *' peft-merge -q -m base -a cut.gguf -o no/
sed 's/llama/qwen2/' l.gguf >arch.gguf
expect 3 '*arch.gguf: an adapter of another architecture*' peft-merge -q -m base -a arch.gguf -o no/

# two models
peft-merge -q -m base -a adapter -o tuned/
expect 0 '*: a LoRA of rank * on 14 weights; * % of the change*' peft-merge -m base --tuned tuned --as-lora auto -o of/
ok 'what one has more than the other' near "$(loss of)" "$(loss adapter)" 2e-5
ok 'it knows its base' [ "$(peft-inspect --json of | jq -r '.. | ."peft.base"? // empty')" = "$(peft-inspect --json from | jq -r '.. | ."peft.base"? // empty')" ]
peft-quantize -q -t f32 -o base32.gguf base
expect 0 '' peft-merge -q -f -m base32.gguf --tuned tuned --as-lora 8 -o of/
expect 3 '*weights change that are no linear layers*' peft-merge -q -m base.gguf --tuned tuned --as-lora 8 -o no/
# GPT-2 has its weights the other way round
mkdir gpt2; zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C gpt2 -xf -
expect 0 '*: a LoRA of rank * on *' peft-merge -m gpt2/model -a gpt2/adapter --as-lora auto -o g/
expect 0 '*' peft-merge -q -m gpt2/model -a gpt2/adapter -t f32 -o g1/
expect 0 '*' peft-merge -q -m gpt2/model -a g -t f32 -o g2/
ok 'as they are merged' model-unit gpt2 g2 adapter_logits

# refused
peft-train -q -m base --method ln-tuning --steps 2 -o ln/ chats.tok
expect 3 '*5 weights change that are no linear layers'\'', model.layers.0.input_layernorm.weight the first*' peft-merge -m base -a ln --as-lora 4 -o no/
expect 3 '*no linear layer changes*' peft-merge -q -m base -a ln --as-lora 4 --force-lossy -o no/
expect 3 '*no linear layer changes*' peft-merge -q -m base --tuned base --as-lora 4 -o no/
expect 2 '*is 32 x 64: a rank of 40 is more than it has' peft-merge -q -m base -a adapter --as-lora 40 -o no/
expect 1 '*--as-lora*' peft-merge -q -m base -a adapter --as-lora 0 -o no/
expect 1 '*--tuned is for --as-lora*' peft-merge -q -m base --tuned tuned -o no/
expect 1 '*--as-lora writes an adapter*' peft-merge -q -m base -a adapter --as-lora 2 -t f16 -o no/
expect 2 '*: weight transformer.wte.weight: tuned does not have it' peft-merge -q -m gpt2/model --tuned tuned --as-lora 2 -o no/
expect 2 '*to/ exists*' peft-merge -q -m base -a adapter --as-lora 2 -o to/
ok 'nothing is left' [ ! -e no ]
done_testing
