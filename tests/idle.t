#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Options that would do nothing are refused by their names, also where what
# they say is the default.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o t chats.jsonl

# a setting that nothing looks at is a mistake
expect 1 '*--eval-every: there is no --eval' peft-train -q -m base --eval-every 2 -o x/ t
for idle in '--cycles 2' '--power 2' '--min-lr-ratio 0.1' '--decay-steps 3' \
    '--plateau 10' '--cycles 0.5' '--plateau-factor 0.5' '--optimizer sgd --beta2 0.9' \
    '--optimizer lion --eps 1e-6' '--optimizer adafactor --beta1 0.9'; do
	# shellcheck disable=SC2086	# words are what they are
	expect 1 '*: --*: schedule linear and optimizer * have no use for it' peft-train -q -m base $idle -o x/ t
done
expect 1 '*--steps and --epochs exclude each other' peft-train -q -m base --steps 3 --epochs 2 -o x/ t
expect 1 '*--any-base is for --init*' peft-train -q -m base --any-base -o x/ t
alone() { why=$1; shift; expect 1 "$why" peft-train -q -m base -o x/ "$@" t; }
alone '*: --init-records is for *: this adapter begins from no records' --init-records 9
alone '*: --init-records is for *: this adapter begins from something else' --set init_lora_weights=eva --init-records 9
alone '*: --loraplus: IA3 has no lora_B' --method ia3 --loraplus 4
alone '*: --loraplus: LOHA has no lora_B' --method loha --loraplus 4
alone '*: --weight-decay: nothing that LN_TUNING trains here decays' --method ln-tuning --weight-decay 0.1
alone '*: --rslora: IA3 has none' --method ia3 --rslora
alone '*: --target: PROMPT_TUNING has none' --method prompt-tuning --target q_proj
alone '*: --set use_dorra: LORA has no such key' --set use_dorra=false
alone '*: eva_config does nothing without init_lora_weights=eva' --set 'eva_config={"rho":2}'
alone '*: qalora_group_size does nothing without use_qalora' --set qalora_group_size=8
alone '*: prompt_tuning_init_text does nothing without prompt_tuning_init=TEXT' --method prompt-tuning --set prompt_tuning_init_text=hello
echo '{"peft_type":"LORA","corda_config":{"corda_method":"kpm"},"later":null}' >idle.json
alone '*: corda_config does nothing without init_lora_weights=corda' -c idle.json

# one value in two words
twice() { why="*: $1 and --set $2 are the same: one of them"; shift 2; alone "$why" "$@"; }
twice --rank r --set r=4 --rank 8
twice --alpha lora_alpha --alpha 8 --set lora_alpha=8
twice --dropout lora_dropout --dropout 0.1 --set lora_dropout=0
twice --rslora use_rslora --rslora --set use_rslora=false
twice --target target_modules --set target_modules=q_proj --target v_proj
twice --method peft_type --set peft_type=OFT --method lora
echo '{"peft_type":"LORA","r":4}' >four.json
expect 0 '' peft-train -q -m base --steps 1 -c four.json --rank 2 -o two/ t
ok 'options go over the file of -c' [ "$(jq .r two/adapter_config.json)" = 2 ]

# the others
expect 1 '*: --list-types only prints*' peft-quantize --list-types -o types
expect 1 '*: --pure is for quantised types of GGUF, not for f16' \
    peft-quantize --pure -t f16 -o x.gguf base
expect 1 '*: --force-lossy: --as-lora exact loses nothing' \
    peft-merge -m base -a adapter --as-lora exact --force-lossy -o x/
for idle in '--top-p 1' '--top-k 0'; do
	# shellcheck disable=SC2086
	expect 1 '*: --top-p and --top-k *: they need --temperature' peft-generate -m base $idle -p x
done
expect 1 '*: -s is for sampling*' peft-generate -m base -s 0 -p x
expect 1 '*: --width is for records*' peft-generate -m base --width 16 -p x
for idle in '-a adapter -a b=adapter' '-a a=adapter --combine b=a:2' '--adapters .'; do
	# shellcheck disable=SC2086
	expect 1 '*: -p is answered by the one adapter of -a*' peft-generate -m base $idle -p x
done
expect 1 '*: -s is for --compare*' peft-eval -m base -s 0 t
expect 1 '*: --compare runs no model*' peft-eval --compare --compute f32 A B
tok() { why=$1; shift; expect 1 "$why" peft-tokenize -m base "$@" chats.jsonl; }
tok '*: --over goes with --max-length' --over refuse
tok '*: --over is not for --lint*' --lint --max-length 9 --over refuse
tok '*: --render makes no tokens*' --render --supervise all
tok '*: --decode takes token records*' --decode --supervise all
tok '*: --skip-bad is not for --lint*' --lint --skip-bad 0
ok 'and nothing was written' [ ! -e x ] && [ ! -e x.gguf ] && [ ! -e types ]

done_testing
