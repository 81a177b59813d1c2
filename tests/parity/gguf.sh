#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# llama.cpp computes what transformers does over the GGUF files that we write
# of golden/families; and a mixture of experts is quantised as llama.cpp
# quantises it.  PEERS= names a virtual environment with llama-cpp-python.
. "$TOP/tests/lib.sh"
"${PEERS:-}/bin/python" -c 'import llama_cpp' 2>/dev/null ||
    { echo "1..0 # SKIP no llama-cpp-python in PEERS=${PEERS:-}"; exit 0; }
# agrees NAME: its folder's GGUF, in llama.cpp as in transformers
agrees() {
	run peft-quantize -q -t f32 -o "$1.gguf" "$1/model"
	if [ "$rc" -ne 0 ]; then
		skip "$1" "$(sed 's/^peft-quantize: //;s/(known.*//' err)"
		return
	fi
	agrees_file "$1"
}
# in 16 bits but for what llama.cpp wants in f32: routers, positions, norms
agrees_half() {
	run peft-quantize -q -f -t f16 -o "$1.gguf" "$1/model"
	agrees_file --half "$1"
}
agrees_file() {
	run "$PEERS/bin/python" "$TOP/tests/parity/families_llamacpp.py" "$@"
	ok "$(sed 's/^[a-z]* //' out)" grep -q '^ok ' out
}
# What is not told in a file llama.cpp has as published models do: these have
# the settings of such, or else it has no window in the architectures llama
# and phi3; Gemma 2's scale of attention by its size alone; norms of
# Command-R's queries from 64 layers on; OLMoE's of as many keys as queries.
published="cohere cohere2 cohere_norms deepseek_v2 deepseek_v2_plain exaone4 gemma2 gemma3
    gpt_oss mistral olmoe phi phi3 qwen3_moe smollm3 yarn_factor"
mkdir published
# shellcheck disable=SC2086
(cd published && "$PEERS/bin/python" "$TOP/tests/parity/gguf_models.py" \
    $published) >/dev/null 2>&1
for name in $published; do
	mv "published/$name" .
	agrees "$name"
	[ -f "$name.gguf" ] || ok "$name is no GGUF" false
	case $name in deepseek_v2*)	# with kv_b_proj in two parts
		"$PEERS/bin/python" "$TOP/tests/parity/kv_b_parts.py" \
		    "$name.gguf" parts.gguf
		mv parts.gguf "$name.gguf"
		agrees_file "$name" ;;
	esac
	case $name in cohere_norms|olmoe) agrees_half "$name" ;; esac
	rm -r "$name" "$name.gguf"
done
for f in "$TOP"/tests/golden/families/*.tar.zst; do
	name=$(basename "$f" .tar.zst)
	case $name in cohere|gemma2|gpt_oss|mistral|olmoe|phi3) continue ;; esac
	mkdir "$name"
	zstd -dqc "$f" | tar -C "$name" -xf -
	agrees "$name"
	case $name in gpt2|mixtral)
		agrees_half "$name"
		peft-quantize -q -f -t f32 -o "$name.gguf" "$name/model" ;;
	esac
done
perl -0777 -ne 'my $n = unpack "Q<"; my ($at) = substr($_, 8, $n) =~
	/"input_ids":\{[^}]*"data_offsets":\[(\d+)/;
	my $i = join ",", unpack "q<14", substr $_, 8 + $n + $at;
	print "{\"input_ids\":[$i],\"labels\":[$i]}\n"' \
    mixtral/golden.safetensors >moe.tok
peft-eval -q -m mixtral/model --summary --imatrix moe.gguf moe.tok >/dev/null
run "$PEERS/bin/python" "$TOP/tests/parity/experts.py" mixtral.gguf moe.gguf \
    mixtral/model
grep -e '^ok ' -e '^bad ' out >said
while read -r verdict what; do
	ok "experts: $what" [ "$verdict" = ok ]
done <said
ok 'and there were all' [ "$(wc -l <said)" -ge 15 ]
done_testing
