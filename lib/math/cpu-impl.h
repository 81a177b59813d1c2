/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_CPU_IMPL_H
#define PEFT_MATH_CPU_IMPL_H

/* For cpu.c, gemm.c and lowrank.c only. */

#include "math/blas.h"
#include "math/cpu.h"
#include "math/pool.h"
#include "math/vec.h"

struct peft_cpu {
	const struct peft_vec	*vec;
	struct peft_pool	*pool;
	int			 threads;
	struct peft_blas	 blas;
	char			 describe[256];
};

#endif
