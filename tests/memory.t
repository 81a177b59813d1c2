#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --mem-limit: each plan from the largest to the smallest, one after the other.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

# deepen DIR [N]: three layers, the last like the second (or the N-th), so that
# two have parts that may be made again
deepen() {
	jq --argjson n "${2:-1}" 'if .mlp_only_layers and $n == 0 then
	    .mlp_only_layers += [2] else . end |
	    if .n_layer then .n_layer = 3 else .num_hidden_layers = 3 end |
	    if .layer_types then .layer_types += .layer_types[:1] else . end' \
	    "$1/config.json" >config.new &&
	mv config.new "$1/config.json" &&
	perl "$TOP/tests/st-edit.pl" 'for my $n (grep /\b(layers|h)\.'"${2:-1}"'\./, keys %t) {
	    (my $m = $n) =~ s/\b(layers|h)\.\d\./$1.2./; $t{$m} = $t{$n} }' \
	    <"$1/model.safetensors" >st.new &&
	mv st.new "$1/model.safetensors"
}

# one record at a time, so that only what is made again changes
train() { peft-train -q -f --lr 1e-2 --batch 2 --steps 1 --micro-tokens 1 "$@"; }

# walk WHAT LEAST OPTION ... TOKENS: the largest plan, then the largest that is
# smaller, until there is none, at least LEAST of them: all give the same bytes
walk() {
	what=$1 least=$2 plans=0 bad=''
	shift 2
	train --log k.log -o kept/ "$@" || bad='the largest plan'
	planned=$(jq '.planned_bytes // empty' k.log | tail -n 1)
	while :; do
		limit=$((planned - 1))
		run train --mem-limit $limit --log k.log -o again/ "$@"
		[ "$rc" -eq 0 ] || break
		planned=$(jq '.planned_bytes // empty' k.log | tail -n 1)
		plans=$((plans + 1))
		[ "$planned" -le $limit ] || bad="$planned for $limit"
		diff -r kept again >/dev/null ||
		    bad="${bad:-other bytes in $planned}"
	done
	[ "$rc" -eq 3 ] || bad="${bad:-exit status $rc}"
	[ $plans -ge "$least" ] || bad="${bad:-no more plans}"
	ok "$what: $plans smaller plans, the same bytes${bad:+: not $bad}" [ -z "$bad" ]
}

jq -nc '[range(4) as $r | [range(100) | (. * 7 + $r * 31) % 500 + 3] |
    {input_ids: ., labels: [.[] | if . % 3 == 0 then . else -100 end]}][]' >long
jq -nc '[range(4) as $r | [range(60) | (. * 7 + $r * 11) % 37 + 3] |
    {input_ids: ., labels: .}][]' >small

deepen base
walk 'LoRA' 8 -m base long
walk 'LoRA, int8' 8 --compute int8 -m base long
walk 'LoRA, dropout, bf16' 8 --dropout 0.1 --compute bf16 -m base long
for m in prefix-tuning ln-tuning unipelt; do
	walk "$m" 8 --method $m -m base long
done
walk 'DoRA, bf16' 8 --set use_dora=true --compute bf16 -m base long
walk 'bottleneck, bf16' 8 --method bottleneck --compute bf16 -m base long
walk 'adapters in the upper layers alone' 4 --target q_proj,down_proj \
    --set 'layers_to_transform=[1,2]' -m base long
# norms behind branches and before attention, experts, branches side by side,
# latent attention, weights stored [in, out]
for f in 'gemma2 f32' 'qwen3 f32' 'mixtral bf16' 'falcon_7b bf16' \
    'deepseek_v2 f32' 'gpt2 int8' 'olmo2 bf16' 'qwen3_moe_dense f32' \
    'qwen3_moe_dense bf16'; do
	c=${f#* } f=${f% *}
	mkdir -p "$f"
	zstd -dqc "$TOP/tests/golden/families/$f.tar.zst" | tar -C "$f" -xf -
	deepen "$f/model"
	walk "$f, $c" 6 --compute "$c" -m "$f/model" small
done

# experts below a plain MLP; and no memory for one that no layer has
d=qwen3_moe_dense
zstd -dqc "$TOP/tests/golden/families/$d.tar.zst" | tar -C $d -xf -
deepen $d/model 0
for c in f32 bf16; do
	walk "$d, the last layer has no experts, $c" 6 --compute $c -m $d/model small
done
for i in 16 160; do
	rm -rf wide; mkdir wide
	zstd -dqc "$TOP/tests/golden/families/qwen3_moe.tar.zst" | tar -C wide -xf -
	jq ".intermediate_size = $i" wide/model/config.json >x.json
	mv x.json wide/model/config.json
	train -n -m wide/model small | grep MiB >wide.$i
done
ok 'a width that no layer has takes no memory' cmp wide.16 wide.160

# what is used rounded is there in f32 beside it only if an adapter looks at it
peft-quantize -q -t f32 -o stored/ base
weights() {
	train -n --compute "$1" -m stored --target all-linear "$2" "$3" long |
	    awk '/^weights/ { print $6 }'
}
for c in bf16 int8; do
	for how in '--method lora' '--method miss' '--set use_dora=true'; do
		# shellcheck disable=SC2086
		weights $c $how
	done | paste -s -d ' ' >sizes
	sed "s/^/# $c: LoRA, MiSS, DoRA: /" sizes
	ok "$c: weights that DoRA looks at stay" awk '
	    { bad = $1 != $2 || $3 - $1 < .1 } END { exit bad || NR != 1 }' sizes
done

# projections that are fixed have no gradients, but are there
for r in 1024 9216; do
	train -n --method vera --rank $r -m base long |
	    awk '/^adapter and/ { print $4 }'
done | paste -s -d ' ' >sizes
sed 's/^/# VeRA of 1024 and of 9216, MiB: /' sizes
ok 'fixed projections are planned' awk '
    { d = $2 - $1 } END { exit !(d > 7.5) }' sizes

# records that may be split: smaller micro-batches, too; never more time for
# more memory, and no other result but for rounding
jq -nc '[range(16) as $r | [range(30 + $r) | (. * 7 + $r * 31) % 500 + 3] |
    {input_ids: ., labels: .}][]' >short
split() { peft-train -q -f -m base --batch 16 --steps 2 --log s.log -o s/ "$@" short; }
split
jq -s '[.[].loss // empty]' s.log >losses
split -n | awk '/^total/ { print $2 }' >largest
split -n --mem-limit 1M 2>&1 | sed -n 's/.*needs \([0-9.]*\) MiB.*/\1/p' >smallest
: >plans
for i in 0 1 2 3 4 5; do
	m=$(paste largest smallest | awk -v i=$i '{ printf "%.1fM", $1 - ($1 - $2) * i / 5 + .05 }')
	expect 0 '' split -n --mem-limit "$m"
	awk -v m="${m%M}" '/steps, / { t = $5; a = / again/ } /^total/ { s = $2 }
	    /it is worth/ { print m, s, $4, t, a }' out >>plans
	split --mem-limit "$m"
	ok "within $m: the same losses" sh -c 'jq -s -e --slurpfile w losses \
	    "[.[].loss // empty] as \$l | [range(2) | \$l[.] / \$w[0][.] - 1 | fabs] | max < 1e-5" s.log'
done
sed 's/^/# /' plans
ok 'each within its limit, with less memory no less work' awk '
    $2 > $1 || $3 < work { bad = 1 } { work = $3 } END { exit bad || NR != 6 || work == 0 }' plans
ok 'in smaller micro-batches, and with parts made again' awk '
    NR == 1 { all = $4; first = $5 } $4 < all { fewer = 1 } $5 { again = 1 }
    END { exit first || !fewer || !again }' plans

done_testing
