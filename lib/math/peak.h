/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PEAK_H
#define PEFT_MATH_PEAK_H

#include "base/err.h"
#include "math/cpu.h"

/*
 * What this machine can do at most, measured on all threads of the cpu in
 * some hundredths of a second: products and sums from registers to registers
 * (of the path, and of the compute type, that are in use), and reading
 * memory.  On a machine that others use, too, it is what they left.
 */
double	peft_peak_products(struct peft_cpu *);		/* operations a
							 * second */
/* Bytes a second, or -1 (no memory to read). */
double	peft_peak_memory(struct peft_cpu *, struct peft_err *);

#endif
