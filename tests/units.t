#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# C tests that need no golden.
. "$TOP/tests/lib.sh"
for t in base-unit rng-unit json-unit file-unit math-unit; do
	run $t
	grep -E '^not ok|^#|^Bail' out | sed 's/^/# /'
	ok "$t" [ "$rc" -eq 0 ]
done
done_testing
