#!/bin/sh
# An adapter for several tasks, of which each record names one
# shellcheck disable=SC2016,SC2086
. "$TOP/tests/lib.sh"

base=$TOP/tests/golden/methods/base
poly=$TOP/tests/golden/methods/poly
one='"input_ids":[5,7,11,4,9,8],"labels":[5,7,11,4,9,8]'
{
	echo "{$one,\"task_id\":0}"
	echo "{$one,\"task_id\":2}"
	echo "{$one,\"task_id\":0}"
} >tok

ok 'records of two tasks are scored' peft-eval -q -m "$base" -a "$poly" \
    -o out.jsonl tok
ok 'each by its own mixture' jq -s -e '
    map(select(.system != "base" and .record != null) | .loss) | .[0] != .[1] and (.[0] - .[2] | fabs) < 1e-6' out.jsonl
head -n 1 tok >first
ok 'and alone as together' peft-eval -q -m "$base" -a "$poly" -o alone first
ok 'the same number' jq -s -e 'map(select(.record == 1 and
    .system != "base") | .loss) | (.[0] - .[1] | fabs) < 1e-6' \
    out.jsonl alone
ok 'it is trained' peft-train -q -m "$base" --method poly --rank 2 \
    --set n_tasks=3 --set n_skills=2 --steps 3 --lr 1e-2 -o made/ tok
ok 'and goes on' peft-train -q -m "$base" --init made --steps 1 -o more/ tok
ok 'with the same config' cmp made/adapter_config.json \
    more/adapter_config.json
# refusals
echo "{$one}" >none
echo "{$one,\"task_id\":3}" >high
echo "{$one,\"task_id\":-1}" >low
expect 2 '*no task is named (task_id), the adapter is for 3' \
    peft-eval -q -m "$base" -a "$poly" none
expect 2 "*its task is none of the adapter's 3" \
    peft-eval -q -m "$base" -a "$poly" high
expect 2 '*task_id*' peft-eval -q -m "$base" -a "$poly" low
expect 2 '*no task is named*' peft-train -q -m "$base" --init "$poly" \
    --steps 1 -o bad/ none
bad() {		# status, message, jq's change of the config
	rm -rf odd
	mkdir odd
	cp "$poly/adapter_model.safetensors" odd/
	jq "$3" "$poly/adapter_config.json" >odd/adapter_config.json
	expect "$1" "$2" peft-eval -q -m "$base" -a odd tok
}
bad 2 '*n_splits 5 does not divide 16' '.n_splits = 5'
bad 2 '*poly_type "x" is not "poly"' '.poly_type = "x"'
bad 3 '*poly_lora_A has shape *' '.n_skills = 2'
bad 3 '*module_logits has shape *' '.n_tasks = 4'
ok 'training draws, for every number of threads the same' sh -c 'for j in 1 2
    do peft-train -q -j $j -m "$1" --init made --steps 2 -o j$j/ tok || exit 1
    done; cmp j1/adapter_model.safetensors j2/adapter_model.safetensors' - "$base"
ok 'and by the seed' sh -c 'peft-train -q -s 5 -m "$1" --init made --steps 2 \
    -o s5/ tok && ! cmp -s j1/adapter_model.safetensors \
    s5/adapter_model.safetensors' - "$base"
ok 'as a frozen one it does not' peft-train -q -m "$base" --frozen "$poly" \
    --rank 2 --steps 1 -o atop/ tok

# prompts of several tasks
three=$TOP/tests/golden/methods/multitask_3
ok 'prompts of two tasks' peft-eval -q --no-base -m "$base" -a "$three" \
    -o prompts.jsonl tok
ok 'each its own' jq -s -e 'map(.loss // empty) | .[0] != .[1] and
    (.[0] - .[2] | fabs) < 1e-6' prompts.jsonl
expect 2 '*no task is named (task_id), the adapter is for 3' \
    peft-eval -q -m "$base" -a "$three" none
expect 2 "*its task is none of the adapter's 3" \
    peft-eval -q -m "$base" -a "$three" high
how="-q -m $base --method multitask-prompt-tuning --set num_ranks=2
    --set num_virtual_tokens=3"
ok 'they are trained' peft-train $how --set num_tasks=3 --steps 12 --lr 0.1 \
    --log log -o prompts/ tok
ok 'and learn' jq -se 'map(.loss // empty) | .[-1] < .[0]' log
source="--set prompt_tuning_init_state_dict_path=$three"
for s in AVERAGE_SOURCE_TASKS EXACT_SOURCE_TASK ONLY_SOURCE_SHARED; do
	ok "a prompt begins from $s" peft-train $how $source --steps 1 \
	    --set prompt_tuning_init=$s -o $s/ tok
done
ok 'which differ' sh -c '! cmp -s AVERAGE_SOURCE_TASKS/adapter_model.safetensors \
    EXACT_SOURCE_TASK/adapter_model.safetensors'
expect 2 '*prompt_tuning_init_state_dict_path is missing*' peft-train $how \
    --steps 1 --set prompt_tuning_init=ONLY_SOURCE_SHARED -o bad/ tok
expect 2 '*only one task can begin*' peft-train $how $source --steps 1 \
    --set num_tasks=2 --set prompt_tuning_init=EXACT_SOURCE_TASK -o bad/ tok
expect 2 '*prompt_tuning_init_task is 3, its tasks are 3*' peft-train $how \
    $source --steps 1 --set prompt_tuning_init=EXACT_SOURCE_TASK \
    --set prompt_tuning_init_task=3 -o bad/ tok
expect 3 '*prompt_embeddings*' peft-train $how $source --steps 1 \
    --set num_virtual_tokens=4 --set prompt_tuning_init=EXACT_SOURCE_TASK \
    -o bad/ tok
expect 3 '*tensor prompt_embeddings is missing*' peft-train $how --steps 1 \
    --set prompt_tuning_init=ONLY_SOURCE_SHARED \
    --set prompt_tuning_init_state_dict_path="$poly" -o bad/ tok
ok 'nothing is left' [ ! -e bad ]
expect 3 '*POLY adapters cannot be merged*' peft-merge -q -m "$base" \
    -a "$poly" -o merged/

done_testing
