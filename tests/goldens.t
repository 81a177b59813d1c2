#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The large goldens, when ../shared is there, and the real model.
. "$TOP/tests/lib.sh"
. "$TOP/tests/model.sh"
[ -d "$shared/golden" ] || { echo '1..0 # SKIP no goldens here'; exit 0; }
sub() { run "$@"; grep -E '^(not )?ok|^#' out | sed 's/^/# /'; ok "$*" [ "$rc" -eq 0 ]; }

for f in llama llama_tied_rope3; do
	sub model-unit "$shared/golden/models/$f"
done
for t in smollm2 llama3_1 gemma3; do
	zstd -dqc "$shared/tokenizers/$t/tokenizer.json.zst" >tok.json
	zstd -dqc "$shared/golden/text/$t.jsonl.zst" >text
	sub sh -c 'tokenizer-unit tok.json <text'
done
for t in llama3_1 qwen3 gemma3 smollm2; do
	c=$shared/tokenizers/$t/tokenizer_config.json j=$c
	[ ! -f "$shared/tokenizers/$t/chat_template.jinja" ] || j=$shared/tokenizers/$t/chat_template.jinja
	zstd -dqc "$shared/golden/text/$t.jsonl.zst" >text
	sub sh -c "template-unit '$j' '$c' <text"
done
# Half a minute; make parity runs it too.
if [ -f "$model" ]; then
	sub sh "$TOP/tests/parity/train.sh"
else
	ok "twenty steps are PEFT's # SKIP no $model" true
fi

done_testing
