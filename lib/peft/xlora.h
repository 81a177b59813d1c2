/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_XLORA_H
#define PEFT_PEFT_XLORA_H

#include "peft/method.h"

/*
 * X-LoRA (Buehler and Buehler 2024): LoRA adapters (experts, frozen), each of
 * which acts on a token as much as a classifier says, by what the last layer
 * makes of the token in a pass before, where all act as much as
 * scaling_pass_value says.
 */
enum { PEFT_XLORA_DEPTH = PEFT_MAXPART / 2,	/* layers, at most, */
	PEFT_XLORA_MOST = 64 };			/* experts */

struct peft_xlora {
	int64_t	depth, size, hidden;
	int64_t	top;			/* experts that act; 0: all */
	size_t	n;			/* experts */
	double	temperature, pass, weight, dropout;
	bool	softmax, softmax_top;	/* over all; over those that act */
	bool	layerwise, trainable;
	char	names[PEFT_MAXPART][64];	/* of its tensors */
};

/* xlora-experts.c: the config's `adapters', opened; their paths in it become
 * those where they were found. */
int	peft_xlora_gather(struct peft_adapter *, const struct peft_sites *,
	    const char *home, struct peft_err *);
/* The i-th expert's module of that path, or NULL. */
struct peft_module *peft_xlora_module(const struct peft_adapter *, size_t i,
	    const char *path);

/* xlora-classifier.c: param[2 i] and param[2 i + 1] of the common module are
 * the weight and the bias of its i-th layer. */
int	peft_xlora_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
int	peft_xlora_attach(struct peft_module *, struct peft_sites *, int index,
	    struct peft_err *);
/* How much each expert acts on a row of the micro-batch at the module that is
 * the k-th of them, [n]; and where the gradient of that is added (NULL:
 * nowhere). */
const float *peft_xlora_scales(const struct peft_module *common, size_t k,
	    size_t row, float **grad);

#endif
