#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Heads for classes: the numbers of transformers and PEFT (parity/heads.py);
# labels as people write them; training, measuring, asking, merging; refusals.
# shellcheck disable=SC2016	# $ is jq's
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"

mkdir golden
zstd -dqc "$TOP/tests/golden/heads.tar.zst" | tar -C golden -xf -
for c in single multi value tokens prompt tasks; do
	unit heads-unit golden/llama "golden/llama_$c"
done
for c in single tokens; do unit heads-unit golden/gpt2 "golden/gpt2_$c"; done
unit heads-unit golden/scored - golden/llama_single
# beside adapters of the adapters library's (parity/adapters_lib.py heads)
hub=$TOP/tests/golden/hubheads
for c in seq_bn_single union_single double_seq_bn_tokens; do
	unit heads-unit golden/llama "$hub/$c"
done

# labels: records of stdin, as tokens
tok() { peft-tokenize -q -m base "$@" | grep -v '^{"peft"'; }
is() { [ "$(printf '%s\n' "$2" | tok | jq -c "$1")" = "$3" ]; }
ok 'a name' is .class '{"text":"a b","label":"x"}' '"x"'
ok 'a number' is .class '{"text":"a b","label":3.0}' 3
ok 'a value' is .class '{"text":"a b","label":-2.50}' -2.5
ok 'a list' is .class '{"text":"a b","label":["x",2]}' '["x","2"]'
ok 'none of several' is .class '{"text":"a b","label":[]}' '[]'
ok 'true of a text' is .class '{"text":"a b","label":true}' '"true"'
ok 'of a chat' is .class '{"messages":[{"role":"user","content":"a"}],"label":"x"}' '"x"'
ok 'of a prompt' is .class '{"prompt":"a b","completion":" c","label":"x"}' '"x"'
ok 'true of an answer is KTO' is '[.class,.label]' '{"prompt":"a b","completion":" c","label":true}' '[null,true]'
ok 'no end token' [ "$(echo '{"text":"a b","label":"x"}' | tok | jq -c .input_ids)" = \
    "$(echo '{"prompt":"","completion":"a b"}' | tok | jq -c '.input_ids[:-1]')" ]
ok 'as text if that is asked for' [ "$(echo '{"text":"a b","label":"x"}' | tok --task causal-lm)" = \
    "$(echo '{"text":"a b"}' | tok)" ]
ok 'seq-cls makes true a class' [ "$(echo '{"prompt":"a","completion":"b","label":true}' | tok --task seq-cls | jq -c .class)" = '"true"' ]
printf 'text,label\n"a, b",x\nc,7\nd,"[""x"",""y""]"\n' >l.csv
ok 'in a table' [ "$(tok l.csv | jq -c .class | tr '\n' ' ')" = '"x" 7 ["x","y"] ' ]
printf 'x\ta b\nyes\tc\n' >l.tsv
ok 'in columns' [ "$(tok --columns label=1,text=2 l.tsv | jq -c .class | tr '\n' ' ')" = '"x" "yes" ' ]
w='{"tokens":["hello","a"],"ner_tags":["B",null]}'
ok 'of words' is '[(.input_ids | length) == (.classes | length), .classes[0], (.classes[1:] | unique)]' "$w" '[true,"B",[null]]'
ok 'words one by one' [ "$(echo "$w" | tok | jq -c .input_ids)" = \
    "$(printf '{"prompt":"","completion":"%s"}\n' hello a | tok | jq -sc 'map(.input_ids[:-1]) | add')" ]
ok 'numbers of words' is '.classes[0]' '{"tokens":["a"],"labels":[4]}' '"4"'
expect 0 '*: in: JSON lines of texts*the label of 1 record is a class*' sh -c 'echo "{\"text\":\"a\",\"label\":\"x\"}" >in; peft-tokenize -m base in'

# a classifier
intents() { jq -c '{text: .messages[1].content, label: .messages[2].content}' "$1"; }
intents chats.jsonl >train.jsonl
head -n 6 train.jsonl >some.jsonl
peft-tokenize -q -m base -o train.tok train.jsonl
expect 0 '*: a classifier of * classes (SEQ_CLS, single)' \
    peft-train -m base --lr 1e-2 --epochs 12 --no-shuffle -o router/ train.tok
sort -u train.jsonl | jq -r .label | sort -u >names
ok 'its classes, sorted' [ "$(peft-inspect --json router | jq -r '.. | ."peft.labels"? // empty' | jq -r '.[]')" = "$(cat names)" ]
ok 'as PEFT has it' jq -e '.task_type == "SEQ_CLS" and .modules_to_save == ["classifier","score"]' router/adapter_config.json
ok 'the head beside it' sh -c "st-list router/adapter_model.safetensors | grep -q '^base_model.model.score.weight F32 $(wc -l <names)x64 '"
run peft-eval -m base -a router --summary train.jsonl
ok 'it has learned' jq -e '.summary | .accuracy > 0.9 and .macro_f1 > 0.9' out
ok 'the base alone is not measured' [ "$(wc -l <out)" -eq 1 ]
ok 'figures of classes' jq -e '.summary.labels | [.[] | .support] | add == 24' out
expect 0 '' peft-eval -m base -a router -q -o lines train.tok
ok 'a line a record' [ "$(jq -s 'map(select(.record)) | map(.correct) | map(select(.)) | length / 24 * 10000 | round' lines)" = \
    "$(jq -s '.[-1].summary.accuracy * 10000 | round' lines)" ]
run peft-eval -m base -a router --table train.jsonl
ok 'a table' grep -q '^class  *precision  *recall  *f1  *support$' out
run peft-eval -q -m base -a router --fail-below macro_f1=1.1 --summary train.jsonl
ok 'a limit' [ "$rc" -eq 3 ]
# F1 by another way of counting
f1='[.[] | select(.record)] as $r | [$r[] | .label, .predicted] | unique |
    map(. as $c | 2 * ([$r[] | select(.label == $c and .predicted == $c)] | length) /
    (([$r[] | select(.label == $c)] | length) + ([$r[] | select(.predicted == $c)] | length))) | add / length'
peft-eval -q -m base -a router -o lines2 some.jsonl
ok 'macro F1' jq -se "($f1) - (.[-1].summary.macro_f1) | fabs < 1e-9" lines2
ok 'two systems compared' peft-eval --compare lines lines

# asked
jq -c '{text, id: input_line_number}' some.jsonl >ask
peft-eval -q -m base -a router --predict ask >told
ok 'asked as measured' [ "$(jq -r .label told)" = "$(jq -r 'select(.record).predicted' lines2)" ]
ok 'the record is as it was' [ "$(jq -c 'del(.label, .probability)' told)" = "$(cat ask)" ]
ok 'in a pipe' [ "$(cat ask | peft-eval -q -m base -a router --predict | cmp - told && echo same)" = same ]
ok 'of token records' [ "$(tok some.jsonl | peft-eval -q -m base -a router --predict | jq -r .label)" = "$(jq -r .label told)" ]

# merged
expect 0 '*the head is now score*verify: *' peft-merge -m base -a router --verify -o merged/
ok 'the architecture' jq -e --rawfile n names '.architectures == ["LlamaForSequenceClassification"] and
    .problem_type == "single_label_classification" and
    [.id2label | to_entries | sort_by(.key | tonumber)[] | .value] == ($n | split("\n")[:-1]) and .label2id[.id2label["1"]] == 1' merged/config.json
ok 'tells the same' [ "$(peft-eval -q -m merged --predict ask | jq -r .label)" = "$(jq -r .label told)" ]
ok 'no head of words is left' sh -c '! st-list merged/model.safetensors | grep -q lm_head'
run peft-eval -q -m merged --summary train.jsonl
ok 'and is measured' jq -e '.summary.accuracy > 0.9' out
peft-quantize -q -t nf4 -o merged4/ merged
ok 'in 4 bits, but not its head' sh -c 'st-list merged4/model.safetensors | grep -q "^score.weight F32"'
run peft-eval -q -m merged4 --summary train.jsonl
ok 'and is measured' jq -e '.summary.accuracy > 0.7' out
ok 'through a pipe' [ "$(peft-quantize -q -t f32 base | peft-merge -q -m - -a router | peft-eval -q -m - --predict ask | jq -r .label)" = "$(jq -r .label told)" ]
expect 2 '*weight score.weight has no name in GGUF' peft-merge -q -m base -a router -o x.gguf
ok 'nothing is left' [ ! -e x.gguf ]
# over 4 bits, and from a GGUF
peft-quantize -q -t nf4 -o base4/ base
ok 'over 4 bits' peft-train -q -m base4 --steps 2 -o four/ train.tok
ok 'over a GGUF' peft-train -q -m base.gguf --steps 2 -o gguf/ train.tok

# going on: the names are the adapter's, whatever the records have
head -n 9 train.tok >few
ok 'from an adapter' peft-train -q -m base --init router --partial --steps 1 -o on/ few
ok 'with its classes' [ "$(peft-inspect --json on | jq -c '.. | ."peft.labels"? // empty')" = "$(peft-inspect --json router | jq -c '.. | ."peft.labels"? // empty')" ]
ok 'from a model with a head' peft-train -q -m merged --partial --steps 1 -o on2/ few
expect 0 '' peft-eval -q -m merged -a on2 --summary -o sums train.jsonl
ok 'both are measured' [ "$(jq -r .summary.system sums | tr '\n' ' ')" = 'base on2 ' ]

# the other problems
jq -c '.label = [(select(.text | test("card")) | "card"), (select(.text | test("[?]")) | "question")]' train.jsonl >many.jsonl
peft-tokenize -q -m base many.jsonl >many.tok
expect 0 '*(SEQ_CLS, multi)' peft-train -m base --lr 1e-2 --epochs 25 -o many/ many.tok
run peft-eval -q -m base -a many --summary many.jsonl
ok 'several at once' jq -e '.summary | .micro_f1 > 0.8 and (has("confusions") | not)' out
ok 'are told' sh -c 'head -n 1 ask | peft-eval -q -m base -a many --predict | jq -e ".label | type == \"array\""'
jq -c '.label |= length / 10' train.jsonl >value.jsonl
peft-tokenize -q -m base value.jsonl >value.tok
expect 0 '*labels are values: a regression*' peft-train -m base --lr 1e-2 --epochs 10 -o value/ value.tok
run peft-eval -q -m base -a value --summary value.jsonl
ok 'a value' jq -e '.summary | .mae < 0.6 and (has("accuracy") | not)' out
ok 'is told' sh -c 'head -n 1 ask | peft-eval -q -m base -a value --predict | jq -e ".label | type == \"number\""'
expect 0 '' peft-merge -q -m base -a value --verify -o mvalue/
jq -c '[.text | split(" ")[] | select(. != "")] | {tokens: ., ner_tags: map(length)}' train.jsonl >words.jsonl
peft-tokenize -q -m base words.jsonl >words.tok
expect 0 '*(TOKEN_CLS, single)' peft-train -m base --lr 2e-2 --epochs 8 -o words/ words.tok
ok 'numbers in their order' [ "$(peft-inspect --json words | jq -r '.. | ."peft.labels"? // empty' | jq -r '.[]')" = "$(jq -r '.ner_tags[]' words.jsonl | sort -nu)" ]
run peft-eval -q -m base -a words --summary words.jsonl
ok 'words' jq -e '.summary | .accuracy > 0.8 and .tokens > .records' out
jq -c '{tokens}' words.jsonl | peft-eval -q -m base -a words --predict >told
ok 'each is told' jq -se 'all(.[]; (.tokens | length) == (.labels | length) and (.labels | length) == (.probabilities | length))' told
expect 0 '' peft-merge -q -m base -a words --verify -o mwords/
ok 'their head has a bias' sh -c 'st-list mwords/model.safetensors | grep -q "^score.bias F32"'
for m in ia3 lokr prompt-tuning ln-tuning p-tuning prefix-tuning multitask-prompt-tuning; do
	ok "$m" peft-train -q -f -m base --method $m --steps 2 -o m/ train.tok
	ok "$m: measured" peft-eval -q -m base -a m --summary some.jsonl
done
expect 2 "*CPT is for task_type CAUSAL_LM*" peft-train -q -f -m base --method cpt --set "cpt_token_ids=[4]" \
    --set "cpt_tokens_type_mask=[4]" --steps 1 -o m/ train.tok
for m in seq-bn par-bn unipelt; do
	expect 0 '*(SEQ_CLS, single)' peft-train -f -m base --method $m --lr 1e-2 \
	    --epochs 8 --no-shuffle -o hub/ train.tok
	run peft-eval -q -m base -a hub --summary train.jsonl
	ok "$m: has learned" jq -e '.summary.accuracy > 0.7' out
	ok "$m: goes on" peft-train -q -m base --init hub --steps 1 -f -o hub2/ \
	    train.tok
	ok "$m: with its classes" cmp hub/head_config.json hub2/head_config.json
done
ok 'the head is in files of its own' [ "$(cd hub && echo *)" = \
    'adapter.safetensors adapter_config.json head_config.json model_head.safetensors' ]
ok 'with the names of the classes' jq -e --rawfile n names '(.label2id |
    to_entries | sort_by(.value) | map(.key)) == ($n | split("\n")[:-1]) and
    .model_class == "LlamaForSequenceClassification" and .num_labels ==
    (.label2id | length)' hub/head_config.json
ok 'and nothing of it in the config' jq -e '.config | has("modules_to_save")
    or has("task_type") | not' hub/adapter_config.json
ok 'in one file, too' peft-train -q -m base --method seq-bn --lr 1e-2 \
    --epochs 8 --no-shuffle -f -o hub.safetensors train.tok
run peft-eval -q -m base -a hub.safetensors --summary train.jsonl
ok 'which is measured' jq -e '.summary.accuracy > 0.7' out
ok 'words' peft-train -q -m base --method double-seq-bn --lr 3e-2 --epochs 8 \
    -f -o hubw/ words.tok
run peft-eval -q -m base -a hubw --summary words.jsonl
ok 'are measured' jq -e '.summary.accuracy > 0.7' out

# refused
line() { sed -n "${1}p" train.jsonl; }
{ line 1; line 2 | jq -c '.label = "unseen"'; } >unseen.jsonl
peft-tokenize -q -m base -o unseen.tok unseen.jsonl
expect 2 '*: unseen.tok: record 2 (*:3): class '\''unseen'\'' is none of the * that are known' \
    peft-train -q -m base --eval unseen.tok -o no/ train.tok
expect 2 "*: record 2 (*:2): class 'unseen' is none of *" peft-eval -q -m base -a router unseen.jsonl
{ line 1; line 1 | jq -c '.text = "else"'; } | peft-tokenize -q -m base >same.tok
expect 2 '*all 2 records have the class * alone*' peft-train -q -m base -o no/ same.tok
{ head -n 2 train.tok; echo '{"input_ids":[5,6],"labels":[5,6]}'; } | grep -v peft >mixed.tok
expect 2 '*record 2 (*:2) has no class, the first (task seq-cls) calls for a class' peft-train -q -m base -o no/ mixed.tok
expect 2 '*record 1 (*:2) has a class, what is asked for (task causal-lm) calls for no class' \
    peft-train -q --task causal-lm -m base -o no/ train.tok
expect 2 '*its class is no number*' peft-train -q --problem regression -m base -o no/ train.tok
expect 2 '*has a list of classes, where one holds' peft-train -q --problem single -m base -o no/ many.tok
expect 1 '*--problem is of --task seq-cls' peft-train -q --task token-cls --problem multi -m base -o no/ train.tok
expect 1 '*--label-smoothing and --z-loss are of one class*' peft-train -q --label-smoothing 0.1 -m base -o no/ many.tok
expect 2 '*says task_type CAUSAL_LM, the records are for SEQ_CLS' peft-train -q --set task_type=CAUSAL_LM -m base -o no/ train.tok
expect 2 '*record 1 (*:2) has a class, and the model no head for classes' peft-eval -q -m base -a adapter same.tok
expect 3 '*adapter router is for SEQ_CLS, it writes no text*' peft-generate -q -m base -a router -p x
expect 3 '*merged is for SEQ_CLS, it writes no text*' peft-generate -q -m merged -p x
expect 3 '*adapter words is for TOKEN_CLS, others are for SEQ_CLS*' peft-eval -q -m base -a router -a words train.jsonl
expect 3 '*adapter router is for SEQ_CLS, others are for CAUSAL_LM*' peft-eval -q -m base -a adapter -a router train.jsonl
expect 3 "*the model's head is for SEQ_CLS, TOKEN_CLS is asked for" peft-eval -q --any-base -m merged -a words train.jsonl
expect 3 '*head of * classes*not over one model' peft-merge -q -m base -a router -a many -o no/
expect 3 '*there is no head for classes*' peft-eval -q -m base --predict ask
expect 1 '*--table is of heads*' peft-eval -q -m base --table test.jsonl
expect 1 '*--predict is of one system*' peft-eval -q -m base -a router -a many --predict ask
for idle in --match --no-base --partial '--imatrix x.dat'; do
	# shellcheck disable=SC2086	# words are what they are
	expect 1 '*--predict is of one system*' peft-eval -q -m base -a router --predict $idle ask
done
expect 1 '*--match and --imatrix are of models that write text' peft-eval -q -m base -a router --match train.jsonl
ok 'nothing is left' [ ! -e no ]
bad() { printf '%s\n' "$1" >in; expect 2 "$2" peft-tokenize -q -m base in; }
bad '{"text":"a","label":{"x":1}}' '*in:1: "label": a class is neither a name nor a number'
bad '{"text":"a","label":""}' '*in:1: "label": a class without a name'
bad '{"text":"a","label":[0.5]}' '*a list of classes holds 0.5*'
bad '{"tokens":["a","b"],"tags":["x"]}' '*in:1: 1 classes for 2 words'
bad '{"tokens":["a",""],"tags":["x","y"]}' '*"tokens"[[]1] has no tokens'
bad '{"tokens":["a"]}' '*"ner_tags" (or "labels", "tags") is missing*'
bad '{"tokens":[1],"tags":["x"]}' '*"tokens" is not a list of words'
expect 2 '*"label" is missing, which says the class' sh -c 'echo "{\"text\":\"a\"}" | peft-tokenize -q -m base --task seq-cls'
badtok() { printf '%s\n' "$1" >in; expect 2 "$2" peft-train -q -m base -o no/ in; }
badtok '{"input_ids":[5],"labels":[5],"class":"x"}' '*in:1: "labels" beside classes'
badtok '{"input_ids":[5],"class":"x","classes":["x"]}' '*"class" beside "classes"'
badtok '{"input_ids":[5,6],"classes":["x"]}' '*1 classes for 2 tokens'
badtok '{"input_ids":[5],"classes":"x"}' '*"classes" is not a list'
cp -r router bad; jq '.task_type = "TOKEN_CLS"' router/adapter_config.json >bad/adapter_config.json
expect 3 '*tensor base_model.model.score.bias is missing' peft-eval -q -m base -a bad train.jsonl
cp -r merged bad2; jq 'del(.id2label["0"])' merged/config.json >bad2/config.json
expect 2 '*weight score.weight has shape*' peft-eval -q -m bad2 train.jsonl
jq '.problem_type = "guess"' merged/config.json >bad2/config.json
expect 2 '*problem_type "guess" is not known' peft-eval -q -m bad2 train.jsonl

badhub() { expect "$1" "$2" peft-eval -q -m golden/llama -a hb --no-base --summary train.jsonl; }
rm -rf hb; cp -r "$hub/seq_bn_single" hb; chmod -R u+w hb
echo '{' >hb/head_config.json
badhub 2 '*hb/head_config.json: *'
echo '{"model_class":3}' >hb/head_config.json
badhub 2 '*"model_class" is not a string'
jq '.label2id.LABEL_1 = 0' "$hub/seq_bn_single/head_config.json" >hb/head_config.json
badhub 2 '*head_config.json: label2id: "LABEL_1" has no number of its own'
jq 'del(.label2id.LABEL_1)' "$hub/seq_bn_single/head_config.json" >hb/head_config.json
badhub 2 '*head_config.json: label2id: *'
cp "$hub/seq_bn_single/head_config.json" hb; rm hb/model_head.safetensors
badhub 2 '*the model has no head for classes, and there is none for it'
printf 'PK\003\004' >hb/pytorch_model_head.bin
badhub 2 '*pytorch_model_head.bin is a PyTorch pickle*'
expect 2 '*there is a head for classes or nothing, not '\''lm_head'\' peft-train -q -m base --method seq-bn \
    --set 'modules_to_save=["lm_head"]' -o no/ train.tok

run make -s -C "$TOP/examples/routing" OUT="$scratch/routing" EPOCHS=3 MODEL="$scratch/base" table
ok 'the example prints its table' grep -q '^router: 128 records, loss .*, accuracy 0\.[2-9]' out
run make -s -C "$TOP/examples/routing" OUT="$scratch/routing" EPOCHS=3 MODEL="$scratch/base" route
ok 'and sorts all messages' grep -q '^ *128 total$' out
done_testing
