/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_VALUES_H
#define PEFT_MODEL_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "data/labels.h"

/*
 * Outputs y [n] that are to have values of their own, want [n]: the mean of
 * their losses in *loss (MULTI: of sigmoids; VALUE: squared differences), and,
 * if train, scale times its gradient in their place.  True: each is on the
 * right side.
 */
bool	peft_row_values(enum peft_problem, float *y, const float *want,
	    size_t n, bool train, float scale, double *loss);

#endif
