/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_ADALORA_H
#define PEFT_PEFT_ADALORA_H

#include "peft/lora.h"

enum { PEFT_ADA_A, PEFT_ADA_B, PEFT_ADA_E };

struct peft_adalora {
	struct peft_lora lora;			/* first: its keys are read */
	int64_t		 init_r, target_r;
	int64_t		 tinit, tfinal, every, total;	/* steps; deltaT */
	double		 beta1, beta2;
	double		 orthogonal;		/* weight of the penalty */
	bool		 random;
	const cJSON	*ranks;			/* rank_pattern */
};

/* adalora-budget.c (section 3 of the paper, PEFT's RankAllocator):
 *
 * orthogonal times the mean, over all A and B, of |A A^T - I| and
 * |B^T B - I| (Frobenius). */
double	peft_adalora_penalty(struct peft_adapter *);
/* Importances after a step; what is over the budget gets E = 0. */
void	peft_adalora_stepped(struct peft_adapter *, size_t step,
	    double gscale);
/* The importances, which a checkpoint holds. */
float	*peft_adalora_kept(struct peft_adapter *, int i, const char **name);
/* Take out what the last mask left at 0, and say so in rank_pattern. */
int	peft_adalora_finish(struct peft_adapter *, struct peft_err *);

#endif
