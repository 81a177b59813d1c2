#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Activated LoRA: the numbers are peft.t's; here caches, training from
# nothing, what is written, and the refusals.
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/methods
base=$golden/base
unit alora-unit "$base" "$golden/alora" "$golden/alora/golden.safetensors"

printf '{"input_ids":[5,6,7,8,9,10],"labels":[-100,6,7,8,9,10]}\n' >tokens
train() { peft-train -q -m "$base" --rank 2 --target q_proj,v_proj \
    --steps 5 --lr 1e-2 -f "$@" tokens; }
loss() { peft-eval -q -m "$base" -a "$1" tokens |
    sed -n 's/.*"summary".*"loss":\([0-9.]\{6\}\).*/\1/p'; }

run train --set 'alora_invocation_tokens=[7,8]' -o woken
ok 'trained' [ "$rc" -eq 0 ]
ok 'it acts' [ "$(loss woken | uniq | wc -l)" -eq 2 ]
ok 'the tokens are written back' grep -q '"alora_invocation_tokens": \[' \
    woken/adapter_config.json
run train --set 'alora_invocation_tokens=[8,7]' -o asleep
ok 'what never wakes up learns nothing' [ "$(loss asleep | uniq |
    wc -l)" -eq 1 ]
expect 3 'peft-merge: woken: LORA adapters cannot be merged: this one acts*' \
    peft-merge -q -m "$base" -a woken -o never/

bad() { expect 2 "peft-train: $1" train -o never --set "$2"; }
bad 'alora_invocation_tokens is no list of *' 'alora_invocation_tokens=7'
bad '*entry 2 is no token of this model' 'alora_invocation_tokens=[1,40]'
bad '*entry 1 is no token of this model' 'alora_invocation_tokens=[0.5]'
also() { expect 2 "peft-train: *$1*" train -o never \
    --set 'alora_invocation_tokens=[7,8]' --set "$2"; }
also 'alora_invocation_tokens excludes use_dora' use_dora=true
also 'alora_invocation_tokens excludes modules_to_save' \
    'modules_to_save=["norm"]'
also 'excludes an adapter that begins as a part' init_lora_weights=pissa
expect 2 'peft-train: *alora_invocation_tokens is honoured on an embedding*' \
    train -o never --set 'alora_invocation_tokens=[7,8]' --target embed_tokens
ok 'nothing is left' [ ! -e never ]

done_testing
