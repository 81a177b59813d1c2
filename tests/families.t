#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Families: each small model of golden/families, as transformers and PEFT
# computed it (parity/families.py): logits, loss, gradients, a cache, layers
# computed again; merged; by way of a GGUF and back; and the refusals.
. "$TOP/tests/lib.sh"
. "$TOP/tests/model.sh"

for pack in "$TOP"/tests/golden/families/*.tar.zst; do
	name=$(basename "$pack" .tar.zst)
	mkdir "$name"
	zstd -dqc "$pack" | tar -C "$name" -xf -
	unit model-unit "$name"
	run peft-merge -q -m "$name/model" -a "$name/adapter" -t f32 \
	    -o "$name/merged/"
	ok "$name: merged" [ "$rc" -eq 0 ]
	unit model-unit "$name" "$name/merged" adapter_logits
	rm -rf "$name"
done

done_testing
