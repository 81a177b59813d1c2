#!/bin/sh
# peft-merge: values, types, refusals, and behaviour in a pipe
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden/llama
model=$golden/model adapter=$golden/adapter

# differ A B LIMIT [PREFIX]: weights of A are within LIMIT of those of B
differ() {
	merge-tool compare "$1" "$2" "${4-}" >diff.log || return 1
	awk -v l="$3" '{ exit !($1 > 0 && $3 <= l) }' diff.log || {
		cat diff.log; return 1; }
}

# values: PEFT's own, in every container
expect 0 '*21 of 21 weights changed*' peft-merge -m "$model" -a "$adapter" -o dir/
ok 'as PEFT merges, to the bit' differ dir "$golden/golden.safetensors" 0 merged.
cp "$model/generation_config.json" want.json
ok 'side files are carried over' cmp want.json dir/generation_config.json
expect 0 '*' peft-merge -q -m "$model" -a "$adapter" -o f32.safetensors
ok '-q says nothing' [ ! -s err ]
ok 'a bundle holds the same' differ f32.safetensors dir 0
expect 0 '*' peft-merge -q -m "$model" -a "$adapter" -o f32.gguf
ok 'and so does GGUF' differ f32.gguf dir 0
expect 0 '*' peft-merge -m "$model" -a "$adapter" -t bf16 -o bf16.safetensors
ok 'one rounding to bf16' differ bf16.safetensors dir 0.0039063
peft-merge -q -m "$model" -a "$adapter" >piped
ok 'standard output gets the same bytes' cmp piped f32.safetensors
peft-merge -q -m - -a "$adapter" <dir/model.safetensors >out 2>err
ok 'a base without a config is refused' [ $? -eq 2 ]

# weights of the sum
expect 0 '*' peft-merge -q -m "$model" -a "$adapter=0.5" -a "$adapter=0.5" \
    -o half.safetensors
ok 'two halves make a whole' differ half.safetensors dir 1e-6
expect 0 '*' peft-merge -q -m "$model" -a "$adapter=2" -o two.safetensors
expect 0 '*' peft-merge -q -m two.safetensors -a "$adapter=-1" -o back.safetensors
ok 'twice, then minus once' differ back.safetensors dir 1e-6
expect 3 '*would equal the base*' peft-merge -m "$model" -a "$adapter=0" -o zero/
ok 'and nothing is left of that' [ ! -e zero ]
expect 1 '*no weight*' peft-merge -m "$model" -a "$adapter=inf"

# pipes: base or adapter, but not both
merge-tool stamp "$adapter" adapter.safetensors none
peft-merge -q --any-base -m "$model" -a - <adapter.safetensors >piped
ok 'an adapter from standard input' cmp piped f32.safetensors
peft-merge -q -m "$model" -a "$adapter" | peft-merge -q -m - -a "$adapter=-1" |
    peft-merge -q -m - -a "$adapter" >piped
ok 'a base from standard input' differ piped dir 1e-6
expect 1 '*cannot both*' peft-merge -m - -a - -o x/
run sh -c "head -c 20000 adapter.safetensors | peft-merge --any-base -m '$model' -a - -o cut/"
ok 'a cut adapter is refused' [ "$rc" -eq 2 ]
ok 'and leaves nothing' [ ! -e cut ]

# the base that an adapter was trained on
peft-merge -q -m "$model" -a "$adapter" -t nf4 -o nf4.safetensors
merge-tool stamp "$adapter" mine "$(merge-tool hash "$model")"
merge-tool stamp "$adapter" theirs "$(merge-tool hash nf4.safetensors)"
expect 0 '*21 of 21*' peft-merge -m "$model" -a mine -o mine.safetensors
ok 'the right base' cmp mine.safetensors f32.safetensors
expect 3 '*theirs was trained on the base sha256:*, * is sha256:*' \
    peft-merge -m "$model" -a theirs -o x/
expect 0 '*it goes onto*norm*' peft-merge -m "$model" -a theirs --onto -o onto/
ok 'onto the original' differ onto dir 0
expect 0 '*' peft-merge -m "$model" -a theirs --any-base -o any/
merge-tool stamp "$adapter" here sha256:00 "$(merge-tool hash "$model")"
expect 0 '*trained over a model made from this one*' \
    peft-merge -m "$model" -a here -o here.safetensors
ok 'its origin is accepted without a word' cmp here.safetensors f32.safetensors
merge-tool stamp "$adapter" there sha256:00 sha256:01
expect 3 '*--onto: the base of there was made from sha256:01*' \
    peft-merge -m "$model" -a there --onto -o x/
merge-tool stamp "$adapter" other sha256:00
expect 3 '*not in its original precision*' \
    peft-merge -m nf4.safetensors -a other --onto -o x/
expect 0 '*does not say which base*' peft-merge -m "$model" -a "$adapter" -o note/

# quantised: what survives
expect 0 '*(nf4) and are written as bf16*' \
    peft-merge -m nf4.safetensors -a theirs -o wide/
ok 'a 4-bit base becomes bf16' \
    sh -c 'merge-tool types wide | grep q_proj | grep -q bf16'
ok 'without a trace of it in the config' \
    sh -c '! grep -q quantization_config wide/config.json'
expect 3 '*only * % of what the adapters add would survive*' \
    peft-merge -m nf4.safetensors -a theirs=0.02 -t nf4 -o lost.safetensors
ok 'what would be lost is not written' [ ! -e lost.safetensors ]
run sh -c 'peft-merge -m nf4.safetensors -a theirs=0.02 -t nf4 >part'
ok 'nor is it whole on standard output' \
    sh -c '! merge-tool types part'
expect 0 '*correlation*' peft-merge -m nf4.safetensors -a theirs=0.02 \
    -t nf4 --force-lossy -o lost.safetensors
expect 0 '*survived*' peft-merge -v -m "$model" -a "$adapter" -t q8_0 -o q8.gguf
ok 'per weight with -v' grep -q 'q_proj.weight: f32 to q8_0, delta' err
expect 1 '*cannot be written*' peft-merge -m "$model" -a "$adapter" -t i8 -o x/
expect 1 '*no type*' peft-merge -m "$model" -a "$adapter" -t q3 -o x/
expect 2 '*exists in GGUF only*' peft-merge -m "$model" -a "$adapter" -t q8_0 -o x/

# the logits before and after
for o in v/ v.safetensors v.gguf; do
	expect 0 '*verify: over 128 positions*' \
	    peft-merge -m "$model" -a "$adapter" --verify -o "$o"
done
echo '{"input_ids":[5,6,7,8],"labels":[5,6,7,8]}' >t.jsonl
expect 0 '*verify: over 4 positions*' peft-merge -m nf4.safetensors -a theirs \
    --verify --tokens t.jsonl -o v2/
expect 1 '*needs -o FILE' peft-merge -m "$model" -a "$adapter" --verify

# and it would see a model that is something else
ok 'the merged model passes' merge-tool look "$model" "$adapter" f32.safetensors
expect 3 '' merge-tool look "$model" "$adapter" "$model"
ok 'the base does not' grep -q '^verify: the logits of the merged model differ' out
expect 3 '' merge-tool look "$model" "$adapter" two.safetensors
expect 3 '' merge-tool look "$model" "$adapter" bf16.safetensors

# a head of its own
tied=$TOP/tests/golden/tiny/model
merge-tool fresh "$tied" '{"peft_type":"LORA","target_modules":["lm_head"],
    "init_lora_weights":false}' head
if grep -q '"tie_word_embeddings": true' "$tied/config.json"; then
	expect 0 '*were one weight and are two now*' \
	    peft-merge -m "$tied" -a head --verify -o untied/
	ok 'both are written' \
	    sh -c '[ $(merge-tool types untied | grep -c -e lm_head -e embed) = 2 ]'
	ok 'and the config says so' \
	    grep -q '"tie_word_embeddings": false' untied/config.json
	ok 'the embedding is as it was' differ "$tied" untied 0
fi
# rows of both: they stay one; and two where something else unties them
tied=$TOP/tests/golden/tied
ok 'tokens do not untie' peft-merge -q -m "$tied/base" \
    -a "$tied/trainable_tokens" --verify -o rows/
ok 'there is one weight' \
    sh -c '[ $(merge-tool types rows | grep -c -e lm_head -e embed) = 1 ]'
merge-tool fresh "$tied/base" '{"peft_type":"LORA","r":2,
    "target_modules":["lm_head"],"init_lora_weights":false}' head2
expect 0 '*were one weight and are two now*' peft-merge -m "$tied/base" \
    -a "$tied/trainable_tokens" -a head2 --verify -o both/

# refusals: every tensor its place, every place its tensor
bad() { rm -rf bad; cp -r "$adapter" bad; chmod -R u+w bad; }
bad; sed -i '/"gate_proj"/d; s/"v_proj",*/"v_proj"/' bad/adapter_config.json
expect 3 '*gate_proj.lora_?.weight fits nothing that the config targets*' \
    peft-merge -m "$model" -a bad -o x/
bad; sed -i 's/"gate_proj"/"gate_proj", "lm_head"/' bad/adapter_config.json
expect 3 '*lm_head.lora_A.weight is missing' peft-merge -m "$model" -a bad -o x/
bad; sed -i 's/"r": 4/"r": 8/' bad/adapter_config.json
expect 3 '*has shape [[]4, *call for [[]8, *' peft-merge -m "$model" -a bad -o x/
bad; sed -i 's/"use_qalora": false/"use_qalora": true/' bad/adapter_config.json
expect 2 '*"use_qalora" is not honoured*' peft-merge -m "$model" -a bad -o x/
bad; sed -i 's/"use_dora"/"use_magic": 1, "use_dora"/' bad/adapter_config.json
expect 2 '*"use_magic" is not honoured*' peft-merge -m "$model" -a bad -o x/
bad; size=$(wc -c <bad/adapter_model.safetensors)
printf '\377\377\377\377' | dd of=bad/adapter_model.safetensors bs=1 \
    seek=$((size - 4)) conv=notrunc 2>/dev/null
expect 4 '*holds NaN or Inf' peft-merge -m "$model" -a bad -o x/
bad; rm bad/adapter_config.json
expect 2 '*' peft-merge -m "$model" -a bad -o x/
expect 2 '*not an adapter*' peft-merge -m "$model" -a "$model" -o x/
expect 2 '*' peft-merge -m "$adapter" -a "$adapter" -o x/
expect 2 '*No such file*' peft-merge -m "$model" -a none -o x/
cut=$(($(wc -c <"$model/model.safetensors") - 1))
mkdir short; cp "$model/config.json" short
head -c "$cut" "$model/model.safetensors" >short/model.safetensors
expect 2 '*short*' peft-merge -m short -a "$adapter" -o x/
ok 'none of them left anything' [ ! -e x ]

# usage
# a pipe is not waited for where the output cannot be written
expect 2 '*: piped exists*' sh -c 'sleep 0.1 | peft-quantize -o piped'
expect 2 '*: piped exists*' sh -c 'sleep 0.1 | peft-merge -m "$1" -a - -o piped' sh "$model"
expect 1 '*-m MODEL is missing' peft-merge -a "$adapter"
expect 1 '*-a ADAPTER is missing' peft-merge -m "$model"
expect 1 '*one argument too many' peft-merge -m "$model" -a "$adapter" more
expect 1 '*' peft-merge --nope
expect 1 '*--tokens is for --verify' \
    peft-merge -m "$model" -a "$adapter" --tokens t.jsonl
expect 1 '*--double-quant is for -t nf4 and fp4' \
    peft-merge -m "$model" -a "$adapter" -t int8 --double-quant -o x/
expect 1 '*--onto and --any-base exclude each other' \
    peft-merge -m "$model" -a "$adapter" --any-base --onto -o x/

# what exists, what is full, who leaves
expect 2 '*exists (-f overwrites it)' peft-merge -m "$model" -a "$adapter" -o dir/
expect 0 '*' peft-merge -f -q -m "$model" -a "$adapter=0.5" -o dir/
expect 0 '*21 of 21*' peft-merge -n -m "$model" -a "$adapter" -o new/
ok 'a dry run writes nothing' [ ! -e new ]
if [ -c /dev/full ]; then
	expect 2 '*standard output*No space left*' \
	    sh -c "peft-merge -q -m '$model' -a '$adapter' >/dev/full"
fi
run sh -c "peft-merge -q -m '$model' -a '$adapter' | head -c 1 >/dev/null"
ok 'a reader that leaves is not complained about' [ ! -s err ]
ok 'no temporary file is left' \
    sh -c '[ -z "$(find . -name ".peft*")" ]'

done_testing
