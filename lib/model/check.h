/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_CHECK_H
#define PEFT_MODEL_CHECK_H

#include "base/err.h"
#include "tensor/source.h"

/*
 * For those that copy weights without running the model: has the source all
 * weights that its config.json calls for, of the right shapes, and no others?
 * Weights are not touched.  Nothing is claimed of a source without a
 * config.json, of an adapter, and of a family or a setting that the toolkit
 * does not run, but that the sizes in its config.json are sizes and none of
 * them is missing.
 */
int	peft_model_check(const struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
