#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which weights the mixes give more bits, and types by patterns.
. "$TOP/tests/lib.sh"
. "$TOP/tests/sparse.sh"

# MODEL LAYERS HEADS KVHEADS TIED
sparse shared 16 8 2 0
sparse tied 9 4 4 1
sparse large 80 8 4 0
sparse experts 16 8 2 0 mixtral
sparse falcon 16 4 1 0 falcon

# ones DIR LAYERS [KIND]: an importance matrix of ones, in the older form
ones() {
	perl -e '
	my ($layers, $kind, @e) = @ARGV;
	my %cols = $kind eq "falcon" ? (attn_qkv => 256, attn_output => 256,
	    ffn_up => 256, ffn_down => 512) :
	    (attn_q => 256, attn_k => 256, attn_v => 256, attn_output => 256,
	    $kind eq "mixtral" ? (ffn_gate_inp => 256, ffn_gate_exps => 8 * 256,
	    ffn_up_exps => 8 * 256, ffn_down_exps => 8 * 512) :
	    (ffn_gate => 256, ffn_up => 256, ffn_down => 512));
	for my $l (0 .. $layers - 1) {
		push @e, pack("l</a l< l< f<*", "blk.$l.$_.weight", 1, $cols{$_},
		    (1) x $cols{$_}) for sort keys %cols;
	}
	print pack("l<", scalar @e), @e' "$2" "${3:-llama}" >"$1.dat"
}
ones shared 16; ones tied 9; ones large 80
ones experts 16 mixtral; ones falcon 16 falcon

# the golden's lines are "MODEL MIX WEIGHT TYPE LAYER,LAYER,...", of what is
# not of the mix's own type (parity/mixes.py); MIX+ is with importances
plan() {
	set -- "$1" "$2" "$3" "${2%+}"
	if [ "$2" != "$4" ]; then
		run peft-quantize --log-json -n -t "$4" --imatrix "$1.dat" \
		    -o x.gguf "$1"
	else
		run peft-quantize --log-json -n -t "$2" -o x.gguf "$1"
	fi
	jq -rR 'fromjson? | select(.weight) | "\(.weight) \(.to)"' err |
	    awk -v what="$1 $2" -v own="$3" '
	    /norm|ln_f/ || $2 == own { next }
	    { n = ""; w = $1
	      if (match(w, /layers\.[0-9]+\./)) {
		n = substr(w, RSTART + 7, RLENGTH - 8)
		w = substr(w, RSTART + RLENGTH)
		if (sub(/experts\.[0-9]+/, "experts", w) && seen[n, w]++)
			next
	      } else if (match(w, /\.h\.[0-9]+\./)) {
		n = substr(w, RSTART + 3, RLENGTH - 4)
		w = substr(w, RSTART + RLENGTH)
	      }
	      k = w " " $2
	      if (k in at) at[k] = at[k] "," n; else at[k] = n }
	    END { for (k in at) print what, k, at[k] }' | sed 's/ $//' | sort
}
cut -d' ' -f1,2 "$TOP/tests/golden/mix/types" | sort -u >asked
ok 'there is a golden' [ "$(wc -l <asked)" -ge 30 ]
while read -r model mix; do
	case ${mix%+} in
	iq2_s) own=iq2_xs ;;
	iq2_m) own=iq2_s ;;
	iq3_xs|iq3_m) own=iq3_s ;;
	iq*) own=${mix%+} ;;
	mxfp4_moe) own=mxfp4 ;;
	*) own=${mix%+} own=${own%_[sml]} ;;
	esac
	plan "$model" "$mix" "$own" >got
	grep "^$model $mix " "$TOP/tests/golden/mix/types" | grep -v ' own$' | sort >want
	ok "$model, $mix: types as llama.cpp chooses them" cmp got want
done <asked

# names of the same, and none of a mix
for t in q3_k q4_k q5_k; do
	plan tied $t $t | sed "s/^tied $t/tied ${t}_m/" >got
	plan tied ${t}_m $t >want
	ok "$t is ${t}_m" cmp got want
done
run peft-quantize --log-json -n --pure -t q4_k -o x.gguf shared
ok '--pure: one type for all matrices' sh -c '[ "$(grep -c "\"to\":\"q4_k\"" err)" -eq 114 ]'
expect 1 "*type 'q4_k_m' cannot be written*" peft-quantize --pure -t q4_k_m -o x.gguf tied
expect 1 '*--pure is for -t TYPE' peft-quantize --pure -o x.gguf tied
ok 'mixes are listed' sh -c "peft-quantize --list-types | grep -q '^mixes.* q3_k_l .* q5_k_m '"
rm -r tied/config.json
expect 2 '*there is no config.json, which the mix q4_k_m needs' peft-quantize -t q4_k_m -o x.gguf tied

# a type a pattern: the last that matches counts
to() { grep "\"weight\":\"$1\"" err | sed 's/.*"to":"\([^"]*\)".*/\1/'; }
run peft-quantize --log-json -n -t q4_k_m -t 'layers\.[0-3]\.mlp=q8_0' -t 'layers\.3\.=f16' \
    --keep 'layers\.3\.mlp\.up' -t 'model\.norm=f32' -o x.gguf shared
ok 'patterns pass' [ "$rc" -eq 0 ]
ok 'a pattern gives a type' [ "$(to model.layers.2.mlp.down_proj.weight)" = q8_0 ]
ok 'a later one another' [ "$(to model.layers.3.mlp.down_proj.weight)" = f16 ]
ok 'what is kept is kept' [ "$(to model.layers.3.mlp.up_proj.weight)" = bf16 ]
ok 'others are of the mix' [ "$(to model.layers.5.self_attn.v_proj.weight)$(to lm_head.weight)" = q4_kq6_k ]
ok 'and it is told which' grep -q '"to":"q8_0","why":"rule"' err
run peft-quantize -n -t 'mlp=nf4' shared
ok 'without a type for the rest it stays' sh -c '[ "$(grep -c -- "-> nf4 .*(rule)" err)" -eq 48 ] && ! grep -q "embed.*nf4" err'
expect 2 "*--type 'nothing=q8_0' matches no matrix" peft-quantize -t q4_k -t nothing=q8_0 -o x.gguf shared
expect 2 "*--type 'norm=q8_0' matches no matrix" peft-quantize -t q4_k -t norm=q8_0 -o x.gguf shared
expect 2 "*--type 'norm=f16' matches no matrix" peft-quantize -t q4_k -t norm=f16 -o x.gguf shared
expect 1 "*type 'q4_k_m' cannot be written*" peft-quantize -t q4_k -t mlp=q4_k_m -o x.gguf shared
expect 2 '*missing terminating*' peft-quantize -t '[=q4_k' -o x.gguf shared
expect 2 "*weight model.layers.0.mlp.up_proj.weight: rows of 64 do not divide into blocks of 256, as --type 'up=q4_k' needs them" \
    peft-quantize -t up=q4_k -o x.gguf "$TOP/tests/golden/tiny/model"
# sizes are under keys of the family's own; what llama.cpp makes of these files
# (rows of 32: q5_0 stands for q4_k, q8_0 for q6_k)
for m in gpt2 falcon_7b; do
	mkdir $m; tar --zstd -C $m -xf "$TOP/tests/golden/families/$m.tar.zst"
done
run peft-quantize --log-json -n -t q4_k_m -o x.gguf gpt2/model
ok 'gpt2: of two layers the second gets more bits' [ \
    "$(to transformer.h.0.mlp.c_proj.weight)$(to transformer.h.1.mlp.c_proj.weight)" = q5_0q8_0 ]
ok 'positions are not quantised' [ "$(to transformer.wpe.weight)" = f32 ]
# so for plain types, which llama.cpp's converter leaves alike, and for the
# pure; a router is f32, but where a pattern asks for other
run peft-quantize --log-json -n -t bf16 -o x.gguf gpt2/model
ok 'nor in 16 bits' [ "$(to transformer.wpe.weight)$(to transformer.wte.weight)" = f32bf16 ]
router=model.layers.3.block_sparse_moe.gate.weight
for how in '-t f16' '-t bf16' '--pure -t q8_0' ''; do
	# shellcheck disable=SC2086
	run peft-quantize --log-json -n $how -o x.gguf experts
	ok "routers are f32: ${how:-kept}" [ "$(to $router)" = f32 ]
	ok 'and it is said why' grep -q '"to":"f32","why":"small"' err
done
ok 'others keep their type' [ "$(to model.layers.3.self_attn.q_proj.weight)" = bf16 ]
run peft-quantize --log-json -n -t f16 -t 'moe\.gate=f16' -o x.gguf experts
ok 'a pattern has a router in f16' [ "$(to $router)" = f16 ]
run peft-quantize --log-json -n -t f16 -o x.safetensors experts
ok 'a folder, too' [ "$(to $router)" = f16 ]
run peft-quantize --log-json -n -t q2_k -o x.gguf falcon_7b/model
ok 'falcon: all queries share a key, by multi_query' [ \
    "$(to transformer.h.0.self_attention.query_key_value.weight)" = q5_0 ]
# memory: a further layer takes what its names take in headers, not its weights
peak_of() { peft-quantize -v -j 2 -t nf4 -f -o "$1.out.safetensors" "$1" 2>&1 | sed -n 's/.*peak memory \([0-9]*\).*/\1/p'; }
if sanitized; then
	skip 'memory of layers' 'AddressSanitizer has tables of its own'
else
	few=$(peak_of shared) many=$(peak_of large)
	size=$((($(wc -c <large/model.safetensors) - $(wc -c <shared/model.safetensors)) >> 20))
	ok "64 more layers of $size MiB: from $few to $many MiB" [ $((many - few)) -lt $((size / 3)) ]
fi

ok 'nothing was written by dry runs' [ ! -e x.gguf ]

done_testing
