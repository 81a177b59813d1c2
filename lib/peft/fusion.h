/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_FUSION_H
#define PEFT_PEFT_FUSION_H

#include "peft/bottleneck.h"

/*
 * AdapterFusion (Pfeiffer et al. 2021) as the adapters library has it: where a
 * branch joins the stream, what several bottlenecks U_i of one input say is
 * weighted by an attention over them and added,
 *
 *	p = softmax_i(q . k_i), q = Wq z + bq, k_i = Wk U_i(z) + bk
 *	Wv sum_i p_i U_i(z) + residual			W [D, D]
 *
 * It takes the place of those that act before it under the same number: a
 * combination A, B, FUSION.  Trained are the W and b alone.
 */
enum { PEFT_FUSION_MOST = 16 };
enum { PEFT_FUSION_Q, PEFT_FUSION_Q_BIAS, PEFT_FUSION_K, PEFT_FUSION_K_BIAS,
	PEFT_FUSION_V };

struct peft_fusion {
	bool	query, key, value;
	bool	query_is_branch;	/* query_before_ln */
	bool	residual_first;		/* residual_before */
	bool	regular;		/* regularization */
	bool	near_one;		/* value_initialized */
	double	dropout;
	size_t	n;			/* adapter_names; 0: not said */
};

/* A module's state. */
struct peft_fused {
	size_t			 n;
	struct peft_module	*member[PEFT_FUSION_MOST];
};

/* fusion-hook.c */
extern const struct peft_hook_ops peft_fusion_hook;

#endif
