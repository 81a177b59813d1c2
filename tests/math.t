#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Vector kernels, the pool, products; and OpenBLAS, which must be told.
. "$TOP/tests/lib.sh"

unset OPENBLAS_CORETYPE PEFT_CPU
unit vec-unit
unit softmax-unit
unit math-unit
unit panel-unit
unit int8-unit
unit product-unit
unit few-unit
unit low-unit
unit along-unit
unit lowrank-unit "$TOP/tests/golden/lowrank.safetensors"

# what the user says wins; these kernels cannot do small products unpacked,
# so that ours do them
if grep -q '^flags.* avx2 .*' /proc/cpuinfo; then
	unit env OPENBLAS_CORETYPE=Haswell math-unit
	ok 'OPENBLAS_CORETYPE is the one used, and said so' \
	    grep 'Haswell (core type set by OPENBLAS_CORETYPE)' out
	unit env OPENBLAS_CORETYPE=Haswell product-unit
else
	skip 'Haswell kernels' 'no AVX2'
fi

# a lesser path, and one that is none
for p in avx2 ref; do
	[ $p = ref ] || grep -q '^flags.* avx2 .*' /proc/cpuinfo || continue
	unit env PEFT_CPU=$p math-unit
	ok "PEFT_CPU=$p is the one used" grep -q "^# $p kernels" out
done
run env PEFT_CPU=sse9 math-unit
ok 'no such path: which there are' \
    grep "Bail out! PEFT_CPU: this processor has no path 'sse9' (amx, " out

# a library that cannot be opened
echo 'no library' >libopenblas.so.0
run env LD_LIBRARY_PATH=. math-unit
ok 'without OpenBLAS: what to install' \
    grep 'Bail out!.*apt-get install libopenblas0' out
done_testing
