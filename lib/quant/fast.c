/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the simple encoders. */

#include "quant/fast.h"

/* Who has AVX2 and FMA has F16C too, for which clang has no name. */
const struct peft_fast *
peft_fast(void)
{
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"))
		return &peft_fast_avx512;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &peft_fast_avx2;
	return &peft_fast_ref;
}
