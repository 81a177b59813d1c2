# SPDX-License-Identifier: Apache-2.0
# sparse DIR LAYERS HEADS KVHEADS TIED: a llama of rows of 256 and 512, whose
# weights are a hole in a file: zeros that take no room.
sparse() {
	mkdir "$1"
	perl -e '
	my ($dir, $layers, $heads, $kv, $tied) = @ARGV;
	my @t = (["model.embed_tokens.weight", 512, 256]);
	for (map { "model.layers.$_." } 0 .. $layers - 1) {
		push @t, ["${_}self_attn.q_proj.weight", 256, 256],
		    ["${_}self_attn.k_proj.weight", 256 / $heads * $kv, 256],
		    ["${_}self_attn.v_proj.weight", 256 / $heads * $kv, 256],
		    ["${_}self_attn.o_proj.weight", 256, 256],
		    ["${_}mlp.gate_proj.weight", 512, 256],
		    ["${_}mlp.up_proj.weight", 512, 256],
		    ["${_}mlp.down_proj.weight", 256, 512],
		    ["${_}input_layernorm.weight", 256],
		    ["${_}post_attention_layernorm.weight", 256];
	}
	push @t, ["model.norm.weight", 256];
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
	printf $f q({"model_type":"llama","hidden_size":256,"intermediate_size":512,) .
	    q("num_hidden_layers":%d,"num_attention_heads":%d,"num_key_value_heads":%d,) .
	    q("vocab_size":512,"max_position_embeddings":512,"rms_norm_eps":1e-5,) .
	    q("rope_theta":10000.0,"tie_word_embeddings":%s}), $layers, $heads, $kv,
	    $tied ? "true" : "false";' "$@"
}
