#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target takes every file of its corpus: the valid seeds, and what
# once was a bug.
. "$TOP/tests/lib.sh"
fuzz=$TOP/tests/fuzz

for src in "$fuzz"/fuzz-*.c; do
	t=$(basename "$src" .c)
	run "$t" "$fuzz/corpus/$t"
	ok "$t survives its corpus" [ "$rc" -eq 0 ]
	[ "$rc" -eq 0 ] || echo "# last: $(tail -n 1 out)"
	sort -k 2 out >given
	find "$fuzz/corpus/$t" -type f -exec wc -c {} \; | sort -k 2 >there
	ok "$t was given every byte of each" diff given there
	: >nothing
	expect 0 '' "$t" nothing
done
for c in "$fuzz"/corpus/*; do
	ok "$(basename "$c") has a target" [ -f "$fuzz/$(basename "$c").c" ]
done

# The replaying itself is not silent about what it cannot replay.
mkdir empty
expect 2 '*an empty corpus' "$t" empty
expect 2 '*missing*' "$t" missing
expect 1 'expected: *' "$t"

done_testing
