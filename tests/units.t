#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# C tests that need no golden of their own.
. "$TOP/tests/lib.sh"
for t in base-unit rng-unit json-unit file-unit math-unit quant-unit; do
	run $t
	grep '^not ok' out
	ok "$t" [ "$rc" -eq 0 ]
done
done_testing
