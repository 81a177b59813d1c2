/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PEAK_IMPL_H
#define PEFT_MATH_PEAK_IMPL_H

/* For peak.c and peak-int8.c only. */

#include "math/cpu.h"
#include "math/int8.h"

enum { PEFT_SPIN_TIMES = 1 << 16 };

/* From registers to registers; what is left goes to sink[16], so that it
 * must be computed. */
struct peft_spin {
	void	(*fn)(float *sink);
	double	 work;			/* operations of one call */
};

/* fn NULL: none for these kernels. */
struct peft_spin	peft_spin_int8(const struct peft_panel_int8 *);

#endif
