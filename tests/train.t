#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# peft-train: properties, refusals, checkpoints.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o t chats.jsonl
peft-tokenize -q -m base -o e test.jsonl
train() { peft-train -q -m base --lr 1e-2 --rank 4 --batch 4 "$@"; }
# held FILE command...: killed when the file is there.  It has not ended by
# then, if its log is more than a page: that goes to a pipe of one (1031 is
# F_SETPIPE_SZ) which nobody reads.
held() {
	held=$1; shift
	perl -e 'alarm 600; $^F = 99; pipe my $r, my $w; fcntl $w, 1031, 4096;
	    exec @ARGV, "-f", "--log", "/dev/fd/" . fileno $w' "$@" & pid=$!
	while [ ! -f "$held" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
	kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
}

unit optim-unit "$TOP/tests/golden/optim.safetensors"
expect 0 '' train --epochs 2 -o a/ --log a.log t
ok 'the loss falls' sh -c "grep loss a.log | jq -s -e '.[-1].loss < .[0].loss * 0.9' >/dev/null"
ok 'an adapter as PEFT writes it' [ -f a/adapter_config.json ] && [ -f a/adapter_model.safetensors ]
peft-eval -q -m base -a a --summary e >r
ok 'it helps on other records' sh -c "jq -s -e '.[1].summary.loss < .[0].summary.loss' r >/dev/null"
expect 0 '' train --epochs 2 -j 1 -o b/ t
ok 'one thread or two: the same bytes' cmp a/adapter_model.safetensors b/adapter_model.safetensors
expect 0 '' sh -c 'peft-train -q -m base --lr 1e-2 --rank 4 --batch 4 --epochs 2 <t >piped.safetensors'
expect 0 '' peft-inspect --diff a piped.safetensors
expect 0 '' train --epochs 2 --micro-tokens 70 -o m/ t
expect 3 '*differ*' peft-inspect --diff --json a m
ok 'other micro-batches: rounding only' sh -c "jq -s -e 'all(.rms < 1e-3)' out >/dev/null"
for m in base.gguf nf4.safetensors; do
	[ -f $m ] || peft-quantize -q -t nf4 -o $m base
	expect 0 '' peft-train -q -m $m --steps 2 -o over-$m/ t
done
expect 0 '' train --dropout 0.1 -s 7 --steps 3 -o d1/ t
expect 0 '' train --dropout 0.1 -s 7 --steps 3 --micro-tokens 70 -j 1 -o d2/ t
expect 3 '*' peft-inspect --diff --json d1 d2
ok 'dropout does not depend on the split' sh -c "jq -s -e 'all(.rms < 1e-3)' out >/dev/null"
expect 0 '' train --eval e --eval-every 2 --epochs 3 --log b.log -o best/ t
ok 'the best is kept' sh -c "b=\$(grep eval_loss b.log | jq -s 'map(.eval_loss) | min'); l=\$(peft-eval -q --no-base -m base -a best --summary e | jq .summary.loss); jq -n -e \"(\$b - \$l) | fabs < 1e-5\" >/dev/null"

# ranks that differ from layer to layer: what one layer keeps is another's
# when nothing is trained
echo '{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj", "v_proj"],
    "rank_pattern": {"layers.0.self_attn.q_proj": 64,
    "layers.1.self_attn.v_proj": 48}}' >ranks.json
expect 0 '' peft-train -q -m base -c ranks.json --lr 1e-2 --batch 4 --eval e --log ranks.log -o ranks/ t
peft-eval -q --no-base -m base -a ranks --summary e >r
ok 'an adapter of many ranks is evaluated as it was trained' sh -c 'jq -s -e "map(.eval_loss // .summary.loss | select(.)) |
    length == 2 and (.[0] - .[1] | fabs) < 1e-5" ranks.log r >verdict; grep -q true verdict'

# where the time went: shares add up, products have operations and a peak
run train --profile --epochs 1 --log w.log -o w/ t
ok 'a profile adds up' [ "$rc" -eq 0 ]
ok 'to all of the time' awk '/^(profile|peaks)|waiting/ || $1 == "seconds" { next }
    { split(substr($0, 27), f, " "); s += f[2] } END { exit !(s > 99 && s < 101) }' err
ok 'with products and their share of the peak' awk '
    /^products/ && / GF\/s / { if (!($NF > 0)) exit 1; n++ }
    END { exit n < 2 }' err
ok 'and memory bound work' grep -q '^norms, residuals .* GB/s ' err
ok 'the log has shares of the peak, time left, memory' jq -s -e '.[1:] |
    all(.peak_share > 0 and .eta >= 0 and
    .resident_bytes > 0 and .planned_bytes > 0)' w.log
expect 0 '' peft-train --plot b.log
ok 'a curve that falls' sh -c "sed -n 1p out | grep -q '|[.o]' && sed -n 16p out | grep -q '[.o] *$'"
expect 0 '' peft-train --svg b.log
ok 'a drawing' sh -c "head -n 1 out | grep -q '^<svg' && [ \$(grep -c polyline out) -eq 2 ]"
echo '{"cpu":"x"}' >no.log
expect 2 '*no.log: no step is in this log*' peft-train --plot no.log
jq -nc '[5, -1][] * 1e308 | {step: (. / 1e8), loss: .}' >wild.log
jq -nc '{step: 1e300, loss: 1e17}' >one.log
for f in wild one; do
	expect 0 '' peft-train --plot $f.log
	expect 0 '' peft-train --svg $f.log
	ok "$f numbers have a place" sh -c '! grep -qi -e nan -e inf out'
done
jq -nc 'range(1; 20001) | {step: ., loss: (1 / .)}' >long.log
expect 0 '' peft-train --svg long.log
ok 'a drawing has no more points than it shows' sh -c '[ "$(wc -c <out)" -lt 20000 ]'
echo '{"step":1,"loss":1e999}' >no.log
expect 2 '*no.log:1: *not finite*' peft-train --plot no.log
echo '{"step":1,' >no.log
expect 2 '*no.log:1: *' peft-train --svg no.log

# the recipe
unit objective-unit "$TOP/tests/golden/llama"
for o in adamw8bit sgd:1e0 lion:1e-3 adafactor schedule-free; do
	expect 0 '' peft-train -q -m base --optimizer "${o%:*}" --lr "$(expr "$o" : '.*:\(.*\)' || echo 1e-2)" --rank 4 --batch 4 --epochs 4 --log "o.log" -f -o o/ t
	ok "$o: the loss falls" sh -c "grep loss o.log | jq -s -e '.[-1].loss < .[0].loss * 0.95' >/dev/null"
done
recipe='-m base --lr 1e-2 --rank 4 --batch 4 --optimizer adamw8bit --ema 0.8 --skip-spikes 1.5 --neftune 1 --loraplus 4'
recipe="$recipe --eval e --eval-every 40 --epochs 24"
# shellcheck disable=SC2086	# words are what they are
averaged() { peft-train -q $recipe "$@" t; }
expect 0 '' averaged -o w1/
# shellcheck disable=SC2086	# words are what they are
held w2.ckpt.2 peft-train -q $recipe --save-every 1 --keep-checkpoints 3 -o w2/ t
ok 'three checkpoints' [ -f w2.ckpt ] && [ -f w2.ckpt.1 ] && [ -f w2.ckpt.2 ] && [ ! -f w2.ckpt.3 ]
expect 0 '' averaged --resume -o w2/
ok '8-bit moments, averages and noise go on to the same bytes' cmp w1/adapter_model.safetensors w2/adapter_model.safetensors
# tensors that are large enough for moments of 8 bits, which are no floats
eight='peft-train -q -m base --lr 1e-2 --rank 64 --optimizer adamw8bit --batch 4 --epochs 6'
# shellcheck disable=SC2086	# words are what they are
{
expect 0 '' $eight -o e1/ t
held e2.ckpt $eight --save-every 2 -o e2/ t
ok 'a checkpoint of 8-bit codes' grep -q '"m/[^"]*": *{"dtype":"U8"' e2.ckpt
expect 0 '' $eight --resume -o e2/ t
}
ok 'codes go on to the same bytes' cmp e1/adapter_model.safetensors e2/adapter_model.safetensors
expect 0 '' train --eval e --eval t --eval-every 1 --patience 2 --lr 1 --epochs 40 --log p.log -o p/ t
ok 'a run that does not get better ends' sh -c "jq -s -e '([.[] | select(.best) | .step] | max) as \$b | (map(.step // 0) | max) == \$b + 2' p.log >/dev/null"
ok 'two sets in the log' sh -c "jq -r '.eval // empty' p.log | sort -u | tr '\n' ' ' | grep -qx 'e t '"
jq -c 'select(.input_ids) | .input_ids |= reverse | .labels = .input_ids' t | head -4 >odd
expect 0 '' train --no-shuffle --skip-spikes 1.2 --epochs 1 --log s.log -o s/ t t t t t t odd
ok 'a spike is skipped' sh -c "jq -s -e 'any(.skipped)' s.log >/dev/null"
# as if it had not been: the moments' corrections count what was learnt
for o in adamw adafactor schedule-free; do
	spiked() {	# OUT TOKENS...
		out=$1; shift
		train --no-shuffle --optimizer $o --schedule constant --warmup 0 --skip-spikes 1.2 --epochs 1 --log "$out.log" -f -o "$out/" "$@"
	}
	expect 0 '' spiked s t t t t t t odd t
	expect 0 '' spiked unspiked t t t t t t t
	ok "$o: a step is skipped" sh -c "jq -s '[.[] | select(.skipped)] | length' s.log | grep -qx 1"
	ok "$o: and leaves no trace" peft-inspect -q --diff s unspiked
done
# weight decay: of vectors, too, but of no norm (transformers' groups)
for w in 0 1e-3; do
	expect 0 '' peft-train -q -m base --set use_dora=true --set 'modules_to_save=["input_layernorm"]' --lr 1 --optimizer sgd --warmup 0 --schedule constant --steps 1 --weight-decay $w -f -o decay$w/ t
done
ok 'norms are trained' sh -c 'peft-inspect --json decay1e-3 | grep -q layernorm'
peft-inspect -q --diff --json decay0 decay1e-3 >decay.diff
ok 'DoRA: magnitudes decay' sh -c 'jq -s -e "any(.name? // \"\" | contains(\"magnitude\"))" decay.diff >/dev/null'
ok 'norms do not' sh -c '! grep -q layernorm decay.diff'
# LoRA+ has a rate of its own for embeddings
for r in 1e-2 1e-3; do
	expect 0 '' train --loraplus 4 --target embed_tokens --lr $r --warmup 0 --steps 1 -o rate$r/ t
done
ok "an embedding's rate with LoRA+" peft-inspect -q --diff rate1e-2 rate1e-3
expect 1 '*--eval and --eval-every*' train --patience 2 -o x/ t
expect 1 '*--eval and --eval-every*' train --schedule reduce-on-plateau -o x/ t
plateau='--eval e --eval-every 1 --schedule reduce-on-plateau --plateau 1 --plateau-factor 0.5 --lr 1 --warmup 0 --epochs 12'
# shellcheck disable=SC2086	# words are what they are
{
expect 0 '' train $plateau --log l.log -o whole-p/ t
held part-p.ckpt peft-train -q -m base --rank 4 --batch 4 $plateau --save-every 1 -o part-p/ t
expect 0 '' train $plateau --resume -o part-p/ t
}
ok 'the rate falls by halves' sh -c "jq -s 'map(.lr | select(.)) | unique | .[-2:] == [0.5, 1]' l.log | grep -q true"
ok 'the same after an interruption' cmp whole-p/adapter_model.safetensors part-p/adapter_model.safetensors
expect 1 '*averages already*' train --optimizer schedule-free --ema 0.9 -o x/ t
expect 1 '*--decay-steps*' train --schedule warmup-stable-decay -o x/ t

# a log through a pipe; it stands in nobody's way
mkfifo pipe; jq -c .step <pipe >piped &
expect 0 '' train --steps 3 --log pipe -o piped.d/ t
wait
ok 'a log goes through a pipe' sh -c "grep -qx 3 piped"
expect 0 '' train --steps 3 --log - -o through/ t
ok 'or to standard output' sh -c "jq -s '.[-1].step' out | grep -qx 3"
expect 1 '*--log -: standard output is the adapter*' train --steps 3 --log - t

for svg in '-o x --svg b.log' '--plot b.log t' '--plot=b.log -q'; do
	# shellcheck disable=SC2086
	expect 1 '*nothing goes beside them' peft-train $svg
done
expect 0 '' peft-train --plot=b.log
expect 1 '*--problem is of seq-cls, the records are for causal-lm' \
    train --problem multi -o x/ t
ok 'and what cannot be written is known before the first step' [ ! -e x ]
expect 2 '*x.gguf: an adapter is written as a folder*' \
    train --steps 100000 -o x.gguf t

# an interrupted run ends in the same bytes
expect 0 '' train --epochs 40 --log whole.log -o whole/ t
peft-train -m base --lr 1e-2 --rank 4 --batch 4 --epochs 40 --save-every 1 -q --log killed.log -o killed/ t & pid=$!
while [ ! -f killed.ckpt ] && kill -0 $pid 2>/dev/null; do :; done
kill -9 $pid 2>/dev/null; wait $pid 2>/dev/null
ok 'a checkpoint is there when the run is killed' [ -f killed.ckpt ]
if [ -f killed.ckpt ]; then
	expect 2 '*earlier run*' train --epochs 40 -o killed/ t
	expect 3 '*differs in lr: 0.01 there, 0.001 here' peft-train -q -m base --lr 1e-3 --rank 4 --batch 4 --epochs 40 --resume -o killed/ t
	cp killed.ckpt late.ckpt; cp -r whole late
	cp killed.ckpt split.ckpt
	# the log is cut in its place: a kill before the next step loses nothing
	ln killed.log same.log
	expect 0 '' train --epochs 40 --log killed.log --resume -o killed/ t
	ok 'the log goes on, in its place' [ killed.log -ef same.log ]
	for l in whole killed; do jq -c '[.step, .loss]' $l.log >$l.losses; done
	ok 'and has each step once' cmp whole.losses killed.losses
	# killed after the adapter was written, and before the checkpoint went
	expect 0 '' train --epochs 40 --resume -o late/ t
	ok 'an adapter beside its checkpoint is no hindrance' cmp whole/adapter_model.safetensors late/adapter_model.safetensors
fi
ok 'kill -9 and --resume: the same bytes' cmp whole/adapter_model.safetensors killed/adapter_model.safetensors
ok 'the checkpoint is gone afterwards' [ ! -e killed.ckpt ]
# what a run goes on with is of that run; a plan is not
stopped() {	# NAME options...: killed when it has a checkpoint
	stopped=$1; shift
	held "$stopped".ckpt peft-train -q -m base --lr 1e-2 --batch 4 --epochs 400 --save-every 1 -o "$stopped"/ "$@"
}
goes_on() { peft-train -q -m base --lr 1e-2 --batch 4 --epochs 400 --resume -o "$@"; }
corda='--rank 2 --set init_lora_weights=corda'
poly='--method poly --rank 2 --set n_skills=2 --set n_tasks=2 --set n_splits=2'
jq -c 'select(.input_ids) | .task_id = .input_ids[9] % 2' t >tasks
jq -c '.task_id = 1 - .task_id' tasks >other
# shellcheck disable=SC2086	# words are what they are
{
stopped begun $corda --init-records 4 t
expect 3 '*differs in init_records*' goes_on begun/ $corda --init-records 9 t
stopped skills $poly tasks
expect 3 '*differs in data' goes_on skills/ $poly other
stopped plan --rank 4 t
expect 3 '*differs in seed: 0 there, 1 here' goes_on plan/ --rank 4 -s 1 t
expect 3 '*differs in batch: * there, 5 here' goes_on plan/ --rank 4 --batch 5 t
expect 3 '*differs in steps: *' goes_on plan/ --rank 4 --epochs 4 t
}
expect 0 '*of other sizes*rounding' peft-train -m base --lr 1e-2 --rank 4 --batch 4 --epochs 40 --micro-tokens 70 --resume -o split/ t
expect 3 '*differ*' peft-inspect --diff --json whole split
ok 'another plan after an interruption: rounding only' sh -c "jq -s -e 'all(.rms < 1e-3)' out >/dev/null"
peft-train -m base --lr 1e-2 --rank 4 --batch 4 --epochs 400 -q --log int.log -o int/ t & pid=$!
while ! grep -q step int.log 2>/dev/null && kill -0 $pid 2>/dev/null; do :; done
kill -TERM $pid; wait $pid; rc=$?
ok 'SIGTERM: status 143' [ $rc -eq 143 ]
ok 'and a checkpoint' [ -f int.ckpt ]
# before there are steps nothing is waited for: the records are not all there
mkfifo slow
for s in 'TERM 143' 'INT 130'; do
	want=${s#* } s=${s% *}
	sleep 60 >slow & writer=$!
	# a shell has what it starts behind itself ignore SIGINT
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' peft-train -m base --rank 4 -q -o soon/ slow & pid=$!
	while [ -z "$(find /proc/$pid/fd -lname '*/slow' 2>/dev/null)" ] && kill -0 $pid 2>/dev/null; do :; done
	kill -"$s" $pid; wait $pid; rc=$?
	ok "SIG$s among the records: at once" [ $rc -eq "$want" ]
	kill $writer; wait $writer 2>/dev/null
	ok 'and nothing is left' sh -c '[ ! -e soon ] && [ ! -e soon.ckpt ] && [ -z "$(ls -d .peft* 2>/dev/null)" ]'
done

expect 0 '' train -n t
ok 'a dry run prints the plan' grep -q '^total' out
ok 'the rows add up' awk '/MiB$/ && !/^total|of them/ { s += $(NF - 1) }
    /^total/ { t = $2 } END { exit !(t > 0 && s - t < 0.5 && t - s < 0.5) }' out
ok 'and the time of a step' awk '/^a step/ { n += $4 > 0 && $(NF - 1) > 0 }
    END { exit n != 1 }' out
jq -nc '[range(40)] as $p | range(4) | {input_ids: ($p + [., .]), labels: ($p + [., .])}' >alike
ok 'that of tokens which records share, once' sh -c \
    "peft-train -n -m base --rank 4 --batch 4 -o n/ alike | awk '/^a step/ { t = \$7 } /^  it computes/ { c = \$3 } END { exit t != 168 || c != 48 }'"
expect 3 '*the limit is*' train --mem-limit 1K t

# what was planned is what was used, within 3 % and 16 MiB
jq -nc '[range(40) as $r | [range(500) | if . < 300 then . % 400 + 5 else
    (. * 7 + $r * 31) % 500 + 3 end] | {input_ids: ., labels: .}][]' >wide
planned() {
	peft-train -q -f -m base --batch 40 --micro-tokens 32768 --steps 1 \
	    --log m.log -o m/ "$@" wide
	sanitized && { skip "planned, and used: $*" 'under a sanitizer'; return; }
	ok "planned, and used: $*" jq -s -e '.[-1] | .planned_bytes as $p |
	    (.peak_bytes - $p | fabs) <= 0.03 * $p + 16777216 and
	    $p > 50331648' m.log
	tail -n 1 m.log | jq -r '"# \(.planned_bytes), \(.peak_bytes)"'
}
planned
planned --dropout 0.1
planned --dropout 0.1 --compute bf16
planned --dropout 0.1 --mem-limit 90M --optimizer sgd
planned --micro-tokens 8192 --mem-limit 52M --compute bf16
# what LoRA-GA begins from is a whole batch at a time
planned --micro-tokens 512 --rank 4 --set init_lora_weights=lora_ga
# a refusal names what would do, and that does, as does the total of a plan:
# to the digit that is printed
enough() {
	run peft-train -m base --mem-limit 5M -n -o n/ "$@"
	need=$(sed -n 's/.* needs \([0-9.]*\) MiB.*/\1/p' err)
	[ "$rc" -eq 3 ] || return
	peft-train -q -m base --mem-limit "${need}M" -n -o n/ "$@" >fits || return
	run peft-train -m base --mem-limit "$(awk "BEGIN { print $need - .1 }")M" -n -o n/ "$@"
	[ "$rc" -eq 3 ] || return
	peft-train -q -m base --micro-tokens 1 -n -o n/ "$@" >fits || return
	peft-train -q -m base --micro-tokens 1 -n -o n/ "$@" >told \
	    --mem-limit "$(awk '/^total/ { print $2 "M" }' fits)" &&
	! grep -q 'computed again' told
}
# shellcheck disable=SC2086	# words are what they are
for o in '--rank 8' '--rank 9' '--rank 11' '--method oft' '--rank 64' \
    '--compute bf16' '--dropout 0.1' '--method prompt-tuning' \
    '--set init_lora_weights=lora_ga'; do
	ok "what a refusal names is enough: $o" enough --batch 40 $o wide
done
# one layer that is computed again takes no less
mkdir one && cp base/* one && jq '.num_hidden_layers = 1' base/config.json >one/config.json
perl "$TOP/tests/st-edit.pl" 'delete @t{grep /layers\.1\./, keys %t}' <base/model.safetensors >one/model.safetensors
expect 3 '*of one record, needs*' peft-train -m one --method hra --batch 40 --mem-limit 5M -n -o n/ wide
# too little memory for the activations: they are computed again
jq -nc '[range(8) as $r | [range(400) | (. * 7 + $r * 31) % 500 + 3] |
    {input_ids: ., labels: .}][]' >long
train -n --dropout 0.1 --micro-tokens 1 long >plan
limit=$(awk '/^total/ { printf "%dK", ($2 - 0.2) * 1024 }' plan)
expect 0 '' train -n --dropout 0.1 --mem-limit "$limit" long
ok 'the plan says so' grep -q 'activations computed again' out
ok 'and keeps to it' sh -c "awk -v l=${limit%K} '/^total/ { exit !((\$2 - 0.05) * 1024 <= l) }' out"
expect 0 '' train --dropout 0.1 --micro-tokens 1 -o kept/ long
expect 0 '' train --dropout 0.1 --micro-tokens 1 --mem-limit "$limit" -o again/ long
ok 'the same bytes' cmp kept/adapter_model.safetensors again/adapter_model.safetensors
# without dropout adapters lie beside the weights' products
train -n --micro-tokens 1 long >plan
limit=$(awk '/^total/ { printf "%dK", ($2 - 0.2) * 1024 }' plan)
expect 0 '' train --micro-tokens 1 -o kept1/ long
expect 0 '' train -n --micro-tokens 1 --mem-limit "$limit" long
ok 'beside products: the plan says so' grep -q 'activations computed again' out
expect 0 '' train --micro-tokens 1 --mem-limit "$limit" -o again1/ long
ok 'beside products: the same bytes' cmp kept1/adapter_model.safetensors again1/adapter_model.safetensors
# bf16: rounding only, of another kind; and all that holds for f32
train --log f.log --epochs 2 t >f.st
expect 0 '' train --compute bf16 --log h.log --epochs 2 -o h/ t
jq -n --slurpfile a f.log --slurpfile b h.log '[range($a | length) |
    select($a[.].loss) | $b[.].loss / $a[.].loss - 1 | fabs] | max' >far
echo "# bf16: largest difference of a step's loss $(cat far)"
ok 'bf16: the curve within 2 %' sh -c 'jq -n -e "$(cat far) < 0.02" >/dev/null'
ok 'and not the same' sh -c 'jq -n -e "$(cat far) > 0" >/dev/null'
ok 'the log says so' sh -c 'head -n 1 h.log | grep -q "products of bf16"'
# a file's f32 weights are rounded once, a pipe's for each product
peft-quantize -q -t f32 -o wide.safetensors base
expect 0 '' train -m wide.safetensors --compute bf16 --epochs 1 -o once/ long
expect 0 '' sh -c 'peft-train -q -m - --lr 1e-2 --rank 4 --batch 4 --compute bf16 --epochs 1 -o each/ long <wide.safetensors'
ok 'weights rounded once or each time: the same bytes' cmp once/adapter_model.safetensors each/adapter_model.safetensors
expect 0 '' train --compute bf16 --epochs 2 -j 1 -o h1/ t
ok 'bf16: one thread or two: the same bytes' cmp h/adapter_model.safetensors h1/adapter_model.safetensors
expect 0 '' train --compute bf16 --dropout 0.1 --micro-tokens 1 -o kept16/ long
train -n --compute bf16 --dropout 0.1 --micro-tokens 1 long >plan16
limit=$(awk '/^total/ { printf "%dK", ($2 - 0.2) * 1024 }' plan16)
expect 0 '' train -n --compute bf16 --dropout 0.1 --micro-tokens 1 --mem-limit "$limit" long
ok 'bf16: the plan computes again' grep -q 'activations computed again' out
expect 0 '' train --compute bf16 --dropout 0.1 --micro-tokens 1 --mem-limit "$limit" -o again16/ long
ok 'bf16: computed again: the same bytes' cmp kept16/adapter_model.safetensors again16/adapter_model.safetensors
# without dropout the MLP goes by tiles, unless it is computed again
train -n --compute bf16 --micro-tokens 1 long >plan16
limit=$(awk '/^total/ { printf "%dK", ($2 - 0.2) * 1024 }' plan16)
expect 0 '' train --compute bf16 --micro-tokens 1 -o kept17/ long
expect 0 '' train --compute bf16 --micro-tokens 1 --mem-limit "$limit" -o again17/ long
ok 'bf16: by tiles or by matrices: the same bytes' cmp kept17/adapter_model.safetensors again17/adapter_model.safetensors
for p in avx2 ref; do
	run env PEFT_CPU=$p peft-train -v -m base --lr 1e-2 --rank 4 --batch 4 --compute bf16 --steps 2 -o p-$p/ t
	[ $rc -eq 0 ] || grep -q 'no path' err || ok "PEFT_CPU=$p" false
done
ok 'bf16 that is none is called so' grep -q 'products of bf16 with plain' err
for c in f32 bf16; do
	peft-eval -q --no-base --summary --compute $c -m base -a h e | jq .summary.loss
done >both
ok 'peft-eval: bf16 within 1 %' sh -c 'jq -s -e "(.[0] / .[1] - 1 | fabs) < 0.01 and .[0] != .[1]" both >/dev/null'
expect 0 '' peft-generate -q --compute bf16 -m base -a h --max-tokens 4 -p hello
# int8: coarser, else the same; sums are whole numbers, so that a path gives
# the products that another gives
expect 0 '' train --compute int8 --log i.log --epochs 2 -o i/ t
jq -n --slurpfile a f.log --slurpfile b i.log '[range($a | length) |
    select($a[.].loss) | $b[.].loss / $a[.].loss - 1 | fabs] | max' >far
echo "# int8: largest difference of a step's loss $(cat far)"
ok 'int8: the curve within 4 %, and another than of bf16' sh -c 'jq -n -e "$(cat far) < 0.04 and $(cat far) > 0" >/dev/null; ! cmp -s h/adapter_model.safetensors i/adapter_model.safetensors'
ok 'the log says so' sh -c 'head -n 1 i.log | grep -q "products of int8 with"'
expect 0 '' train --compute int8 --epochs 2 -j 1 -o i1/ t
ok 'int8: one thread or two: the same bytes' cmp i/adapter_model.safetensors i1/adapter_model.safetensors
# a file's weights are quantised once, a pipe's for each product
expect 0 '' train -m wide.safetensors --compute int8 --epochs 1 -o once8/ long
expect 0 '' sh -c 'peft-train -q -m - --lr 1e-2 --rank 4 --batch 4 --compute int8 --epochs 1 -o each8/ long <wide.safetensors'
ok 'int8: weights quantised once or each time: the same bytes' cmp once8/adapter_model.safetensors each8/adapter_model.safetensors
expect 0 '' train --compute int8 --micro-tokens 1 -o kept8/ long
train -n --compute int8 --micro-tokens 1 long >plan8
limit=$(awk '/^total/ { printf "%dK", ($2 - 0.2) * 1024 }' plan8)
expect 0 '' train --compute int8 --micro-tokens 1 --mem-limit "$limit" -o again8/ long
ok 'int8: computed again: the same bytes' cmp kept8/adapter_model.safetensors again8/adapter_model.safetensors
for p in avx2 ref; do
	run env PEFT_CPU=$p peft-train -v -m nf4.safetensors --lr 1e-2 --rank 4 --batch 4 --compute int8 --steps 2 -o i-$p/ t
	[ $rc -eq 0 ] || grep -q 'no path' err || ok "PEFT_CPU=$p, int8" false
done
for c in f32 int8; do
	peft-eval -q --no-base --summary --compute $c -m base -a i e | jq .summary.loss
done >both
ok 'peft-eval: int8 within 2 %' sh -c 'jq -s -e "(.[0] / .[1] - 1 | fabs) < 0.02 and .[0] != .[1]" both >/dev/null'
expect 0 '' peft-generate -q --compute int8 -m base -a i --max-tokens 4 -p hello
expect 1 '*--compute*' train --compute f16 t
jq -c 'select(.input_ids) | .weight = 1' t >weighed
head -n 4 t | jq -c 'select(.input_ids) | .weight = 0' >>weighed
expect 2 '*step 25: *weights add up to nothing' train --no-shuffle --batch 1 --log weighed.log -o x/ weighed
ok 'before the first step' [ ! -s weighed.log ]
expect 2 "*'nope' matches no module*" train --target nope t
expect 2 '*end line*' sh -c 'head -n 5 t | peft-train -q -m base'
expect 0 '' sh -c 'head -n 5 t | peft-train -q -m base --partial --steps 1 >/dev/null'
grep -v peft t | sed 's/"labels":\[[^]]*\]/"labels":[]/' >x
expect 2 '*labels for*' train x
printf '{"input_ids":[1,5,6],"labels":[-100,-100,-100]}\n' >x
expect 2 '*no supervised token*' train x
printf '{"input_ids":[1,5,999],"labels":[-100,5,999]}\n' >x
expect 2 '*x:1: "input_ids"\[2\] is not a token of a vocabulary of 512' train x
printf '{"input_ids":[1,5],"labels":[-100,5],"more":1}\n' >x
expect 2 '*key "more"*' train x
sed 's/sha256:..../sha256:0000/' t >x
expect 3 '*another tokenizer*' train x
sed 's/"input_ids":.[0-9]*/&99999/' x >y
expect 3 '*another tokenizer*' train y
: >x
expect 2 '*: x: *no training records*' train x
echo '{"input_ids":[1,5],"labels":[-100,-100]}' >silent
expect 2 '*: training record * (silent:1) has no supervised token*' \
    train -o silent.d/ t silent
# the forward pass overflows, or the gradient: by processor
for alpha in 1e4 1e6; do
	expect 4 '*: step *, record * (*:*): *the * of *.layers.* is not finite' \
	    train --lr 1000 --clip 0 --alpha $alpha --steps 30 -o nan/ t
done
ok 'and nothing is left behind' [ ! -e nan ]

done_testing
