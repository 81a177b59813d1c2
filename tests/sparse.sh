# SPDX-License-Identifier: Apache-2.0
# sparse DIR LAYERS HEADS KVHEADS TIED [KIND]: a llama (mixtral of 8 experts,
# falcon) of rows of 256 and 512, whose weights are a hole in a file: zeros
# that take no room.
sparse() {
	mkdir "$1"
	perl -e '
	my ($dir, $layers, $heads, $kv, $tied, $kind) = @ARGV;
	$kind ||= "llama";
	my @t = (["model.embed_tokens.weight", 512, 256]);
	my $q = 256 + 2 * 256 / $heads * $kv;
	@t = (["transformer.word_embeddings.weight", 512, 256],
	    ["transformer.ln_f.weight", 256], ["transformer.ln_f.bias", 256],
	    map { ["${_}self_attention.query_key_value.weight", $q, 256],
		["${_}self_attention.dense.weight", 256, 256],
		["${_}mlp.dense_h_to_4h.weight", 512, 256],
		["${_}mlp.dense_4h_to_h.weight", 256, 512],
		["${_}input_layernorm.weight", 256],
		["${_}input_layernorm.bias", 256] }
	    map { "transformer.h.$_." } 0 .. $layers - 1) if $kind eq "falcon";
	for (map { "model.layers.$_." } 0 .. $layers - 1) {
		last if $kind eq "falcon";
		push @t, ["${_}self_attn.q_proj.weight", 256, 256],
		    ["${_}self_attn.k_proj.weight", 256 / $heads * $kv, 256],
		    ["${_}self_attn.v_proj.weight", 256 / $heads * $kv, 256],
		    ["${_}self_attn.o_proj.weight", 256, 256],
		    ["${_}input_layernorm.weight", 256],
		    ["${_}post_attention_layernorm.weight", 256];
		my ($moe, $l) = ("${_}block_sparse_moe.", $_);
		push @t, $kind eq "llama" ?
		    (["${l}mlp.gate_proj.weight", 512, 256],
		    ["${l}mlp.up_proj.weight", 512, 256],
		    ["${l}mlp.down_proj.weight", 256, 512]) :
		    (["${moe}gate.weight", 8, 256], map {
		    ["${moe}experts.$_.w1.weight", 512, 256],
		    ["${moe}experts.$_.w3.weight", 512, 256],
		    ["${moe}experts.$_.w2.weight", 256, 512] } 0 .. 7);
	}
	push @t, ["model.norm.weight", 256] if $kind ne "falcon";
	push @t, ["lm_head.weight", 512, 256] unless $tied;
	my ($at, @h) = (0);
	for (@t) {
		my ($name, @shape) = @$_;
		my $n = 2;
		$n *= $_ for @shape;
		push @h, sprintf(qq("%s":{"dtype":"BF16","shape":[%s],"data_offsets":[%d,%d]}),
		    $name, join(",", @shape), $at, $at + $n);
		$at += $n;
	}
	my $h = "{" . join(",", @h) . "}";
	$h .= " " while length($h) % 8;
	open my $f, ">", "$dir/model.safetensors" or die;
	print $f pack("Q<", length $h), $h;
	$f->flush; truncate $f, 8 + length($h) + $at or die;
	open $f, ">", "$dir/config.json" or die;
	print $f q({"num_local_experts":8,"num_experts_per_tok":2,) if $kind eq "mixtral";
	print $f q({"multi_query":true,"num_kv_heads":1,"ffn_hidden_size":512,"bias":false,"alibi":false,) .
	    q("parallel_attn":true,"layer_norm_epsilon":1e-5,) if $kind eq "falcon";
	print $f "{" if $kind eq "llama";
	print $f qq("model_type":"$kind",);
	printf $f q("hidden_size":256,"intermediate_size":512,) .
	    q("num_hidden_layers":%d,"num_attention_heads":%d,"num_key_value_heads":%d,) .
	    q("vocab_size":512,"max_position_embeddings":512,"rms_norm_eps":1e-5,) .
	    q("rope_theta":10000.0,"tie_word_embeddings":%s}), $layers, $heads, $kv,
	    $tied ? "true" : "false";' "$@"
}
