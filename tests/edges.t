#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ends of the pipe: a full disk, a reader that leaves, outputs that exist,
# folders that cannot be written, being killed.
. "$TOP/tests/lib.sh"
. "$TOP/tests/fixtures.sh"
peft-tokenize -q -m base -o tokens.jsonl chats.jsonl

for cmd in quantize tokenize train merge eval generate pack inspect; do
	expect 2 '*No space left*' sh -c "peft-$cmd --help >/dev/full"
done
full() { expect 2 '*No space left*' sh -c "$* >/dev/full"; }
full peft-quantize -q base
full peft-tokenize -q -m base chats.jsonl
full peft-train -q -m base --steps 1 tokens.jsonl
full peft-merge -q -m base -a adapter
full peft-eval -q -m base test.jsonl
full peft-generate -q -m base -p hello --max-tokens 4
full peft-pack -c adapter
full peft-inspect base

for c in 'peft-quantize -q base' 'peft-tokenize -q -m base chats.jsonl' \
    'peft-inspect base'; do
	run sh -c "$c | head -c 1 >/dev/null"
	ok "a reader that leaves is not complained about: $c" [ ! -s err ]
done

echo mine >old.gguf; echo mine >old.safetensors; mkdir old; echo mine >old/x
expect 2 '*exists (-f overwrites it)' peft-quantize -q -o old.gguf base
expect 2 '*exists (-f overwrites it)' peft-quantize -q -o old.safetensors base
expect 2 '*exists (-f overwrites it)' peft-quantize -q -o old/ base
expect 2 '*exists (-f overwrites it)' peft-train -q -m base -o old/ tokens.jsonl
ok 'what existed is untouched' [ "$(cat old.gguf old.safetensors old/x | sort -u)" = mine ]
expect 0 '' peft-quantize -q -f -o old.gguf base
expect 0 '' peft-quantize -q -f -o old/ base
ok '-f replaces the whole folder' [ ! -e old/x ]
mkdir -p nest/inner
expect 2 '*not a plain file*' peft-quantize -q -f -o nest/ base
ok 'a folder with folders is not replaced' [ -d nest/inner ]
expect 2 '*' peft-quantize -q -o no/such/place.gguf base

# killed in mid-write: a pipe that never ends keeps it writing
mkdir killed
(peft-quantize base; sleep 5) | head -c 100000 >cut.safetensors
( (cat cut.safetensors; sleep 5) |
    sh -c 'echo $$ >pid; exec peft-quantize -q -o killed/out.safetensors -' ) &
sleep 0.5
kill -9 "$(cat pid)"
wait
ok 'kill -9 leaves nothing behind' [ -z "$(ls -A killed)" ]
expect 2 '*ends early*' sh -c 'peft-quantize -q -o killed/out.safetensors - <cut.safetensors'
ok 'a cut pipe leaves nothing behind' [ -z "$(ls -A killed)" ]

done_testing
