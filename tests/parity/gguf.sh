#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# llama.cpp computes what transformers does over the GGUF files that we write
# of golden/families; and a mixture of experts is quantised as llama.cpp
# quantises it.  PEERS= names a virtual environment with llama-cpp-python.
. "$TOP/tests/lib.sh"
"${PEERS:-}/bin/python" -c 'import llama_cpp' 2>/dev/null ||
    { echo "1..0 # SKIP no llama-cpp-python in PEERS=${PEERS:-}"; exit 0; }
# What llama.cpp has otherwise: no window in the architectures llama and phi3;
# Gemma 2's scale of attention by its size alone; norms of Command-R's queries
# from 64 layers on; OLMoE's of as many keys as queries.
for f in "$TOP"/tests/golden/families/*.tar.zst; do
	name=$(basename "$f" .tar.zst)
	case $name in cohere|gemma2|mistral|olmoe|phi3) continue ;; esac
	mkdir "$name"
	zstd -dqc "$f" | tar -C "$name" -xf -
	run peft-quantize -q -t f32 -o "$name.gguf" "$name/model"
	if [ "$rc" -ne 0 ]; then
		skip "$name" "$(sed 's/^peft-quantize: //;s/(known.*//' err)"
		continue
	fi
	run "$PEERS/bin/python" "$TOP/tests/parity/families_llamacpp.py" "$name"
	ok "$(sed 's/^[a-z]* //' out)" grep -q '^ok ' out
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
