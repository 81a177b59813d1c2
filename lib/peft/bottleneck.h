/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_BOTTLENECK_H
#define PEFT_PEFT_BOTTLENECK_H

#include "peft/hub.h"
#include "peft/nonlinear.h"

/*
 * Bottleneck adapters as the adapters library has them (Houlsby et al. 2019;
 * Pfeiffer et al. 2020; He et al. 2021; Compacter, Mahabadi et al. 2021).
 * Where a branch f joins the stream x, with D = hidden and k = D / factor,
 *
 *	A(z) = s (U act(V z + v) + u)		V [k, D], U [D, k]
 *
 * of z = f (double_seq_bn), f + x (seq_bn) or x (parallel) is added; with
 * norms before and behind, a gate, and the residuals that the config says.
 */
enum {
	PEFT_BN_DOWN, PEFT_BN_DOWN_BIAS, PEFT_BN_UP, PEFT_BN_UP_BIAS,
	PEFT_BN_SCALING,		/* [1] or [D] */
	PEFT_BN_BEFORE, PEFT_BN_BEFORE_BIAS,	/* norms [D] */
	PEFT_BN_AFTER, PEFT_BN_AFTER_BIAS,
	PEFT_BN_GATE, PEFT_BN_GATE_BIAS,	/* [1, D], [1] */
	/* Compacter: DOWN and UP are left factors, or whole */
	PEFT_BN_DOWN_RIGHT, PEFT_BN_UP_RIGHT,
	PEFT_BN_DOWN_RULE, PEFT_BN_DOWN_RULE_RIGHT,
	PEFT_BN_UP_RULE, PEFT_BN_UP_RULE_RIGHT
};
enum { PEFT_BN_WIDTH };			/* own[]: k */

enum peft_bn_scaling { PEFT_BN_NUMBER, PEFT_BN_LEARNED, PEFT_BN_CHANNEL };
enum peft_bn_start { PEFT_BN_BERT = 2, PEFT_BN_MAM, PEFT_BN_HOULSBY };

struct peft_bn {
	bool	mh, output;		/* behind attention, behind the MLP */
	bool	parallel, gating;
	bool	before, after;		/* norms of its own */
	bool	with_stream;		/* original_ln_before: z = f + x */
	bool	keep_stream;		/* original_ln_after: + x */
	bool	residual_is_branch;	/* residual_before_ln: f, else z */
	bool	residual_in_norm;	/* adapter_residual_before_ln */
	enum peft_bn_scaling scaling;
	int	start, rule;		/* words: enum peft_bn_start */
	double	scale, dropout, depth;
	peft_nonlinear *act;
	double	factor;
	const cJSON *factors;		/* by layers, or NULL */
	const cJSON *leave_out;
	/* Compacter */
	bool	phm, shared_rule, factorized_rule, learn_rule, uniform_rule;
	bool	shared_w, factorized_w, phm_bias;
	int64_t	phm_dim, phm_rank;
	double	phm_range;
};

/* bottleneck-config.c */
extern const struct peft_setting peft_bn_keys[];
int	peft_bn_check(const cJSON *config, void *settings,
	    struct peft_err *) PEFT_MUSTCHECK;
/* k of a layer, given D. */
int	peft_bn_width(const struct peft_bn *, int layer, size_t hidden,
	    size_t *width, struct peft_err *) PEFT_MUSTCHECK;

/* phm.c: what Compacter has instead of V and U: shapes of its parts of a
 * site, of all sites; V and U [out, in] from them, and back. */
int	peft_phm_shapes(const struct peft_bn *, struct peft_module *,
	    struct peft_shape *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_phm_common(const void *settings, struct peft_module *,
	    struct peft_shape *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_phm_init(const struct peft_bn *, const struct peft_module *,
	    int part, struct peft_rng, float *value, size_t n);
void	peft_phm_make(const struct peft_module *, bool up, float *dense);
void	peft_phm_back(const struct peft_module *, bool up, const float *grad);

/* The module's state: V [k, D] and U [D, k], parameters or made of them; and
 * their gradients. */
struct peft_bn_dense {
	const float	*down, *up;
	float		*gdown, *gup;	/* NULL: not trained */
	float		 data[];
};

size_t	peft_bn_memory(const void *);
void	peft_bn_begin(void *, struct peft_cpu *, float *product);
void	peft_bn_end(void *, struct peft_cpu *);

/* bottleneck-hook.c */
extern const struct peft_hook_ops peft_bn_hook;
/* y [T, D] = s (U act(V z + v) + u) of z [T, D], with room for the hook's
 * saved and scratch in the call; of one that is not parallel. */
void	peft_bn_up(const struct peft_module *, const struct peft_hook_call *,
	    const float *z, float *y);
/* dz += the gradient of z, given that of y. */
void	peft_bn_up_back(const struct peft_module *,
	    const struct peft_hook_call *, const float *z, const float *dy,
	    float *dz);

#endif
