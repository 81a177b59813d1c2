#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Adapters of every method that merges, as LoRA of a rank: what is lost is what
# numpy's SVD says must be.  PEERS: an environment with numpy and safetensors.
. "$TOP/tests/lib.sh"
python=${PEERS:+$PEERS/bin/}python3
if ! "$python" -c 'import numpy, safetensors' 2>/dev/null; then
	echo '1..0 # SKIP no numpy: PEERS names an environment with it'
	exit 0
fi
model=$TOP/tests/golden/llama/model
ids='[1,85,91,311,71,79,201,48]'
echo "{\"input_ids\":$ids,\"labels\":$ids}" >ids.tok
# as METHOD OPTION...
as() {
	peft-train -q -f -m "$model" --method "$@" --lr 5e-2 --steps 4 \
	    -o from/ ids.tok || return
	peft-merge -q -f -m "$model" -a from -o merged/
	run peft-merge -f -v -m "$model" -a from --as-lora 3 -o to/
	cp err told
	ok "$*: what is lost of it" "$python" "$TOP/tests/parity/svd.py" \
	    "$model" merged 3 told to
	cat ok.log
}
as lora --rank 4
as lora --rank 4 --rslora
as lora --rank 4 --set use_dora=true
as lora --rank 4 --set init_lora_weights=pissa
as lora --rank 4 --set init_lora_weights=olora
as adalora --set total_step=4 --set tinit=0 --set tfinal=0
as vblora --set vector_length=32 --set num_vectors=16
as c3a --set block_size=32
as shira --set r=4
as road --set group_size=32
for m in loha lokr hra oft boft ia3 vera randlora fourierft hira delora miss; do
	as $m
done
done_testing
