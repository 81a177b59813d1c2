/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_OPTIMISER_H
#define PEFT_TRAIN_OPTIMISER_H

#include <stddef.h>

#include "math/vec.h"
#include "peft/adapter.h"

/*
 * Optimisers: one row of a table each.  An optimiser keeps up to
 * PEFT_OPTPARTS arrays of f32 beside each tensor, zero at first.
 */
enum { PEFT_OPTPARTS = 3 };

/* What a step is made with; lr is this step's and this tensor's. */
struct peft_optstep {
	const struct peft_vec *vec;
	size_t	 t;			/* counted from 1, skipped ones not */
	double	 lr, beta1, beta2, eps, decay;
	float	 gscale;		/* multiplies the gradient (clipping) */
	double	 mix;			/* share of the newest in an average */
};

struct peft_optimiser {
	const char	*name;
	double		 beta1, beta2, eps;	/* when not asked otherwise */
	const char	*part[PEFT_OPTPARTS];	/* names; NULL: not used */
	/* Its floats for a tensor; NULL: as many as the tensor has. */
	size_t		(*floats)(const struct peft_param *, int part);
	/* Are these no floats, but codes of a byte, four to one?  NULL: no. */
	bool		(*coded)(const struct peft_param *, int part);
	/* First values, where zeros will not do; NULL: zeros. */
	void		(*start)(const struct peft_param *,
			    float *const state[]);
	void		(*step)(const struct peft_optstep *,
			    struct peft_param *, float *const state[]);
	/* The part that holds the values to be used, when they are not those
	 * that are trained; else -1. */
	int		 shown;
};

size_t	peft_optimiser_floats(const struct peft_optimiser *,
	    const struct peft_param *, int part);
/* By name, or NULL. */
const struct peft_optimiser *peft_optimiser_find(const char *name);
extern const char *const peft_optimiser_names[];	/* ends with NULL */

/* AdamW (Loshchilov & Hutter 2019), as torch has it. */
extern const struct peft_optimiser peft_adamw;
/* The same with both moments in 8 bits, blocks of 256, as bitsandbytes has it
 * (Dettmers et al. 2022); tensors below 4096 values keep f32. */
extern const struct peft_optimiser peft_adamw8bit;
/* SGD with momentum beta1, as torch has it (dampening 0). */
extern const struct peft_optimiser peft_sgd;
/* Lion (Chen et al. 2023). */
extern const struct peft_optimiser peft_lion;
/* Adafactor (Shazeer & Stern 2018) with a given rate, as transformers has it
 * with scale_parameter and relative_step off. */
extern const struct peft_optimiser peft_adafactor;
/* Schedule-free AdamW (Defazio et al. 2024): z is moved, x is the average
 * that is used, and the gradient is taken between them. */
extern const struct peft_optimiser peft_schedulefree;

#endif
