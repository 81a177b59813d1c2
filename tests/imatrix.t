#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Importance matrices through the programs: their sums, both forms, what they
# change, and what is refused.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
unit imatrix-unit

peft-tokenize -q -m base test.jsonl >test.tok
for t in gguf dat; do
	expect 0 '' peft-eval -q -m base --summary --imatrix "m.$t" test.tok
	ok "$t: the results come as well" grep -q '^{"summary":' out
done

# old FILE: what quantisers read in the older form: name, mean squares
old() {
	perl -e '
		local $/; my $b = <STDIN>;
		my ($at, $n) = (4, unpack "l<", $b);
		while ($n-- > 0) {
			my ($name, $calls, $k) = unpack "l</a l< l<", substr $b, $at;
			my @v = unpack "f<$k", substr $b, $at + 12 + length $name;
			print join(" ", $name, map { $_ / $calls } @v), "\n";
			$at += 12 + length($name) + 4 * $k;
		}
		my ($chunks, $data) = unpack "l< l</a", substr $b, $at;
		print STDERR "$chunks $data\n"' <"$1"
}
old m.dat >means 2>end
ok 'the older form says how many chunks, and of what' grep -qx '1 test.tok' end
# f32 arithmetic against f64: a millionth or so of the largest
cat >near.pl <<'!'
open my $got, "<", "means"; open my $want, "<", $ARGV[0]; my $n = 0;
while (my $w = <$want>) {
	my ($name, $count, @w) = split " ", $w; my ($same, @g) = split " ", <$got>;
	my ($largest) = sort { $b <=> $a } @w;
	exit 1 if $name ne $same || @w != @g;
	abs($w[$_] - $g[$_] * $count) <= 3e-6 * $largest or exit 1 for 0 .. $#w;
	$n++;
}
exit !($n == 14 && !defined <$got>)
!
ok 'the sums are those of hooks in transformers' perl near.pl "$TOP/tests/golden/tiny/imatrix.txt"
expect 0 '' peft-eval -q -m base -j 1 --summary --imatrix one.gguf test.tok
ok 'the same bytes by one thread' cmp m.gguf one.gguf
cat test.tok | peft-eval -q -m base --summary --imatrix pipe.dat >out
old pipe.dat 2>end | cmp - means
ok 'a pipe is called -' grep -qx '1 -' end
expect 0 '' peft-eval -q -m base -a adapter --no-base --summary --imatrix ad.dat test.tok
old ad.dat >means 2>end
ok 'those of an adapter are others' sh -c '! perl near.pl "$TOP/tests/golden/tiny/imatrix.txt"'
expect 0 '' peft-eval -q -m base --match --summary --imatrix match.gguf test.tok
ok 'answers do not count' cmp m.gguf match.gguf
expect 2 '*: holds no model but a GGUF imatrix' peft-inspect m.gguf

# the output tells the file's name, here of the same length
mkdir new old; cp m.gguf new/m; cp m.dat old/m
for t in q4_0 q4_1 q5_0 q5_1 iq4_nl; do
	peft-quantize -q -t "$t" -o plain.gguf -f base
	expect 0 '' peft-quantize -q -t "$t" --imatrix new/m -o got.gguf -f base
	run peft-inspect --diff plain.gguf got.gguf
	ok "$t: the 14 matrices that are in there are others" \
	    sh -c '[ "$(grep -c "_proj.weight" out)" -eq 14 ] && ! grep -q embed out'
	expect 0 '' peft-quantize -q -t "$t" --imatrix old/m -o old.gguf -f base
	ok "$t: the older form has the same effect" \
	    sh -c 'sed s,new/m,old/m, got.gguf | cmp - old.gguf'
	run peft-quantize -q -t "$t" --report --imatrix m.dat -o old.gguf -f base
	sed -n 's/.*_proj.* rms/rms/p' err | sort -u >reported
	run peft-inspect --diff base old.gguf
	ok "$t: the errors that are reported are those there are" \
	    sh -c "sed -n 's/.*_proj.* rms/rms/p' out | sort -u | diff - reported"
done
expect 0 'peft-quantize: 1 matrices are not in m.gguf (model.embed_tokens.weight): all their columns count the same' \
    peft-quantize --pure -t q4_0 --imatrix m.gguf -o got.gguf -f base
expect 0 '' peft-quantize -q -n -t q4_0 --imatrix m.gguf -o none.gguf base
ok 'a dry run writes nothing' [ ! -e none.gguf ]

run peft-inspect got.gguf
for key in 'file * "*m.gguf"' 'dataset * "*test.tok"' 'entries_count * 14' 'chunks_count * 1'; do
	k=${key%% *}
	ok "the output says by which matrix: $k" grep -q "quantize.imatrix.$k" out
done
expect 0 '' peft-quantize -q -t q8_0 -o again.gguf -f got.gguf
run peft-inspect again.gguf
ok 'and no longer when types change again' sh -c '! grep -q quantize.imatrix out'

# experts: sums and counts of each (parity/imatrix_moe.py)
mkdir moe
zstd -dqc "$TOP/tests/golden/families/mixtral.tar.zst" | tar -C moe -xf -
perl -0777 -ne 'my $n = unpack "Q<"; my ($at) = substr($_, 8, $n) =~ /"input_ids":\{[^}]*"data_offsets":\[(\d+)/;
	my @i = unpack "q<28", substr $_, 8 + $n + $at;
	for (0, 14) { my $i = join ",", @i[$_ .. $_ + 13]; print "{\"input_ids\":[$i],\"labels\":[$i]}\n"; }' \
    moe/golden.safetensors >moe.tok
for t in gguf dat; do
	expect 0 '' peft-eval -q -m moe/model --summary --imatrix "moe.$t" moe.tok
done
old moe.dat >means 2>end
ok 'experts: the sums are those of the formulas' perl -e '
	open my $got, "<", "means"; open my $want, "<", $ARGV[0]; my (%m, $n);
	while (<$got>) { my ($name, @v) = split; $m{$name} = \@v; }
	while (<$want>) {
		my ($name, $e, $count, @w) = split;
		my @g = @{$m{$name}}[$e * @w .. ($e + 1) * @w - 1];
		my ($largest) = sort { $b <=> $a } @w;
		abs($w[$_] - $g[$_] * $count) <= 3e-6 * $largest or exit 1 for 0 .. $#w;
		$n++;
	}
	exit !($n == 26 && keys %m == 16)' "$TOP/tests/golden/tiny/imatrix-moe.txt"
for t in gguf dat; do
	expect 0 '' peft-quantize -q -t q4_0 --imatrix "moe.$t" -o "q.$t.gguf" moe/model
done
for f in q.gguf q.dat; do peft-quantize -q -o $f.safetensors -t f32 $f.gguf; done
expect 0 '' peft-inspect --diff q.gguf.safetensors q.dat.safetensors
expect 0 '' peft-quantize -q -t q4_0 -o plain.gguf -f moe/model
run peft-inspect --diff plain.gguf q.gguf.gguf
ok 'and it matters for experts' grep -q 'experts.3.w1' out
sed 's/ffn_gate_exps/ffn_gaet_exps/g' moe.gguf >bad.gguf
expect 2 'peft-quantize: bad.gguf: entry blk.0.ffn_gaet_exps.weight fits no weight of moe/model' \
    peft-quantize -q -t q4_0 --imatrix bad.gguf -o x.gguf moe/model

# what is refused
expect 1 "peft-eval: --imatrix: an importance matrix ends in .gguf or .dat: 'm.bin' does not" \
    peft-eval -q -m base --imatrix m.bin test.tok
expect 1 '*--imatrix is of one system*' peft-eval -q -m base -a adapter --imatrix x.dat test.tok
expect 1 '*--compare runs no model*' peft-eval --compare --imatrix x.dat a b
expect 2 '*m.dat exists*' peft-eval -q -m base --imatrix m.dat test.tok
expect 2 '*' peft-eval -q -m base --imatrix x.dat /dev/null
ok 'nothing is left of what failed' [ ! -e x.dat ]
expect 1 '*--imatrix is for types of GGUF*' peft-quantize -q -t nf4 --imatrix m.dat -o x/ base
no='*no weight that is in there is turned into a type that takes notice*'
expect 2 "$no" peft-quantize -q -t q8_0 --imatrix m.dat -o x.gguf base
expect 2 "$no" peft-quantize -q -t iq4_nl --imatrix m.dat -o x.gguf got.gguf --keep .
peft-quantize -q -t q4_0 -o q4.gguf base
expect 2 "$no" peft-quantize -q -t q4_0 --imatrix m.dat -o x.gguf q4.gguf
expect 2 'peft-quantize: test.tok: *entries*no importance matrix*' \
    peft-quantize -q -t q4_0 --imatrix test.tok -o x.gguf base
expect 2 'peft-quantize: q4.gguf: holds no importance matrix but a GGUF model' \
    peft-quantize -q -t q4_0 --imatrix q4.gguf -o x.gguf base
expect 2 'peft-quantize: gone.dat: No such file*' \
    peft-quantize -q -t q4_0 --imatrix gone.dat -o x.gguf base
sed 's/blk\.1\.ffn_up/blk.7.ffn_up/' m.dat >other.dat
expect 2 'peft-quantize: other.dat: entry blk.7.ffn_up.weight fits no weight of base' \
    peft-quantize -q -t q4_0 --imatrix other.dat -o x.gguf base
perl -e 'print pack "l< (l</a l< l< f<96)", 1, "blk.0.attn_q.weight", 1, 96, (1) x 96' >wide.dat
expect 2 'peft-quantize: wide.dat: entry blk.0.attn_q.weight has 96 columns, weight model.layers.0.self_attn.q_proj.weight has 1 x 64' \
    peft-quantize -q -t q4_0 --imatrix wide.dat -o x.gguf base
ok 'nothing is left of what was refused' [ ! -e x.gguf ]

done_testing
