#!/bin/sh
# An adapter for several tasks, of which each record names one
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
expect 3 '*POLY adapters cannot be merged*' peft-merge -q -m "$base" \
    -a "$poly" -o merged/

done_testing
