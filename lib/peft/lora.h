/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LORA_H
#define PEFT_PEFT_LORA_H

#include "peft/lowrank.h"

/* What LoRA's files share. */
enum { PEFT_LORA_A, PEFT_LORA_B, PEFT_LORA_BIAS, PEFT_LORA_MAGNITUDE,
	PEFT_LORA_A0, PEFT_LORA_B0,	/* as it began, if the base lacks it */
	PEFT_LORA_HEAD_A, PEFT_LORA_HEAD_B	/* see lora-tied.c */
};

enum peft_lora_start {		/* init_lora_weights */
	PEFT_LORA_FALSE, PEFT_LORA_TRUE, PEFT_LORA_GAUSSIAN,
	PEFT_LORA_ORTHOGONAL, PEFT_LORA_PISSA, PEFT_LORA_OLORA,
	PEFT_LORA_EVA, PEFT_LORA_MICA,
	/* these belong to a base that was changed with them */
	PEFT_LORA_CORDA, PEFT_LORA_LOFTQ, PEFT_LORA_GA, PEFT_LORA_NITER
};

struct peft_lora {
	int64_t		 r;
	double		 alpha, dropout;
	bool		 rslora, bias, dora;
	int		 start;		/* enum peft_lora_start */
	const cJSON	*rank_pattern, *alpha_pattern;	/* of the config */
};

/* lora.c: its config's keys; the module's rank and scale. */
extern const struct peft_setting peft_lora_keys[];
int	peft_lora_scale(const struct peft_lora *, struct peft_module *,
	    struct peft_err *);

/* lora-whole.c: A0 and B0 are what A and B are now, if there are any; and,
 * when it has been trained, a LoRA over the whole base instead. */
void	peft_lora_keep(struct peft_module *);
int	peft_lora_finish(struct peft_adapter *, struct peft_err *);

/* lora-start.c: the first values that are functions of the base, or of each
 * other. */
int	peft_lora_start(struct peft_module *, struct peft_err *);

/* lora-embedding.c; of one id: row[dim] += s B A[:, id], and back, the factors'
 * gradients from dy[dim]. */
void	peft_lora_embedding_row(const struct peft_module *, size_t id, float s,
	    float *row);
void	peft_lora_embedding_row_back(const struct peft_module *, size_t id,
	    float s, const float *dy);
extern const struct peft_hook_ops peft_lora_embedding_hook;
int	peft_lora_embedding_merge(const struct peft_module *, size_t first,
	    size_t n, float weight, float *rows);

/* lora-tied.c: on an embedding that is the head. */
extern const struct peft_twin peft_lora_twins[];
int	peft_lora_tied_shapes(const struct peft_lora *, struct peft_module *,
	    struct peft_shape *, struct peft_err *);
const struct peft_hook_ops *peft_lora_tie(struct peft_module *head,
	    struct peft_err *);

/* dora.c (Liu et al. 2024): y = g (W x + s B A x) + b, g = m / |W + s B A|
 * by rows, where the norm counts as a constant. */
extern const struct peft_hook_ops peft_dora_hook;
const struct peft_hook_ops *peft_dora_hook_for(const struct peft_module *);
int	peft_dora_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
int	peft_dora_merge(const struct peft_module *, size_t first, size_t n,
	    float weight, float *rows);
/* norm[out] = |W + s B A| by rows, given W, which is overwritten. */
void	peft_dora_norms(const struct peft_module *, float *w, float *norm);

/* residual.c: PiSSA (Meng et al. 2024), OLoRA (Buyukakyuz 2024), and what has
 * A0 and B0: the adapter
 * begins as a part of the weight, which the base then lacks, W - s B0 A0.
 * Over the whole base the adapter is s (B A - B0 A0). */
extern const struct peft_hook_ops peft_residual_hook;
int	peft_residual_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
void	peft_residual_merge(const struct peft_module *, size_t first,
	    size_t n, float weight, float *rows);
/* The same for what is not LoRA alone.  Is a module such a one?  Where A0 [r,
 * in] and B0 [out, r] are: its parameters, or `room' of so many floats, for
 * which the base is asked. */
bool	peft_is_residual(const struct peft_module *);
struct peft_residual {
	const float	*a, *b;		/* NULL: it is none */
};
/* That of a module that is prepared; of one with use_dora (dora.c). */
const struct peft_residual *peft_residual_began(const struct peft_module *);
const struct peft_residual *peft_dora_began(const struct peft_module *);
size_t	peft_residual_room(const struct peft_module *);
int	peft_residual_find(const struct peft_module *,
	    const struct peft_rows *base, float *room,
	    struct peft_residual *, struct peft_err *) PEFT_MUSTCHECK;
/* T rows: y -= f s B0 A0 x; dx -= f s A0^T B0^T dy; h [T, r] is scratch. */
void	peft_residual_less(const struct peft_module *, struct peft_cpu *,
	    const struct peft_residual *, float f, size_t T, const float *x,
	    size_t ldx, float *h, float *y, size_t ldy);
void	peft_residual_back(const struct peft_module *, struct peft_cpu *,
	    const struct peft_residual *, float f, size_t T, const float *dy,
	    size_t lddy, float *h, float *dx, size_t lddx);
/* Row i of the weight: row -= f s (B0 A0)_i. */
void	peft_residual_row(const struct peft_module *,
	    const struct peft_residual *, size_t i, float f, float *row);
/* a [r, in], b [out, r] as the method begins, from w [out, in], which is
 * overwritten. */
int	peft_residual_factors(const struct peft_module *, float *w, float *a,
	    float *b, struct peft_err *);

#endif
