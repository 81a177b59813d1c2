#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Twenty steps of each method, whose losses are those that PEFT had from the
# same adapter (parity/losses_golden.py).
. "$TOP/tests/lib.sh"

golden=$TOP/tests/golden
n=0
for d in "$golden"/losses/*/; do
	name=$(basename "$d")
	run peft-train -q -m "$golden/methods/base" --init "$d" --lr 1e-2 \
	    --steps 20 --batch 4 --no-shuffle --schedule constant --warmup 0 \
	    --log log -f -o trained "$golden/losses/tokens"
	ok "$name: trained" [ "$rc" -eq 0 ]
	sed -n 's/.*"step":.*"loss":\([0-9.e+-]*\),.*/\1/p' log >ours
	ok "$name: twenty losses" [ "$(wc -l <ours)" -eq 20 ]
	paste ours "$d/losses" | awk '{ off = ($1 - $2) / $2
		off = off < 0 ? -off : off
		most = off > most ? off : most
		if (!(off < 1e-4)) bad = 1 }
		END { print most; exit bad || NR != 20 }' >off
	ok "$name: they are PEFT's" [ $? -eq 0 ]
	n=$((n + 1))
done
ok 'eleven methods' [ "$n" -eq 11 ]

done_testing
