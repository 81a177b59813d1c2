#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# GGUF's block types through the programs: written, told, trained on, kept,
# and what becomes of rows that do not divide.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

# The tiny model with rows of 256, one layer of it, and noise for weights.
cp -r base wide
rm wide/model.safetensors
sed -i 's/"hidden_size": 64/"hidden_size": 256/
    s/"intermediate_size": 128/"intermediate_size": 256/
    s/"head_dim": 16/"head_dim": 64/
    s/"num_hidden_layers": 2/"num_hidden_layers": 1/' wide/config.json
perl -e '
	my ($l, @t) = ("model.layers.0.");
	push @t, [$_->[0], $_->[1], 256] for ["model.embed_tokens.weight", 512],
	    ["${l}self_attn.q_proj.weight", 256], ["${l}self_attn.k_proj.weight", 128],
	    ["${l}self_attn.v_proj.weight", 128], ["${l}self_attn.o_proj.weight", 256],
	    map { ["${l}mlp.${_}_proj.weight", 256] } qw(gate up down);
	push @t, [$_, 0, 256] for "${l}input_layernorm.weight",
	    "${l}post_attention_layernorm.weight", "model.norm.weight";
	my ($at, $s, $h, $d) = (0, 7, "", "");
	for (sort { $a->[0] cmp $b->[0] } @t) {
		my ($name, $rows, $cols) = @$_;
		my $n = ($rows || 1) * $cols;
		$h .= sprintf(qq(%s"%s":{"dtype":"F32","shape":[%s],"data_offsets":[%d,%d]}),
		    $h eq "" ? "{" : ",", $name, $rows ? "$rows,$cols" : $cols, $at, $at + 4 * $n);
		$at += 4 * $n;
		for (1 .. $n) {
			my $x = 0;
			for (1 .. 3) { $s = ($s * 1103515245 + 12345) & 0x7fffffff; $x += $s / 0x7fffffff - 0.5; }
			$d .= pack("f<", $rows ? $x / 16 : 1 + $x / 8);
		}
	}
	$h .= "}";
	$h .= " " while length($h) % 8;
	print pack("Q<", length $h), $h, $d' >wide/model.safetensors
expect 0 '' peft-quantize -q -t f32 -o wide.gguf wide
peft-tokenize -q -m base chats.jsonl >tokens.jsonl

# loss and norm of the gradient at the first step
first() { peft-train -q -m "$1" --steps 1 --log log.jsonl -f -o ad.safetensors tokens.jsonl &&
    sed -n 's/.*"loss":\([0-9.]*\),"grad_norm":\([0-9.]*\),.*/\1 \2/p' log.jsonl; }
# The same to what sums of f32 in another order differ by: the head's product
# may be by whole numbers (lib/quant/few-fixed.h).
near() { paste -d' ' "$1" "$2" | awk '{ for (i = 1; i <= 2; i++) if ($i - $(i + 2) > 1e-6 * $i ||
    $(i + 2) - $i > 1e-6 * $i) exit 1; n++ } END { exit n != 1 }'; }
# the type, and the relative error that a weight may have at most; half of it
# is too good to be true
while read -r t most; do
	run peft-quantize -q --pure -t "$t" --report -o "$t.gguf" wide.gguf
	ok "$t: an error below $most, not idle" awk -v most="$most" '
	    /-> .*rms/ && /_proj/ { n++; if (!($6 < most && $6 > most / 2)) bad = 1 }
	    END { exit bad || n != 7 }' err
	ok "$t: all matrices are told to be so" sh -c \
	    "[ \"\$(peft-inspect $t.gguf | grep -c 'weight  *$t  *\\[[0-9]*,256\\]')\" -eq 8 ]"
	expect 0 '' peft-quantize -q -o kept.gguf -f "$t.gguf"
	expect 0 '' peft-inspect --diff "$t.gguf" kept.gguf
	expect 0 '' peft-quantize -q -t f32 -o values.gguf -f "$t.gguf"
	first "$t.gguf" >got; first values.gguf >want
	ok "$t: a base to train on, as on its values in f32" near got want
	ok "$t: there is a loss" [ -s got ]
done <<'END'
q4_0 0.10
q4_1 0.09
q5_0 0.05
q5_1 0.045
q8_0 0.006
q2_k 0.33
q3_k 0.17
q4_k 0.08
q5_k 0.04
q6_k 0.02
iq1_m 0.7
iq2_s 0.45
iq3_xxs 0.26
iq3_s 0.22
iq4_nl 0.085
iq4_xs 0.085
mxfp4 0.14
tq1_0 0.9
tq2_0 0.9
END

# threads do not show
for t in q4_k_m iq4_xs f16; do
	for j in 1 2 7; do
		expect 0 '' peft-quantize -q -j $j -t $t -f -o j$j.gguf wide
	done
	ok "$t: the same bytes for every -j" sh -c 'cmp j1.gguf j2.gguf && cmp j1.gguf j7.gguf'
done
for t in 'nf4 --double-quant' 'fp4 --block-size 4096' int8 fp8 bf16; do
	for j in 1 2 7; do
		expect 0 '' peft-quantize -q -j $j -t $t -f -o j$j.safetensors wide
	done
	ok "$t: the same bytes for every -j" sh -c 'cmp j1.safetensors j2.safetensors && cmp j1.safetensors j7.safetensors'
done

# rows of 64 and 128: blocks of 32, and it is said
while read -r t small; do
	run peft-quantize --pure -t "$t" -o small.gguf -f base
	ok "$t becomes $small, aloud" grep -qx "peft-quantize: 15 weights have rows that do not divide into blocks of 256 ($t): they get $small" err
	ok "$t becomes $small" sh -c "peft-inspect small.gguf | grep -q 'o_proj.weight  *$small '"
	expect 0 '' peft-quantize -q -t "$t" -o small.gguf -f base
done <<'END'
q2_k q4_0
q3_k q4_0
iq4_xs iq4_nl
iq3_s iq4_nl
iq1_m iq4_nl
q4_k q5_0
q5_k q5_1
q6_k q8_0
tq1_0 q4_0
tq2_0 q4_0
END
# types that cannot do without importances: of each column one, here
expect 2 'peft-quantize: weight model.embed_tokens.weight: type iq2_xs needs an importance matrix (--imatrix), and there is none of it' \
    peft-quantize -q --pure -t iq2_xs -o x.gguf wide
peft-eval -q -m wide --summary --imatrix wide.dat tokens.jsonl >told
expect 2 '*weight model.embed_tokens.weight: type iq2_xs needs*' \
    peft-quantize -q --pure -t iq2_xs --imatrix wide.dat -o x.gguf wide
while read -r t most; do
	run peft-quantize -q --pure -t "$t" --keep embed --imatrix wide.dat --report -o "$t.gguf" -f wide
	ok "$t: an error below $most, not idle" awk -v most="$most" '
	    /-> .*rms/ && /_proj/ { n++; if (!($6 < most && $6 > most / 2)) bad = 1 }
	    END { exit bad || n != 7 }' err
	expect 0 '' peft-quantize -q -t f32 -o values.gguf -f "$t.gguf"
	first "$t.gguf" >got; first values.gguf >want
	ok "$t: a base to train on, as on its values in f32" near got want
done <<'END'
iq1_s 0.7
iq2_xxs 0.6
iq2_xs 0.55
iq3_s 0.22
END
ok 'nothing is left of what was refused' [ ! -e x.gguf ]

run peft-merge -m base -a adapter -t q4_k -o small.gguf -f
ok 'peft-merge says it too' grep -qx 'peft-merge: 12 weights have rows that do not divide into blocks of 256 (q4_k): they get q5_0' err
ok 'and leaves it, since nothing is what was asked for' [ "$rc" -eq 3 ]
run peft-quantize --pure -t q5_0 -o small.gguf -f base
ok 'what fits is not spoken of' [ ! -s err ]
expect 1 '*cannot be written*' peft-quantize -t q8_k -o x.gguf base
expect 2 '*exists in GGUF only*' peft-quantize -q -t q4_k -o x/ wide

done_testing
