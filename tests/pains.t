#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What users of other tools suffer from, by number, where no other test has
# it.  The others:
#
#  1 2 3 4 6 8 9	merge.t (survival, --onto, --verify, tied weights, types)
#  7		quantize.t, merge.t (no trace of the old quantisation)
#  11 12	bad-data.t (adapters), train.t (targets)
#  13 17 27	tokenize.t (labels cut away, masks shown, lint)
#  15 37	edges.t (full disks, kills), bad-data.t (checkpoints)
#  25		tokenizer.t;  32 vec-unit;  34 35 36 train.t (resume, threads)
#  42 43	bad.t;  44 bad-data.t (packs)
# shellcheck disable=SC2016,SC2317,SC2086	# perl's $_; by name; words
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o t chats.jsonl
peft-tokenize -q -m base -o e test.jsonl
train() { peft-train -q -m base --lr 1e-2 --rank 4 --batch 4 "$@"; }
# json FILTER FILE ...: is it true of the list of all that is in them?
json() { jq -s -e "$@" >/dev/null; }
# fits STATUS GLOB: did the last run?
fits() {
	[ "$rc" -eq "$1" ] || return 1
	# shellcheck disable=SC2254
	case $(cat err) in $2) ;; *) return 1 ;; esac
}
# pain WHAT STATUS GLOB COMMAND...
pain() {
	what=$1 status=$2 glob=$3; shift 3
	run "$@"
	ok "pain $what" fits "$status" "$glob"
}

# ---- wrong merges -----------------------------------------------------------

# rewrite N: the model with an embedding of N rows
rows() {
	rm -rf "rows$1"; cp -r base "rows$1"
	perl -0777 -e 'my ($n) = shift; $_ = <>; my $more = ($n - 512) * 256;
	    my $len = unpack "Q<"; my $h = substr $_, 8, $len;
	    my $data = substr $_, 8 + $len; $h =~ s/\[512,64\]/[$n,64]/;
	    $h =~ s/"data_offsets":\[(\d+),(\d+)\]/"\"data_offsets\":[" .
		($1 ? $1 + $more : 0) . "," . ($2 + $more) . "]"/ge;
	    $h .= " " while length($h) % 8;
	    substr($data, 131072 + ($more < 0 ? $more : 0),
		$more < 0 ? -$more : 0) = "\0" x ($more > 0 ? $more : 0);
	    print pack("Q<", length $h), $h, $data' "$1" \
	    base/model.safetensors >"rows$1/model.safetensors"
	sed "s/\"vocab_size\": 512/\"vocab_size\": $1/" base/config.json \
	    >"rows$1/config.json"
}
rows 520; rows 300
merge-tool fresh base '{"peft_type":"LORA","target_modules":["lm_head"],
    "init_lora_weights":false}' head
pain '5: a vocabulary that grew is told by both sizes' 3 \
    '*lm_head.lora_B.weight has shape [[]512, 8], * call for [[]520, 8]: is it of another model[?]' \
    peft-merge -q -m rows520 -a head -o m5/
ok 'pain 5: and nothing is written' [ ! -e m5 ]
pain '5: a token without a row is named with its record: eval' 2 \
    "*:1: token * is not in the model's vocabulary of 300" \
    peft-eval -q -m rows300 test.jsonl
pain '5: a token without a row is named with its record: generate' 2 \
    "*:1: token * is not in the model's vocabulary of 300" \
    peft-generate -q -m rows300 test.jsonl
pain '5: a token without a row is named with its record: train' 2 \
    '*t:*: "input_ids"* is not a token of a vocabulary of 300' \
    peft-train -q -m rows300 t

for t in f16 bf16 f32; do
	peft-quantize -q -t $t -o in.$t/ base
	peft-merge -q -m in.$t -a adapter -o out.$t/
	merge-tool types in.$t >in; merge-tool types out.$t >got
	ok "pain 6: what was $t is $t when it is merged" cmp in got
done
perl -0777 -pe 'substr($_, -4) = pack "f<", 70000' base/model.safetensors >x
mkdir large; cp base/*.json large; mv x large/model.safetensors
pain '6: what f16 cannot hold is refused, not made infinite' 4 \
    '*model.norm.weight: 1 *' peft-quantize -q -t f16 -o m6.safetensors large
ok 'pain 6: and not written' [ ! -e m6.safetensors ]

train --lr 0 --steps 1 -o idle/ t
pain '9: an adapter that adds nothing is not merged' 3 \
    '*would equal the base*' peft-merge -q -m base -a idle -o m9/
ok 'pain 9: and nothing is written' [ ! -e m9 ]

for key in '"peft_type": "GRALORA"' '"use_bdlora": true' \
    '"layer_replication": [[0, 1]]' '"use_qalora": true' '"kasa_config": [1]'; do
	rm -rf odd; cp -r adapter odd
	name=${key%%:*} word=$(echo "$key" | tr -dc 'a-z_')
	sed "s/$name: [^,]*/$key/" adapter/adapter_config.json \
	    >odd/adapter_config.json
	for cmd in 'peft-merge -q -m base -a odd -o m10/' \
	    'peft-eval -q -m base -a odd test.jsonl' \
	    'peft-generate -q -m base -a odd -p x' \
	    'peft-train -q -m base --init odd -o m10/ t'; do
		run $cmd
		ok "pain 10: $key is refused by name: ${cmd%% *}" \
		    sh -c "[ $rc -eq 2 ] && grep -q '${word%true}' err"
	done
done

# ---- silent failure ---------------------------------------------------------

pain '14: numbers that are not finite: step and record are named' 4 \
    '*: step *, record * (*:*): * not finite' \
    train --lr 1000 --clip 0 --alpha 1e5 --steps 30 --save-every 1 -o nan/ t
ok 'pain 14: no adapter is written' [ ! -e nan ]
pain '14: the checkpoint before is whole and finite' 0 '' \
    peft-inspect --scan nan.ckpt

train --steps 3 -o a/ t
n15=$(peft-inspect --json a | jq .weights)
ok 'pain 15: every target has both its tensors' [ "$n15" -eq 28 ]
peft-inspect --json a | jq -c '.tensors[] | .bytes' >sizes
ok 'pain 15: none is empty' sh -c '! grep -qx 0 sizes'
run peft-inspect --diff idle a
ok 'pain 15: and training moved each lora_B' \
    [ "$(grep -c lora_B out)" -eq 14 ]

for opt in '--lr 1e-3' '--rank 8' '--alpha 2' '--target q_proj' '--dropout 0.5' \
    --rslora '--epochs 2' '--batch 2' '--schedule constant' '--warmup 3' \
    '--weight-decay 10' '--clip 0.001' '--beta1 0.1' '--beta2 0.1' '--eps 0.1' \
    --no-shuffle '-s 9' '--steps 2'; do
	# shellcheck disable=SC2086
	rm -f opt.safetensors; train -o opt.safetensors $opt t
	run peft-inspect --diff --json opt.safetensors a
	ok "pain 16: $opt changes what is learnt" sh -c "[ -f opt.safetensors ] && [ $rc -ne 0 ]"
done

train --batch 8 --micro-tokens 100000 --steps 2 -o whole/ t
train --batch 8 --micro-tokens 1 --steps 2 -o parts/ t
run peft-inspect --diff --json whole parts
ok 'pain 18: a batch in parts is the batch, but for rounding' \
    json 'length > 0 and all(.rms < 1e-4)' out

peft-train -q -m base --lr 1e-2 --rank 4 --batch 4 --epochs 40 \
    --save-every 1 -o r/ t & pid=$!
while [ ! -f r.ckpt ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -9 $pid; { wait $pid; } 2>/dev/null
pain '19: other targets are no resumption' 3 '*differs in *' \
    train --epochs 40 --target q_proj --resume -o r/ t
pain '19: nor is another rank' 3 '*differs in *' \
    train --epochs 40 --rank 8 --resume -o r/ t
ok 'pain 19: and nothing is written' [ ! -e r ]

ok 'pain 20: the end of each answer is learnt' \
    json 'map(select(.labels)) | length > 0 and
	all(.labels | index(2) != null)' t

# ---- tokens and templates -----------------------------------------------------

# a tokenizer that puts <|im_start|> first, and a template that does so too
cp -r base two
jq '.post_processor.single = [{"SpecialToken": {"id": "<|im_start|>",
    "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}] |
    .post_processor.special_tokens = {"<|im_start|>": {"id": "<|im_start|>",
    "ids": [1], "tokens": ["<|im_start|>"]}}' base/tokenizer.json \
    >two/tokenizer.json
peft-tokenize -q -m two chats.jsonl >t2
ok 'pain 21: a template that begins with BOS gets no second one' \
    json 'map(select(.input_ids)) |
	all(.input_ids[0] == 1 and .input_ids[1] != 1)' t2
echo '{"text":"hello"}' | peft-tokenize -q -m two --supervise text >t3
ok 'pain 21: a text does get one' \
    json '.[1].input_ids | .[0] == 1 and .[1] != 1' t3

# the prompt ends with a blank, which the answer's first word joins
cp -r base joined
printf '%s' '{% for m in messages %}{{ m.role }}: {{ m.content }}|{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}' \
    >joined/chat_template.jinja
echo '{"messages":[{"role":"user","content":"a card"},{"role":"assistant","content":"a card"}]}' >chat
peft-tokenize -q -m joined chat >t4
peft-tokenize -q -m joined --render chat | jq -R -c '{text: .}' |
    peft-tokenize -q -m joined --supervise text >t5
ok 'pain 22: tokens are those of the whole text, cut nowhere' \
    json '.[1].input_ids as $a | .[4].input_ids as $b |
	$a == $b[: ($a | length)] and ($a | length > 8)' t4 t5
ok 'pain 22: the one that belongs to both is not learnt, the next one is' \
    json '.[1] | (.input_ids | rindex(260)) as $k | .labels[$k] == -100 and
	.labels[$k + 1] == .input_ids[$k + 1]' t4

cp -r base other; sed 's/helpful/helpless/' base/chat_template.jinja \
    >other/chat_template.jinja
for cmd in 'peft-train -q --steps 1' peft-eval; do
	pain "23: records of another template are refused: ${cmd%% *}" 3 \
	    '*template*' $cmd -m other -o m23 t
	ok "pain 23: and nothing is written: ${cmd%% *}" [ ! -e m23 ]
done

# a template that keeps the thoughts of the last answer only
cp -r base think
printf '%s' '{% for m in messages %}{{ "<|im_start|>" + m.role + "\n" }}{% if m.role == "assistant" and not loop.last %}{{ m.content.split("</think>")[-1] }}{% else %}{{ m.content }}{% endif %}{{ "<|im_end|>\n" }}{% endfor %}{% if add_generation_prompt %}{{ "<|im_start|>assistant\n" }}{% endif %}' \
    >think/chat_template.jinja
echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"<think>x</think>b"},{"role":"user","content":"c"},{"role":"assistant","content":"<think>y</think>d"}]}' >thoughts
pain '24: a template that rewrites earlier answers is noticed' 2 \
    'peft-tokenize: thoughts:1: *changes earlier turns *' \
    peft-tokenize -q -m think thoughts
peft-tokenize -q -m think --supervise last thoughts >t5
jq -c 'select(.labels) | {input_ids: [.labels[] | select(. >= 0)], labels:
    [.labels[] | select(. >= 0)]}' t5 >t6
ok 'pain 24: a record of each turn has them all' \
    [ "$(peft-tokenize -q -m think --per-turn thoughts | grep -c labels)" = 2 ]
ok 'pain 24: the last answer is learnt with its thoughts' \
    [ "$(peft-tokenize -q -m think --decode t6 | head -n 1)" = \
    '<think>y</think>d<|im_end|>' ]

peft-eval -q -m base test.jsonl >all
head -n 1 test.jsonl | peft-eval -q -m base >first
jq 'select(.record == 1) | .nll' all >x1
jq 'select(.record == 1) | .nll' first >x2
# alike DIGITS: the numbers of x1 and x2, so many digits of them
alike() { paste x1 x2 | awk -v d="$1" '{ a = $1 - $2; a = a < 0 ? -a : a
    if (a > $1 * 10 ^ -d) exit 1 } END { exit !NR }'; }
ok 'pain 26: what is beside a record does not change it, but for rounding' \
    alike 5
tac test.jsonl | peft-eval -q -m base | jq -c 'select(.nll) | .nll' | tac >x1
jq -c 'select(.nll) | .nll' all >x2
ok 'pain 33: a score does not move with the order' alike 5
peft-eval -q -j 1 -m base test.jsonl >one
ok 'pain 33: nor with the number of threads' cmp one all

# ---- memory -------------------------------------------------------------------

# the tiny model with 400 layers: 60 MB
mkdir deep; cp base/*.json base/*.jinja deep
sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 400/' deep/config.json
perl -0777 -ne 'my $len = unpack "Q<"; my $h = substr $_, 8, $len;
    my $d = substr $_, 8 + $len; my (%t, @out); my $at = 0;
    $t{$1} = [$2, $3, $4] while $h =~ /"(model[^"]*)":\{"dtype":"F32",
	"shape":(\[[0-9,]*\]),"data_offsets":\[(\d+),(\d+)\]\}/gx;
    for my $n (sort keys %t) {
	next if $n =~ /layers\.1\./;
	push @out, [$_, $n] for $n !~ /layers\.0\./ ? $n : map {
	    $n =~ s/layers\.0/layers.$_/r } 0 .. 399;
    }
    my $j = "{" . join(",", map { my ($s, $b, $e) = @{$t{$_->[1]}};
	my $x = "\"$_->[0]\":{\"dtype\":\"F32\",\"shape\":$s," .
	    "\"data_offsets\":[$at," . ($at + $e - $b) . "]}";
	$at += $e - $b; $x } @out) . "}";
    $j .= " " while length($j) % 8;
    print pack("Q<", length $j), $j;
    print substr $d, $t{$_->[1]}[1], $t{$_->[1]}[2] - $t{$_->[1]}[1]
	for @out' base/model.safetensors >deep/model.safetensors
peft-quantize -q -o deep.safetensors deep
# AddressSanitizer's own tables do not fit into a limit
data=20000
! sanitized || data=unlimited
for cmd in 'quantize -q -t f16 -' 'quantize -q -t nf4 -' \
    'merge -j 1 -q --any-base -m - -a adapter'; do
	run sh -c "ulimit -d $data; peft-$cmd <deep.safetensors >piped"
	ok "pain 28: 60 MB go through 20 MB: $cmd" [ "$rc" -eq 0 ]
done
run sh -c "ulimit -d $data; peft-merge -j 1 -q -m deep -a adapter -o deep.m/"
ok 'pain 28: and from a folder into a folder' [ "$rc" -eq 0 ]
pain '29: memory is known beforehand' 3 '*needs * MiB, the limit is*' \
    train --mem-limit 1K -o m29/ t

# ---- lost work ----------------------------------------------------------------

steps() { while ! grep -q step "$1" 2>/dev/null; do sleep 0.05; done; }
peft-train -q -m base --lr 1e-2 --epochs 200 --log u.log -o u/ t & pid=$!
steps u.log; kill -USR1 $pid
while [ ! -f u.ckpt ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
ok 'pain 38: SIGUSR1 saves' [ -f u.ckpt ]
ok 'pain 38: and goes on' kill -0 $pid
kill -TERM $pid
{ wait $pid; } 2>/dev/null; rc=$?
ok 'pain 38: SIGTERM saves and ends' [ "$rc" -eq 143 ]
pain '38: the run goes on' 0 '' \
    peft-train -q -m base --lr 1e-2 --epochs 200 --resume -o u/ t
peft-train -q -m base --lr 1e-2 --epochs 200 -o v/ t
ok 'pain 38: nothing is lost by either' \
    cmp u/adapter_model.safetensors v/adapter_model.safetensors

# ---- other people's files, and logs --------------------------------------------

mkdir mlx; cp adapter/adapter_model.safetensors mlx/adapters.safetensors
echo '{"fine_tune_type":"lora"}' >mlx/adapter_config.json
pain "40: another vendor's folder is refused by name" 2 'peft-merge: mlx: *' \
    peft-merge -q -m base -a mlx -o m40/
perl -0777 -pe 's/lora_A.weight/lora_a.weight/g' \
    adapter/adapter_model.safetensors >x
rm -rf odd; cp -r adapter odd; mv x odd/adapter_model.safetensors
pain "40: another vendor's keys are an error with the name" 3 \
    '*lora_B.weight is no part of a LoRA in the layout of torchtune*' peft-merge -q -m base -a odd -o m40/
ok 'pain 40: and nothing is written' [ ! -e m40 ]
peft-merge -q -m base -a head -o head.gguf
ok 'pain 40: a head of its own goes into GGUF' \
    sh -c 'peft-inspect head.gguf | grep -q lm_head'

sed 's/"revision": null/"revision": null, "from_the_future": null/' \
    adapter/adapter_config.json >odd/adapter_config.json
cp adapter/adapter_model.safetensors odd
pain '45: a key of a newer version that is null is no matter' 0 '' \
    peft-eval -q -m base -a odd test.jsonl
peft-train -m base --epochs 3 -o logged/ t >out 2>err
ok 'pain 45: no escape sequence in a log' \
    sh -c '! grep -q "$(printf "[\r\033]")" err'
ok 'pain 45: nothing on standard output' [ ! -s out ]
peft-train -v -m base --epochs 3 --log-json -o json/ t 2>err
ok 'pain 45: --log-json is JSON, line by line: train' \
    json 'length > 0 and all(.message)' err
peft-merge -m base -a adapter --log-json -o json.gguf 2>err
ok 'pain 45: --log-json is JSON, line by line: merge' \
    json 'length > 0 and all(.message)' err
peft-quantize -n --log-json --report -t q8_0 base 2>err
ok 'pain 45: --log-json is JSON, line by line: quantize' \
    json 'length > 0 and all(.weight or .report)' err
for cmd in 'train -m nowhere' 'merge -m nowhere -a adapter' 'quantize nowhere' \
    'eval -m nowhere' 'generate -m nowhere -p x'; do
	run peft-$cmd --log-json
	ok "pain 45: an error is JSON too: $cmd" \
	    json 'length == 1 and (.[0].message | test("nowhere: No such"))' err
done
for cmd in quantize tokenize train merge eval generate pack inspect; do
	nm -D -u "$(command -v peft-$cmd)" >symbols
	ok "pain 45: peft-$cmd has no network in it" sh -c \
	    '[ -s symbols ] && ! grep -wE "socket|connect|getaddrinfo|bind" symbols'
done

done_testing
