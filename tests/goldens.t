#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The large goldens, when ../shared is there, and the real model (PEFT_MODEL).
. "$TOP/tests/lib.sh"
shared=${PEFT_SHARED:-$TOP/../shared}
[ -d "$shared/golden" ] || { echo '1..0 # SKIP no goldens here'; exit 0; }
model=${PEFT_MODEL:-$TOP/build/demo/SmolLM2-135M-Instruct.Q4_1.gguf}
sub() { run "$@"; grep -E '^(not )?ok|^#' out | sed 's/^/# /'; ok "$*" [ "$rc" -eq 0 ]; }

for f in llama llama_tied_rope3; do
	sub model-unit "$shared/golden/models/$f"
done
for t in smollm2 llama3_1 gemma3; do
	zstd -dqc "$shared/tokenizers/$t/tokenizer.json.zst" >tok.json
	zstd -dqc "$shared/golden/text/$t.jsonl.zst" | grep -v '\\u0000' >text
	sub sh -c 'tokenizer-unit tok.json <text'
done
for t in llama3_1 qwen3 gemma3 smollm2; do
	c=$shared/tokenizers/$t/tokenizer_config.json j=$c
	[ ! -f "$shared/tokenizers/$t/chat_template.jinja" ] || j=$shared/tokenizers/$t/chat_template.jinja
	zstd -dqc "$shared/golden/text/$t.jsonl.zst" >text
	sub sh -c "template-unit '$j' '$c' <text"
done
if [ -f "$model" ]; then
	g=$shared/golden/train
	peft-tokenize -q -m "$model" "$g/train.jsonl" | grep -v '"peft"' >got
	jq -c . "$g/tokens.jsonl" >want
	ok 'the records are transformers'\''' cmp got want
	expect 0 '' peft-train -q -m "$model" --init "$g/init" --compute f32 --lr 1e-3 \
	    --schedule cosine --warmup 2 --weight-decay 0.01 --batch 4 --epochs 1 \
	    --no-shuffle --log steps.jsonl -o out/ "$g/tokens.jsonl"
	grep '"loss"' steps.jsonl | jq -s --slurpfile w "$g/steps.jsonl" -e '
	    length == 20 and all(range(20) as $i | .[$i] as $a | $w[$i] as $b |
	    (($a.loss / $b.loss - 1) | fabs) < 1e-3 and
	    (($a.grad_norm / $b.grad_norm - 1) | fabs) < 1e-2 and
	    ($a.lr - $b.lr | fabs) < 1e-12 and $a.tokens == $b.tokens; .)' >verdict
	ok 'twenty steps are PEFT'\''s: loss 1e-3, gradient norm 1e-2' grep -q true verdict
	peft-eval -q -m "$model" -a out --summary "$g/test.jsonl" >sum
	ok 'test loss before and after within 5e-3' jq -s -e --slurpfile w "$g/summary.json" '
	    (.[0].summary.loss - $w[0].test_loss_before | fabs) < 5e-3 and
	    (.[1].summary.loss - $w[0].test_loss_after | fabs) < 5e-3' sum
	head -n 4 "$g/test.jsonl" >four
	for p in 'base answers_before' 'out answers_after'; do
		jq -c ". + {adapter: \"${p% *}\"}" four |
		    peft-generate -q -m "$model" -a out --jsonl --max-tokens 24 | jq -c .text >got
		jq -c ".${p#* }[].text | sub(\"<[|]im_end[|]>\$\"; \"\")" "$g/summary.json" >want
		ok "greedy answers of ${p% *}, token for token" cmp got want
	done
fi

done_testing
