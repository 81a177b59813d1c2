#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-quantize beyond conversion: errors told, models compared, types for a
# size, adapters for the residual.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

json() { jq -s -e "$1" "$2" >/dev/null; }	# FILTER FILE
# near A B LIMIT: within LIMIT, relative
near() { awk -v a="$1" -v b="$2" -v l="$3" 'BEGIN { d = (a - b) / b
	if (d < 0) d = -d
	exit !(d <= l) }'; }
total() { find "$@" -type f -exec cat {} + | wc -c; }
peft-tokenize -q -m base -o t.tok chats.jsonl

unit tune-unit base

# ---- report: what peft-inspect --diff measures of the files
for t in nf4 q4_k q8_0 q4_0; do
	out=r.$t.gguf how=--pure; [ $t != nf4 ] || out=r.nf4/ how=--double-quant
	expect 0 '*' peft-quantize $how -t $t --report --log-json -o $out base
	cp err report
	peft-inspect --diff --json base $out >diff.log
	ok "$t: each weight's error is that of the file" jq -n -e --slurpfile r \
	    report --slurpfile d diff.log 'def near($b): (. - $b | fabs) <= 2e-5 * $b;
	    [$r[] | select(.weight and .rms > 0)] as $r | ($r | length) > 10 and
	    all($r[]; . as $x | $d[] | select(.name == $x.weight) | (.rms |
	    near($x.rms)) and (.max | near($x.max)) and (.cosine | near($x.cosine)))'
	ok "$t: the worst come last, worst first" jq -n -e --slurpfile r report '
	    ([$r[] | select(.weight) | .rms] | sort | reverse)[:5] ==
	    ($r[-1].report.worst | map(.rms))' report
done
expect 0 '*lost something*worst: *' peft-quantize -t q4_0 --report -o text.gguf base

# ---- verify
expect 0 '' peft-quantize -q -t f32 --verify t.tok -o same.gguf base
expect 0 '*"verify"*' peft-quantize -t f32 --verify t.tok --log-json -o same/ base
ok 'the same model is the same' json '.[].verify | select(.) | .kl < 1e-9 and
    .top1 == 1 and .loss == .loss_before' err
expect 0 '*"verify"*' peft-quantize -t nf4 --verify t.tok --log-json -o v/ base
grep verify err >v.json
ok 'another is another' json '.[0].verify | .kl > 1e-6 and .max_kl >= .kl and
    .top1 <= 1' v.json
for m in base v; do
	peft-eval -q -m $m --summary t.tok | jq .summary.loss >loss.$m; done
ok 'the losses are those of peft-eval: before' near \
    "$(cat loss.base)" "$(jq .verify.loss_before v.json)" 1e-5
ok 'and after' near "$(cat loss.v)" "$(jq .verify.loss v.json)" 1e-5
peft-quantize --verify chats.jsonl -t nf4 --log-json -o v2/ base 2>err
grep verify err >v2.json
ok 'chats will do for tokens' cmp v.json v2.json
peft-quantize --verify t.tok -t nf4 --log-json -j 1 -o v3/ base 2>err
ok 'as will one thread' sh -c 'grep verify err | cmp - v.json'
expect 3 '*KL is *, above 1e-09' peft-quantize -t q4_0 --verify t.tok \
    --fail-above KL=1e-9 -o no.gguf base
ok 'what fails is not left' [ ! -e no.gguf ]
expect 3 '*top1 is *, below 1' peft-quantize -t fp4 --verify t.tok \
    --fail-below top1=1.0000001 -o no/ base.gguf
ok 'nor a folder' [ ! -e no ]
expect 0 '*verify*' peft-quantize -t q8_0 --verify t.tok --fail-above KL=1 \
    --fail-above loss=100 --fail-above loss_rise=1 --fail-below TOP1=0.1 \
    -o yes.gguf base
echo '{"input_ids":[3],"labels":[3]}' >one.tok
expect 2 '*nothing to compare' peft-quantize -t f32 --verify one.tok -o no.gguf base
echo '{"input_ids":[5,6,7],"labels":[-100,-100,-100]}' >none.tok
expect 3 '*loss was not measured*' peft-quantize -t f32 --verify none.tok \
    --fail-above loss=1 -o no.gguf base
expect 2 '*none.jsonl*' peft-quantize -t f32 --verify none.jsonl -o no.gguf base
ok 'nothing is left of these' [ ! -e no.gguf ]

# ---- fit: never over, and what it says is what is written
for size in 75K 90000 100K 130000 200K 400K; do
	for out in f.gguf f.safetensors f/; do
		rm -rf $out
		double=--double-quant; [ $out != f.gguf ] || double=
		run peft-quantize --fit $size $double --log-json -o $out base
		case $size in *K) max=$((${size%K} * 1024)) ;; *) max=$size ;; esac
		if [ $rc -eq 3 ]; then
			ok "$size $out: too small, and nothing is left" [ ! -e $out ]
			continue
		fi
		ok "$size $out: not over" [ "$(total $out)" -le $max ]
		ok "$size $out: as large as it says" \
		    [ "$(total $out)" -eq "$(jq -s '.[].fit.bytes | select(.)' err)" ]
	done
done
rm -rf f; expect 0 '*' peft-quantize --fit 260K --shard 60K --log-json -o f/ base
ok 'shards and an index are counted' \
    [ "$(total f)" -eq "$(jq -s '.[].fit.bytes | select(.)' err)" ]
expect 3 '*: --fit: 1024 bytes are not enough, the smallest possible is *' \
    peft-quantize --fit 1K -o no.gguf base
least=$(sed 's/.* //' err)
expect 3 '*not enough*' peft-quantize --fit $((least - 1)) -o no.gguf base
expect 0 '*' peft-quantize -q --fit "$least" -o least.gguf base
ok 'the smallest that was named is possible' [ "$(total least.gguf)" -eq "$least" ]
for j in 1 3; do
	peft-quantize -q --fit 100K -j $j -o j$j.gguf base; done
ok 'the same bytes for any number of threads' cmp j1.gguf j3.gguf
expect 0 '*' peft-quantize -n --fit 100K -o dry.gguf base
ok 'a dry run says the same and writes nothing' sh -c '[ ! -e dry.gguf ] &&
    grep -q "fit: $(wc -c <j1.gguf) bytes" err'
expect 0 '*' peft-quantize -q --fit 110K --fit-types q4_0,q8_0 -o two.gguf base
ok 'of the types that were named' sh -c 'peft-inspect --json two.gguf |
    jq -e ".types | keys == [\"f32\",\"q4_0\",\"q8_0\"]"'
expect 0 '*' peft-quantize -q --fit 170K --fit-types int8,bf16 -o eight/ base
ok 'int8 where it can be' sh -c 'peft-inspect --json eight | jq -e "[.tensors[] |
    select(.type == \"int8\").name | test(\"_proj\")] | length > 7 and all"'
expect 2 '*two quantised types*' peft-quantize -q --fit 230K \
    --fit-types int8,nf4 -o both/ base
expect 0 '*' peft-quantize -q --fit 200K --keep embed_tokens \
    -t o_proj=q8_0 -o kept.gguf base
ok 'rules come first' sh -c 'peft-inspect --json kept.gguf | jq -e "[.tensors[] |
    select(.name | test(\"embed\")).type] == [\"f32\"] and ([.tensors[] |
    select(.name | test(\"o_proj\")).type] | unique) == [\"q8_0\"]"'
peft-quantize -q --pure -t q4_0 -o uni.gguf base
size=$(total uni.gguf)
expect 0 '*' peft-quantize --fit "$size" --log-json --report -o fit.gguf base
ok 'mean square of relative errors: less than one type of the same size' sh -c '
    peft-inspect --json --diff base uni.gguf | jq -s "[.[].rms] | map(. * .) | add" >uni
    peft-inspect --json --diff base fit.gguf | jq -s "[.[].rms] | map(. * .) | add" >fit
    jq -n -e "$(cat fit) < $(cat uni)"'
expect 0 '*curvature over*KL would be*' peft-quantize --fit 100K --calibrate t.tok -o cal.gguf base
expect 0 '*' peft-quantize --fit 100K --calibrate t.tok --verify t.tok \
    --log-json -o cal2.gguf base
ok 'what came of it is measured, as --verify does' sh -c '
    [ "$(jq -s ".[].calibrated.kl | select(.)" err)" = \
    "$(jq -s ".[].verify.kl | select(.)" err)" ] &&
    [ "$(jq -s ".[].calibrated.forecast | select(.)" err)" = \
    "$(jq -s ".[].fit.cost | select(.)" err)" ]'
expect 0 '*"tokens":*' peft-quantize --fit 100K --calibrate chats.jsonl \
    --log-json -j 1 -o cal1.gguf base
ok 'calibrated: the same bytes again' cmp cal.gguf cal1.gguf
ok 'and others than without' sh -c '! cmp -s cal.gguf j1.gguf'
# ---- residuals: numpy's SVD, and PEFT's loftq_init (residual_golden.py)
want=$TOP/tests/golden/tiny/residuals.json
for t in nf4 q4_0; do
	for n in 1 3; do
		out=q.$t.$n.gguf pure=--pure; [ $t != nf4 ] || out=q.$t.$n/ pure=
		expect 0 '*' peft-quantize -t $t $pure --residual-rank 4 \
		    --residual-iters $n --residual-out a.$t.$n/ --report \
		    --log-json -o $out base
		ok "$t, $n: what is lost with the adapter and without" jq -n -e \
		    --slurpfile r err --slurpfile w "$want" 'def near($b):
		    (. - $b | fabs) <= 1e-5 * $b; [$r[] | select(.residual_rms)]
		    as $r | ($r | length) == 14 and all($r[];
		    $w[0]["'$t'"]["'$n'"][.weight] as $v | (.rms | near($v[0]))
		    and (.residual_rms | near($v[1])))'
		peft-merge -q -m "${out%/}" -a a.$t.$n -t f32 -o m.$t.$n/ 2>err
		ok "$t, $n: as peft-merge adds it up" [ ! -s err ]
		peft-inspect --diff --json base m.$t.$n >diff.log
		ok "$t, $n: so near is base + adapter" jq -n -e --slurpfile r diff.log \
		    --slurpfile w "$want" '[$r[] | select(.name |
		    test("_proj"))] | length == 14 and all(
		    $w[0]["'$t'"]["'$n'"][.name][1] as $v | (.rms - $v | fabs)
		    <= 1e-5 * $v)'
	done
done
ok 'the config is PEFT'"'"'s' json '.[0] | .peft_type == "LORA" and .r == 4 and
    .lora_alpha == 4 and (.target_modules | length) == 7 and
    .base_model_name_or_path == "q.nf4.1/"' a.nf4.1/adapter_config.json
expect 0 '*' peft-eval -q -m q.nf4.1 -a a.nf4.1 --summary t.tok
expect 3 '*trained on the base*' peft-eval -q -m q.nf4.3 -a a.nf4.1 --summary t.tok
peft-quantize -q -t nf4 -j 1 --residual-rank 4 --residual-out one/ -o qone/ base
ok 'the same base for one thread' cmp qone/model.safetensors q.nf4.1/model.safetensors
ok 'and the same adapter' cmp one/adapter_model.safetensors a.nf4.1/adapter_model.safetensors
expect 0 '*' peft-quantize -q -t nf4 --keep 'layers\.0' --residual-rank 2 \
    --residual-out part/ -o qpart/ base
ok 'what is not quantised has no part' json '.[0].target_modules |
    length == 7 and all(startswith("model.layers.1."))' part/adapter_config.json
expect 0 '*' peft-quantize -t nf4 --double-quant --verify t.tok \
    --residual-rank 16 --residual-out ra.safetensors --log-json -o rq/ base
grep verify err >with
peft-quantize -t nf4 --double-quant --verify t.tok --log-json -o rq0/ base 2>err
grep verify err >without
ok 'a comparison is one with the adapter, and that helps' jq -n -e \
    --slurpfile a with --slurpfile b without '$a[0].verify.kl < $b[0].verify.kl'
expect 3 '*above*' peft-quantize -t nf4 --residual-rank 2 --residual-out ra2/ \
    --verify t.tok --fail-above kl=1e-9 -o rq2/ base
ok 'neither base nor adapter is left of what fails' [ ! -e ra2 ] && [ ! -e rq2 ]
expect 2 '*a rank of 100 is more than it has' peft-quantize -t nf4 \
    --residual-rank 100 --residual-out ra2/ -o rq2/ base
expect 2 '*no linear layer is quantised*' peft-quantize -t bf16 \
    --residual-rank 2 --residual-out ra2/ -o rq2/ base
expect 2 '*exists*' peft-quantize -t nf4 --residual-rank 2 \
    --residual-out one/ -o rq2/ base
ok 'and nothing of these' [ ! -e rq2 ]
# GPT-2 has its linears [in, out], and quantised [out, in]: base and adapter
# together are as far from the weights as was said
mkdir gpt2
zstd -dqc "$TOP/tests/golden/families/gpt2.tar.zst" | tar -C gpt2 -xf -
for n in 1 2 3 4 5 6; do
	echo "{\"input_ids\":[$n,2$n,3$n,1$n],\"labels\":[$n,2$n,3$n,1$n]}"
done >gpt2.tok
for t in nf4 int8 fp8 q4_0 q4_1+; do
	out=lg/ weighed=
	case $t in q*) out=lg.gguf weighed=--pure ;; esac
	case $t in *+)
		weighed='--pure --imatrix lg.dat'
		peft-eval -q -m gpt2/model --imatrix lg.dat --summary \
		    gpt2.tok >/dev/null ;;
	esac
	# shellcheck disable=SC2086
	expect 0 '*' peft-quantize -f -t "${t%+}" $weighed \
	    --residual-rank 4 --residual-iters 2 --residual-out la/ --report \
	    --log-json -o $out gpt2/model
	peft-merge -q -f -m ${out%/} -a la -t f32 -o lm/
	peft-inspect --diff --json gpt2/model lm >diff.log
	ok "gpt2, $t: with the adapter it is as near as was said" jq -n -e \
	    --slurpfile r err --slurpfile d diff.log '
	    [$d[] | select(.name) | {(.name): .rms}] | add as $got |
	    [$r[] | select(.residual_rms)] | length == 8 and
	    all(.residual_rms as $v | $got[.weight] - $v | fabs <= 1e-4 * $v)'
done
sh -c 'peft-quantize -t f32 base | peft-quantize -q -t nf4 --residual-rank 4 \
    --residual-out rp/ -o rpq/ -'
ok 'a model from a pipe' cmp rp/adapter_model.safetensors one/adapter_model.safetensors

# of models that others have quantised: both hashes are right
hash_of() { peft-inspect --json --hash "$1" | jq -r .hash; }
told() { strings -n 60 "$1" | grep -o "\"$2\":\"[^\"]*\"" | cut -d'"' -f4; }
for c in gptq4 bnb-int8 fp8-block; do
	mkdir $c
	cp "$TOP/tests/golden/readers/$c.json" $c/config.json
	zstd -dq "$TOP/tests/golden/readers/$c.safetensors.zst" \
	    -o $c/model.safetensors
	for out in lq.$c/ lq.$c.gguf; do
		type='q4_0 --pure'; [ $out != lq.$c/ ] || type=nf4
		# shellcheck disable=SC2086	# words are what they are
		expect 0 '*' peft-quantize -q -t $type --residual-rank 4 --residual-out ad.$c/ -f -o $out $c
		ok "$c, $out: the adapter knows its base" \
		    [ "$(told ad.$c/adapter_model.safetensors peft.base)" = \
		    "$(hash_of ${out%/})" ]
		peft-merge -q -f -m ${out%/} -a ad.$c -t f32 -o mg/
		ok "$c, $out: with it, it is near" sh -c "peft-inspect --diff --json \
		    $c mg | jq -s -e 'map(.rms) | max | . > 0.01 and . < 0.09'"
	done
	ok "$c: the base knows what it is made from" \
	    [ "$(told lq.$c/model.safetensors peft.origin)" = "$(hash_of $c)" ]
done

# ---- usage
for o in '--calibrate t.tok' '--fit-types q4_0' '--fail-above kl=1' \
    '--residual-rank 2' '--residual-out x' '--residual-iters 2' \
    '--fit 100K -t q4_0' '--fit 0' '--fit 1K --fit-types q9' \
    '--fit 1K --fit-types ,' '--verify t.tok --fail-above nonsense=1' \
    '--verify t.tok --fail-above kl' '--verify t.tok --fail-above kl=x' \
    '--residual-rank 0 --residual-out x' '-n --verify t.tok'; do
	# shellcheck disable=SC2086
	expect 1 '*' peft-quantize $o -o no.gguf base
done
expect 1 '*cannot come from standard input' peft-quantize --fit 1K -o no.gguf
expect 1 '*need -o FILE' peft-quantize --verify t.tok base
ok 'nothing is left' [ ! -e no.gguf ]

done_testing
