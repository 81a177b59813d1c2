/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_NONLINEAR_H
#define PEFT_PEFT_NONLINEAR_H

#include <stddef.h>

#include "peft/setting.h"

/*
 * The functions that the adapters library puts into a bottleneck, by the
 * names that transformers (ACT2FN) and the library have for them: f(x), and,
 * if d is not NULL, its derivative.
 */
typedef float	peft_nonlinear(float x, float *d);

peft_nonlinear	peft_nonlinear_tanh;

int		 peft_set_nonlinear(const struct peft_setting *, const cJSON *,
		    void *, struct peft_err *);	/* peft_nonlinear * */

#endif
