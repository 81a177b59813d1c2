/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_CPU_IMPL_H
#define PEFT_MATH_CPU_IMPL_H

/* For cpu.c, gemm.c, lapack.c, lowrank.c and profile.c only. */

#include "math/blas.h"
#include "math/cpu.h"
#include "math/int8.h"
#include "math/panel.h"
#include "math/pool.h"
#include "math/vec.h"

/* A processor path, with the OpenBLAS core type that fits. */
struct peft_path {
	const char			*name;
	bool				 here;
	bool				 by_name; /* taken if asked for */
	const struct peft_vec		*vec;
	const struct peft_panel_f32	*f32;
	const struct peft_panel_bf16	*bf16;	/* NULL: none */
	const struct peft_panel_int8	*int8;
	const char			*core;
};

struct peft_cpu {
	struct peft_path	 path;
	enum peft_compute	 compute;
	enum peft_order_of_sums	 sums;
	struct peft_pool	*pool;
	int			 threads;
	struct peft_blas	 blas;
	char			 describe[288];
	double			 work;		/* operations so far */
	struct peft_profile	*profile;	/* NULL: none is kept */
};

/* BLAS alone, for who has no cpu open; with the core type that one would open
 * it with, since it chooses its kernels once. */
int	peft_cpu_blas(struct peft_blas *, struct peft_err *) PEFT_MUSTCHECK;

#endif
