#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Families: each small model of golden/families, as transformers and PEFT
# computed it (parity/families.py): logits, loss, gradients, a cache, layers
# computed again; merged; by way of a GGUF and back; and the refusals.
# shellcheck disable=SC2016	# $k is perl's
. "$TOP/tests/lib.sh"

# logits of another form of a model: TAP of one line
same() { run model-unit "$1" "$2" "$3"; ok "$2: $3" [ "$rc" -eq 0 ]; }

# What GGUF has no way to say, or nobody reads: a message each.
untold() {
	case $1 in
	cohere2|exaone4|gemma3)	echo '*: layer_types is not the pattern*' ;;
	smollm3)	echo '*: no_rope_layers is not the pattern*' ;;
	qwen2_window|qwen3_moe_window)
		echo '*: the key "sliding_window" cannot be told*' ;;
	falcon_alibi)	echo '*"alibi" is true, which *falcon has no way to say' ;;
	falcon_serial|phi)	echo '*has no name in GGUF*' ;;
	qwen3_moe_dense)	echo '*"norm_topk_prob" is false, which*' ;;
	rope_dynamic)	echo '*rope scaling *cannot be told*' ;;
	gptj|opt)	echo '*cannot be told in GGUF: llama.cpp computes no *' ;;
	gemma2_plain)	echo '*"attn_logit_softcapping" is null, which*' ;;
	gpt_oss)	echo '*"swiglu_limit" is 0.75, which*' ;;
	deepseek_v2)	echo '*mscale 0.7 and mscale_all_dim 0.9 cannot be told*' ;;
	esac
}

to_gguf() {	# and back: the same logits, the same files
	peft-quantize -q -t f32 -o "$1.gguf" "$1/model" &&
	    peft-quantize -q -t bf16 -o "$1/back/" "$1.gguf" &&
	    peft-quantize -q -t bf16 -o "$1/as.safetensors" "$1/model" &&
	    peft-quantize -q -t bf16 -o "$1/is.safetensors" "$1/back" &&
	    st-list "$1/as.safetensors" | grep -v peft.file | sort >as &&
	    st-list "$1/is.safetensors" | grep -v peft.file | sort >is &&
	    case $1 in
	    internlm2)	grep -q '"model_type": "llama"' "$1/back/config.json" ;;
	    gemma2)	cmp as is && grep -q '"final_logit_softcapping": 3\.0,' "$1/back/config.json" ;;
	    *)	cmp as is ;;
	    esac
}

echo '{"input_ids":[3,7,1,9,30,12],"labels":[3,7,1,9,30,12]}' >six
# kv_b NAME: a GGUF that has kv_b_proj in two parts (parity/kv_b_parts.py)
kv_b() {
	logits-tool "$1/parts.gguf" <six >parts.logits
	ok "$1: kv_b_proj in two parts" cmp parts.logits model.logits
	peft-quantize -q -t bf16 -o parts/ "$1/parts.gguf"
	st-list parts/model.safetensors | sort >is
	st-list "$1/back/model.safetensors" | sort >as
	ok "$1: is one weight" cmp as is
	ok "$1: and nothing else is said" \
	    cmp parts/config.json "$1/back/config.json"
	peft-quantize -q -o whole.gguf "$1/parts.gguf"
	logits-tool whole.gguf <six >whole.logits
	ok "$1: also in GGUF" cmp whole.logits model.logits
	ok "$1: which says no more of two parts" sh -c \
	    '! grep -aq -e _mla -e attn_k_b whole.gguf'
	perl -0777 -pe 's/blk\.1\.attn_v_b/blk.7.attn_v_b/' \
	    "$1/parts.gguf" >bad.gguf
	expect 2 '*: of *layers.?.self_attn.kv_b_proj one half alone is there*' \
	    peft-quantize -q -t f32 -o x.gguf bad.gguf
	perl -0777 -pe 's/(attn_v_b\.weight\x03\0{3}.{24})\0{4}/$1\x1a\0\0\0/s' \
	    "$1/parts.gguf" >bad.gguf
	expect 2 '*kv_b_proj.v_b are of types f32 and i32' \
	    peft-quantize -q -t f32 -o x.gguf bad.gguf
	rm -r parts parts.logits whole.*
}

# near A B: f32 that differ by 1e-6 of the largest at most: of few tokens MXFP4
# goes by whole numbers, where the processor has VNNI, and its values do not
near() {
	cat "$1" "$2" | perl -0777 -ne 'my @x = unpack("f*", $_); my $n = @x / 2;
	    my $top = 0; my $off = 0;
	    for my $i (0 .. $n - 1) {
		$top = abs($x[$i]) if abs($x[$i]) > $top;
		my $d = abs($x[$i] - $x[$i + $n]); $off = $d if !($d <= $off);
	    }
	    print STDERR "# off by $off of $top\n";
	    exit !($n > 0 && $n == int($n) && $off <= 1e-6 * $top)'
}

# mx4 NAME: with MXFP4 experts, as gpt-oss is published; some of them -0
mx4() {
	mkdir mx
	perl "$TOP/tests/st-edit.pl" 'for my $k (grep /_proj$/, keys %t) {
		my ($e, $i, $o) = @{ $t{$k}{shape} };
		my $n = $e * $o * $i / 32;
		my $at = length $k;
		$t{"${k}_blocks"} = { dtype => "U8", shape => [$e, $o, $i / 32,
		    16], data => join "", map { chr(($at * $_ * $_ >> 3) + $_
		    & 255) } 1 .. 16 * $n };
		$t{"${k}_scales"} = { dtype => "U8", shape => [$e, $o, $i / 32],
		    data => join "", map { chr(121 + $_ % 3) } 1 .. $n };
		delete $t{$k};
	}' <"$1/model/model.safetensors" >mx/model.safetensors
	sed -e 's/"swiglu_limit": 0.75/"swiglu_limit": 7.0/' \
	    -e '1s/{/{"quantization_config": {"quant_method": "mxfp4"},/' \
	    "$1/model/config.json" >mx/config.json
	peft-quantize -q -t f32 -o mx.f32/ mx
	peft-quantize -q -o mx.gguf mx
	peft-quantize -q -t bf16 mx.gguf | peft-quantize -q -t f32 -o mx.2/ -
	perl "$TOP/tests/st-edit.pl" 'first("config.json", "mx/config.json")' \
	    <mx/model.safetensors | peft-quantize -q -t f32 -o mx.3/ -
	st-list mx.f32/model.safetensors | sort >as
	for m in mx.2 mx.3; do
		st-list $m/model.safetensors | sort >is
		ok "$1: MXFP4, a GGUF, a pipe and a folder: $m" cmp as is
	done
	ok "$1: with all experts in one tensor" grep -q \
	    'layers.1.mlp.experts.gate_up_proj F32 4x32x64' is
	ok "$1: GGUF keeps MXFP4" sh -c "peft-inspect mx.gguf |
	    grep -q '^types  *mxfp4  *weights 24 '"
	for m in mx mx.f32 mx.gguf; do
		logits-tool $m <six >$m.logits
	done
	ok "$1: MXFP4: the same logits, both" sh -c \
	    '[ -s mx.logits ] && cmp mx.logits mx.gguf.logits'
	ok "$1: MXFP4: those of its values, but for rounding" \
	    near mx.logits mx.f32.logits
	expect 0 'peft-quantize: 24 weights of experts stay bf16, as *' \
	    peft-quantize -t nf4 -o mx.bnb/ mx
	ok "$1: experts of NF4 only if that is asked for" sh -c \
	    'peft-inspect mx.bnb | grep -q "^types  *nf4  *weights 8 "'
	st-list mx.bnb/model.safetensors >is
	ok "$1: and in one tensor" grep -q \
	    'layers.1.mlp.experts.gate_up_proj BF16 4x32x64' is
	ok "$1: nothing is said of MXFP4" sh -c \
	    '! grep -q mxfp4 mx.bnb/config.json'
	ok "$1: nor of modules that are none" sh -c \
	    '! grep -q "model.*experts" mx.bnb/config.json'
	peft-quantize -q -t bf16 -o mx.bf16/ mx
	st-list mx.bf16/model.safetensors | grep experts >as
	ok "$1: as in bf16" sh -c 'grep experts is | sort >is.e; sort as |
	    cmp - is.e'
	expect 0 '' peft-quantize -t nf4 -t 'experts.*weight=nf4' -o mx.nf4/ mx
	ok "$1: NF4 of each expert, not of its router" sh -c \
	    'peft-inspect mx.nf4 | grep -q "^types  *nf4  *weights 32 "'
	peft-quantize -q -t f32 -o mx.wide/ mx.nf4
	for m in mx.nf4 mx.wide; do logits-tool $m <six >$m.logits; done
	ok "$1: NF4: the logits of its values" cmp mx.nf4.logits mx.wide.logits
	peft-quantize -q -t bf16 --shard 12K -o mx.shards/ mx
	logits-tool mx.shards <six >mx.shards.logits
	ok "$1: in shards" cmp mx.f32.logits mx.shards.logits
	rm -r mx mx.*
}

# NEFTune's noise comes to what transformers' embedding gives, and Gemma's
# gives it scaled: how far the loss of 40 tokens spreads over draws (in torch,
# of 200).
noise() {	# MODEL SPREAD
	jq -cn '[range(43) | . % 40][3:] | {input_ids: ., labels: .}' >forty
	peft-train -q -m "$1" --lr 0 --steps 24 --neftune 2 --log noise.log \
	    -f -o noise.safetensors forty
	ok "$1: NEFTune's noise" sh -c "jq -s '[.[].loss | select(.)] |
	    (add / length) as \$m | map(. - \$m | . * .) | add / 23 | sqrt /
	    $2 | . > 0.5 and . < 2' noise.log | grep -q true"
}

for pack in "$TOP"/tests/golden/families/*.tar.zst; do
	name=$(basename "$pack" .tar.zst)
	mkdir "$name"
	zstd -dqc "$pack" | tar -C "$name" -xf -
	unit model-unit "$name"
	unit kept-unit "$name/model"
	case $name in	# windows and caps, slopes, one head of keys
	gemma[23]|mpt|falcon_7b|falcon_alibi|mistral)	unit long-unit "$name" ;;
	esac
	[ "$name" != gemma ] || noise gemma/model 0.0070
	run peft-merge -q -m "$name/model" -a "$name/adapter" -t f32 \
	    -o "$name/merged/"
	ok "$name: merged" [ "$rc" -eq 0 ]
	same "$name" "$name/merged" adapter_logits
	why=$(untold "$name")
	if [ -n "$why" ]; then
		expect 2 "$why" peft-quantize -q -t f32 -o x.gguf "$name/model"
		ok "$name: nothing is left" [ ! -e x.gguf ]
	else
		ok "$name: to GGUF and back" to_gguf "$name"
		same "$name" "$name.gguf" logits
		same "$name" "$name/back" logits
		cp "$name/back/config.json" "$name-config.json"
	fi
	if [ "$name" = rope_yarn ]; then	# how much attention is sharpened
		c=$name/model/config.json
		sed -i 's/"rope_type": "yarn"/&, "attention_factor": 1.3/' "$c"
		rm -r "$name.gguf" "$name/back" "$name"/?s.safetensors
		ok "$name: with a factor, to GGUF and back" to_gguf "$name"
		ok "$name: the factor is there" \
		    grep -q '"attention_factor": 1.3,' "$name/back/config.json"
		for key in '"truncate": false' '"mscale": 0.5'; do
			sed "s/\"rope_type\": \"yarn\"/&, $key/" "$c" >c
			mkdir far; cp "$name/model/model.safetensors" far
			mv c far/config.json
			expect 2 '*rope scaling: *cannot be told in GGUF*' \
			    peft-quantize -q -t f32 -o x.gguf far
			rm -r far
		done
		mkdir far; cp "$name/model/model.safetensors" far
		sed 's/"rope_type": "yarn"/&, "original_max_position_embeddings": 1e99/
		    s/"original_max_position_embeddings": [0-9]*,//' "$c" >far/config.json
		expect 2 '*original_max_position_embeddings is not above 1 and up to 1e9' \
		    peft-quantize -q -t f32 -o x.gguf far
		rm -r far
	fi
	if [ "$name" = deepseek_v2 ]; then	# of which GGUF has but one
		sed -i 's/"mscale": 0.7/"mscale": 0.9/' "$name/model/config.json"
		ok "$name: to GGUF and back" to_gguf "$name"
		for m in model back; do
			logits-tool "$name/$m" <six >"$m.logits"
		done
		logits-tool "$name.gguf" <six >gguf.logits
		ok "$name: the same logits, both" sh -c \
		    '[ -s model.logits ] && cmp model.logits back.logits &&
		    cmp model.logits gguf.logits'
		kv_b "$name"
	fi
	if [ "$name" = gpt_oss ]; then	# whose activation GGUF has one of
		cp "$name/model/config.json" c	# of all experts: who is chosen
		sed -i 's/\("num_experts_per_tok"\): 2/\1: 4/' \
		    "$name/model/config.json"	# is no step in the loss
		unit long-unit "$name"
		unit tree-unit "$name/model"
		mv c "$name/model/config.json"
		mx4 "$name"
		sed -i 's/"swiglu_limit": 0.75/"swiglu_limit": 7.0/' "$name/model/config.json"
		ok "$name: to GGUF and back" to_gguf "$name"
		for m in model back; do
			logits-tool "$name/$m" <six >"$m.logits"
		done
		logits-tool "$name.gguf" <six >gguf.logits
		ok "$name: the same logits, both" sh -c \
		    '[ -s model.logits ] && cmp model.logits back.logits &&
		    cmp model.logits gguf.logits'
		sed -i 's/"truncate": false/"truncate": true/' "$name/back/config.json"
		expect 2 '*"truncate": true cannot be told in GGUF for gpt_oss*' \
		    peft-quantize -q -t f32 -o x.gguf "$name/back"
	fi
	if [ "$name" = mixtral ]; then	# experts in another order, from a pipe
		peft-quantize -q -t f32 "$name/model" |
		    peft-quantize -q -o piped.gguf -
		ok "$name: from a pipe" cmp "$name.gguf" piped.gguf
		expect 2 "*experts.*.w1.weight is to be *, *experts.*.w1.weight *: GGUF has a layer's experts in one tensor*" \
		    peft-quantize -q -t 'experts\.0\.w1=q8_0' -o x.gguf "$name/model"
		sed 's/experts.3.w2/experts.4.w2/' "$name/model/model.safetensors" >x.safetensors
		mkdir gap; mv x.safetensors gap/model.safetensors
		cp "$name/model/config.json" gap
		expect 2 '*gap: weight *.experts.3.w2.weight is missing' \
		    peft-quantize -q -t f32 -o x.gguf gap
		# of what the toolkit does not run it does not know that
		sed '1s/{/{"nobody_knows": 1,/' "$name/model/config.json" \
		    >gap/config.json
		expect 2 '*of the 5 experts whose weights GGUF has as blk.0.ffn_down_exps.weight only 4 are there' \
		    peft-quantize -q -t f32 -o x.gguf gap
		ok 'nothing is left' [ ! -e x.gguf ]
		rm -r gap
		perl -0777 -pe 's/(llama\.expert_count\x04\0\0\0)\x04/$1\x05/' \
		    "$name.gguf" >5.gguf
		expect 2 '*5.gguf: weight *.gate.weight has shape [[]4, 32], the config calls for [[]5, 32]' peft-merge -q \
		    -m 5.gguf -a "$name/adapter" -o x.safetensors
	fi
	[ ! -f "$name/model.gguf" ] || same "$name" "$name/model.gguf" logits
	rm -rf "$name" "$name.gguf"
done

# What config.json is like where models are published: nothing in it is
# refused, so that the weights are what is missed.
mkdir real
printf '\100\0\0\0\0\0\0\0%-64s\0\0\0\0' \
    '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' \
    >real/model.safetensors
zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C real -xf - adapter
while read -r line; do
	echo "$line" >real/config.json
	expect 2 'peft-merge: real: weight *.weight is missing' \
	    peft-merge -q -m real -a real/adapter -o x.safetensors
done <"$TOP/tests/golden/configs.jsonl"

# refuse FAMILY KEY VALUE GLOB: config.json with the key at that value
refuse() {
	rm -rf bad; mkdir bad
	zstd -dqc "$TOP/tests/golden/families/$1.tar.zst" | tar -C bad -xf -
	KEY=$2 VALUE=$3 perl -0pe '
		$k = quotemeta $ENV{KEY}; $v = $ENV{VALUE};
		s/"$k":\s*(\[[^]]*\]|[^,\n}]*)/"$ENV{KEY}": $v/ or
		    s/\{/{ "$ENV{KEY}": $v,/' bad/model/config.json >c
	mv c bad/model/config.json
	expect 2 "peft-merge: bad/model: config.json: $4" peft-merge -q \
	    -m bad/model -a bad/adapter -o x.safetensors
	ok "nothing is left" [ ! -e x.safetensors ]
}
no='is not honoured by this family'"'"'s code'
refuse gpt2 scale_attn_by_inverse_layer_idx true \
    "key \"scale_attn_by_inverse_layer_idx\" $no"
refuse gpt2 scale_attn_weights false "key \"scale_attn_weights\": false $no"
refuse gpt2 activation_function '"mish"' 'activation_function "mish" is not*'
refuse gpt2 rope_theta '"a"' '"rope_theta" is not a number'
refuse opt do_layer_norm_before false "key \"do_layer_norm_before\": false $no"
refuse opt word_embed_proj_dim 16 'word_embed_proj_dim 16, other than *'
refuse falcon_7b alibi 8 '*"alibi" is not *'
refuse falcon_40b parallel_attn false 'new_decoder_architecture without *'
refuse bloom apply_residual_connection_post_layernorm true \
    "key \"apply_residual_connection_post_layernorm\" $no"
refuse mpt expansion_ratio 3 'expansion_ratio 3 is not honoured*'
refuse mpt alibi_bias_max 4 \
    'alibi_bias_max 4 is not honoured (transformers has 8)'
refuse phi tie_word_embeddings true 'tie_word_embeddings with a head that *'
refuse mpt prefix_lm true "attn_config: key \"prefix_lm\" $no"
refuse stablelm qk_layernorm true "key \"qk_layernorm\" $no"
refuse stablelm rms_norm_eps 0.3 "key \"rms_norm_eps\" $no"
refuse gpt2 rms_norm_eps 1e-5 "key \"rms_norm_eps\" $no"
refuse gptj rotary_dim null 'key "rotary_dim" is missing'
refuse gptj rotary_dim 5 'head_dim 8 is not even, or the part of it *'
refuse smollm3 no_rope_layers '[1]' 'no_rope_layers is no list of 2*'
refuse olmo clip_qkv '"x"' '"clip_qkv" is not a number'
refuse qwen2 layer_types '["full_attention"]' \
    'layer_types is no list of 2 names'
refuse mixtral num_experts_per_tok 5 '5 of 4 experts are to be chosen'
refuse qwen3_moe_dense mlp_only_layers '[9]' \
    'mlp_only_layers: something is no layer'
refuse deepseek_v2 topk_method '"noaux_tc"' 'topk_method "noaux_tc" is not *'
refuse deepseek_v2 q_lora_rank 8 "key \"q_lora_rank\" $no"
refuse gpt_oss hidden_act '"gelu"' 'hidden_act "gelu" is not honoured*'
refuse gpt_oss swiglu_limit 0 'swiglu_limit is not above 0'
refuse gpt_oss norm_topk_prob true "key \"norm_topk_prob\" $no"
refuse mistral layer_types '["full_attention","full_attention"]' \
    "key \"layer_types\" $no"
refuse mistral sliding_window 0 'sliding_window 0 is not honoured (null: none)'
refuse qwen2 attention_bias true "key \"attention_bias\" $no"
refuse phi3 mlp_bias true "key \"mlp_bias\" $no"
refuse qwen3 partial_rotary_factor 0.5 "key \"partial_rotary_factor\" $no"
refuse qwen3 rope_theta '50, "partial_rotary_factor": 0.5' \
    "partial_rotary_factor 0.5 $no"
refuse gemma final_logit_softcapping 2 "key \"final_logit_softcapping\" $no"
refuse gemma query_pre_attn_scalar 20 "key \"query_pre_attn_scalar\" $no"
refuse gemma hidden_activation '"relu"' \
    'hidden_activation "relu" is not honoured (known: gelu_pytorch_tanh)'
refuse gemma3 attn_logit_softcapping 2 "key \"attn_logit_softcapping\" $no"
refuse gemma2 sliding_window_pattern 3 "key \"sliding_window_pattern\" $no"
refuse cohere2 use_qk_norm true "key \"use_qk_norm\" $no"
refuse exaone4 sliding_window_pattern '"LGLG"' \
    'sliding_window_pattern "LGLG" is not honoured*'
refuse deepseek_v2 mlp_bias true "key \"mlp_bias\" $no"
refuse rope_yarn factor 0 'rope scaling "yarn" needs a factor above 0'
refuse rope_yarn rope_type '"ntk"' 'rope scaling "ntk" is not honoured*'
refuse rope_longrope short_factor '[1]' '*short_factor is no list *'

# Heads are as wide as transformers has them where nothing is said
for f in gemma:1024 gemma2:1024 gemma3:1024 qwen3:512 glm:512 glm4:512 \
    gpt_oss:256 cohere:; do
	rm -rf bad; mkdir bad
	zstd -dqc "$TOP/tests/golden/families/${f%:*}.tar.zst" | tar -C bad -xf -
	jq 'del(.head_dim)' bad/model/config.json >c
	mv c bad/model/config.json
	if [ -n "${f#*:}" ]; then
		expect 2 "*q_proj.weight has shape *, the config calls for [[]${f#*:}, 32]" \
		    peft-merge -q -m bad/model -a bad/adapter -o x.safetensors
	else
		same bad bad/model logits
	fi
done
for f in gemma gemma2 qwen3 glm glm4; do
	ok "$f: a GGUF's width is said" grep -q '"head_dim": [18][2,]' \
	    "$f-config.json"
done

# What llama.cpp's graph of a family has built in cannot be told in GGUF
untold() {	# FAMILY JQ GLOB
	rm -rf bad; mkdir bad
	zstd -dqc "$TOP/tests/golden/families/$1.tar.zst" | tar -C bad -xf -
	jq "$2" bad/model/config.json >c
	mv c bad/model/config.json
	expect 2 "peft-quantize: bad/model: config.json: $3" peft-quantize -q \
	    -t f32 -o untold.gguf bad/model
	ok 'nothing is left' [ ! -e untold.gguf ]
}
untold qwen2 '.hidden_act = "gelu"' \
    'hidden_act "gelu" cannot be told in GGUF for qwen2, which has silu there'
untold gpt2 '.activation_function = "relu"' 'activation_function "relu" cannot *'
untold gemma2 '.hidden_activation = "silu"' 'hidden_activation "silu" cannot *'
untold mpt '.attn_config.softmax_scale = 0.3' 'the key "softmax_scale" cannot *'

# What is not said is what transformers has in its place, which the golden
# numbers were made with
left_out() {
	rm -rf bad; mkdir bad
	zstd -dqc "$TOP/tests/golden/families/$1.tar.zst" | tar -C bad -xf -
	jq -e "has(\"$2\")" bad/model/config.json >/dev/null || echo "no $2"
	jq "del(.$2)" bad/model/config.json >c
	mv c bad/model/config.json
	ok "$1 without $2" model-unit bad bad/model logits
}
left_out gemma3 rope_parameters
left_out cohere rope_parameters
left_out glm attention_bias
left_out glm4 attention_bias
left_out gemma hidden_act

rm -rf bad; mkdir bad
zstd -dqc "$TOP/tests/golden/families/gpt_oss.tar.zst" | tar -C bad -xf -
jq 'del(.rope_parameters)' bad/model/config.json >c; mv c bad/model/config.json
expect 2 '*bad/model: config.json: key "rope_scaling" is missing' \
    peft-eval -q -m bad/model /dev/null

# How many positions there are, too: rows of GPT-2's, the reach of yarn
rm -rf bad; mkdir bad
zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C bad -xf -
jq 'del(.n_positions)' bad/model/config.json >c; mv c bad/model/config.json
perl "$TOP/tests/st-edit.pl" 'my $p = $t{"transformer.wpe.weight"};
    $p->{shape}[0] = 1024; $p->{data} .= "\0" x (960 * 32 * 2)' \
    <bad/model/model.safetensors >c && mv c bad/model/model.safetensors
ok 'gpt2 has 1024 positions' model-unit bad bad/model logits
reach() {	# FAMILY N: what it has, and another number
	rm -rf bad; mkdir bad
	zstd -dqc "$TOP/tests/golden/families/$1.tar.zst" | tar -C bad -xf -
	mv bad/model/config.json whole.json
	seq -s, 60 | sed 's/[0-9]*/7/g;s/.*/{"input_ids":[3,&],"labels":[3,&]}/' >long
	for max in null "$2" 64; do
		jq --argjson n "$max" '.rope_parameters |= (del(.original_max_position_embeddings) +
		    {rope_type: "yarn", factor: 4}) | if $n then .max_position_embeddings = $n
		    else del(.max_position_embeddings) end' whole.json >bad/model/config.json
		peft-eval -q --summary -m bad/model long >loss.$max || return
	done
	cmp loss.null "loss.$2" && ! cmp -s loss.null loss.64
}
for f in mistral:131072 qwen2:32768 qwen3:32768 stablelm:4096 olmo2:2048 \
    mixtral:131072 cohere:8192 starcoder2:4096; do
	ok "positions where nothing is said: $f" reach "${f%:*}" "${f#*:}"
done

# More tokens than there are positions
rm -rf bad; mkdir bad
zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C bad -xf -
seq -s, 70 | sed 's/[0-9]*/3/g;s/.*/{"input_ids":[&],"labels":[&]}/' >long
expect 2 'peft-eval: *70 tokens, the model knows 64 positions*' \
    peft-eval -q -m bad/model long

done_testing
