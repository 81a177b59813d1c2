/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_SITE_H
#define PEFT_MODEL_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "math/cpu.h"
#include "model/config.h"
#include "tensor/source.h"

/*
 * The modules of a model, where adapters attach; and the interface between
 * the two.  The model knows nothing of adapter methods: a method puts hooks
 * on sites, and the model calls them.
 */
enum peft_site_kind {
	PEFT_LINEAR, PEFT_EMBEDDING, PEFT_HEAD, PEFT_NORM,
	PEFT_POSITION,		/* an embedding of positions */
	PEFT_EXPERT,		/* a linear that some tokens pass */
	PEFT_ATTENTION,		/* a whole attention, before its o_proj */
	PEFT_STACK,		/* one weight of all experts of a layer */
	PEFT_JOIN		/* where a branch is added to the stream */
};

/* A stretch of the rows of a micro-batch that use one adapter. */
struct peft_rows_range {
	size_t	first, n;
};

/* What a hook is called with.  x is [T, in], y and dy [T, out]. */
struct peft_hook_call {
	struct peft_cpu	*cpu;
	size_t		 T;		/* rows of this call */
	const uint64_t	*ident;		/* [T] what names a row: its record and
					 * position, however steps are split */
	const float	*x;
	size_t		 ldx;
	const int32_t	*ids;		/* [T] the tokens; -1: a virtual one
					 * (at the embedding, where x
					 * is NULL, and at joins) */
	float		*saved;		/* what forward left for backward */
	float		*scratch;
	float		*product;	/* scratch for products of the site's
					 * shape (quant/product.h) */
	bool		 train;		/* backward will follow */
	struct peft_call_halves {
		const uint16_t *x, *dy;
	} halves;			/* backward: x and dy in bf16 instead,
					 * if thin() said `alone'; or NULL */
	float		*hidden;	/* h, or dh, of thin() below, if it is
					 * there already; y, or dx, has what
					 * is due to it then */
	uint64_t	 step;	/* with site and ident: key of dropout */
	int		 task;		/* of the rows; -1: none is named */
	size_t		 expert;	/* of a stack, whose rows these are */
	size_t		 first;		/* at a linear layer: of these among
					 * the micro-batch's rows */
	bool		 scouting;	/* see struct peft_scout */
	float		*dbranch;	/* backward at a join, [T, out] */
};

/*
 * What adapters of low rank add to a linear's output: s h B^T, h = x A^T
 * [T, r]; backward dh = s dy B, and dh A is due to dx.
 */
struct peft_thin {
	size_t		 r, in, out;
	const float	*a, *b;		/* [r, in], [out, r] */
	float		 scale;		/* s */
	bool		 alone;		/* forward adds no more than this, and
					 * backward may be given halves */
};

/*
 * Places: what an adapter adds to the output (forward, backward), what it
 * makes of the output (forward and output_back), what the product sees
 * instead of its input (input, input_back), and the vectors of a norm
 * (vector).  Any may be NULL.  At an attention x is
 * the rotated queries and y what o_proj will see; nothing is saved there.  A
 * stack is called once an expert that has visitors, forward and backward only.
 *
 * At a join (of attention, of the MLP) x is the stream before the branch and
 * y what the branch adds to it, which forward may change: at most one hook an
 * adapter.  Its backward finds the gradient of what is added in dbranch,
 * which it makes that of what it found there; dx += .. is that of the stream.
 */
struct peft_hook_ops {
	/* Bytes that are kept as long as the adapter is attached. */
	size_t	(*memory)(const void *self);
	/* At a linear: do passes look at its weight as it is stored? */
	bool	(*reads)(const void *self);	/* or peft_hook_always */
	/* Before the passes over a micro-batch, and after its backward: what
	 * is a function of the parameters alone.  product: scratch for
	 * peft_product_forward() with any of the model's weights, for as many
	 * tokens as a batch has, or as `rows' says.  (cpu NULL: for a
	 * merge.) */
	void	(*begin)(void *self, struct peft_cpu *, float *product);
	size_t	(*rows)(const void *self);
	void	(*end)(void *self, struct peft_cpu *);
	/* Floats between forward and backward (linear in T), and floats of
	 * passing scratch, for T tokens. */
	size_t	(*saved)(const void *self, size_t T);
	size_t	(*scratch)(const void *self, size_t T);
	/* y += adapter(x) */
	void	(*forward)(void *self, const struct peft_hook_call *, float *y,
		    size_t ldy);
	/* gradients of the parameters += ..; dx += .. (dx may be NULL: the
	 * input needs none) */
	void	(*backward)(void *self, const struct peft_hook_call *,
		    const float *dy, size_t lddy, float *dx, size_t lddx);
	/* Is what forward adds just this, so that it, dh and what is due to
	 * dx may be computed with the weight's product, in one walk over x?
	 * Then h is what begins in `saved'.  (call NULL: ever?) */
	bool	(*thin)(const void *self, const struct peft_hook_call *,
		    struct peft_thin *);
	/* The gradient of the output becomes, in place, that of what forward
	 * found there; before backward, which sees the new one. */
	void	(*output_back)(void *self, const struct peft_hook_call *,
		    float *dy, size_t lddy);
	/* At an attention, whose backward looks at what it made itself: y is
	 * again what forward found there. */
	void	(*undo)(void *self, const struct peft_hook_call *, float *y,
		    size_t ldy);
	/* y [T, in] = what the base multiplies instead of x; dx += .. */
	void	(*input)(void *self, const struct peft_hook_call *, float *y,
		    size_t ldy);
	void	(*input_back)(void *self, const struct peft_hook_call *,
		    const float *dy, size_t lddy, float *dx, size_t lddx);
	/* At an attention, x being what the projections see: what virtual
	 * tokens' keys and values in their rows y (and queries) become; back,
	 * from these, in place dy, and dx +=. */
	void	(*keys)(void *self, const struct peft_hook_call *, float *y,
		    size_t ldy);
	void	(*keys_back)(void *self, const struct peft_hook_call *,
		    const float *y, float *dy, size_t ldy, float *dx,
		    size_t lddx);
	/* What a norm multiplies with, or its bias if it has one, for the
	 * adapter's rows, and where the gradient is added (NULL: nowhere). */
	const float *(*vector)(void *self, bool bias, float **grad);
};

bool	peft_hook_always(const void *self);

struct peft_hook {
	const struct peft_hook_ops *ops;
	void		*self;
	int		 adapter;	/* its number among the attached ones */
	struct peft_hook *next;		/* on the same site */
};

struct peft_site {
	const char	*path;		/* "model.layers.0.self_attn.q_proj" */
	const char	*stem;		/* the path, or without its first part,
					 * as the source's names have it */
	enum peft_site_kind kind;
	int		 layer;		/* -1: outside the layers */
	int		 slot;		/* enum peft_slot; PEFT_NMODULE: of an
					 * expert */
	bool		 transposed;	/* the weight is stored [in, out] */
	size_t		 in, out;	/* features; embedding: vocab, dim */
	size_t		 heads;		/* that a norm has such a weight for,
					 * each; 0: one for all */
	size_t		 weight;	/* index of path.weight in the source,
					 * SIZE_MAX: tied, has none */
	size_t		 bias;		/* SIZE_MAX: none */
	size_t		 sinks;		/* of an attention: SIZE_MAX: none */
	/* of a net that is loaded, else NULL: */
	const struct peft_weight *w;
	const float	*b;		/* [out] */
	const float	*norm;		/* [in] what a norm multiplies with */
	float		 more;		/* it is the weight and this */
	/* of a stack: its experts, and the first of their linears */
	size_t		 experts;
	const struct peft_site *part;
	bool		 turns;		/* PEFT's outputs are the gate's and
					 * up's in turns; here and in parts,
					 * first all of the gate's */
	bool		 fresh;		/* a head that the model has not: of
					 * zeros, until adapters bring one */
	struct peft_hook *hooks;	/* in order of attachment */
};

/*
 * Virtual tokens that stand before each sequence of an adapter: either rows
 * of the embedding, or, at each layer, keys and values (the residual stream
 * of such a token is then zero and means nothing).
 */
struct peft_virtual {
	int		 adapter;
	size_t		 n;
	size_t		 tasks;		/* above 1: as many of embed and
					 * dembed, one behind the other */
	const float	*embed;		/* [n, hidden]; NULL: zero */
	float		*dembed;	/* NULL: not trained */
	const float	*kv;		/* [n, layers, 2, K] */
	float		*dkv;
	bool		 still;		/* the sequence's positions begin at 0
					 * all the same */
	/* What training wants these predicted as, [n] tokens or PEFT_IGNORE,
	 * and what of that counts in the loss; NULL: nothing. */
	const int32_t	*labels;
	const float	*weights;
	const struct peft_hook_ops *ops;	/* begin, end */
	void		*self;
	struct peft_virtual *next;
};

/* An adapter for several tasks, of which each sequence must name one. */
struct peft_tasks {
	int		 adapter;
	size_t		 n;
	struct peft_tasks *next;
};

/* An adapter acts only from the last place on, in the tokens that come
 * together, where these ids stand; and on what follows in their cache. */
struct peft_invocation {
	int		 adapter;
	const int32_t	*ids;
	size_t		 n;
	struct peft_invocation *next;
};

/*
 * An adapter that acts by what the model makes of the tokens while it does not
 * yet: a pass is made before the pass, with the hooks told that it is one
 * (scouting), and then forward() sees the last hidden states, normed, of all
 * rows (y is NULL).  What saved() asks for lasts until the run's next pass;
 * begin() and end() are as those of a hook.
 */
struct peft_scout {
	int		 adapter;
	const struct peft_hook_ops *ops;
	void		*self;
	struct peft_scout *next;
};

struct peft_sites {
	struct peft_site *at;
	size_t		 n;
	struct peft_virtual *virtuals;	/* at most one an adapter */
	struct peft_tasks *tasks;	/* at most one an adapter */
	struct peft_invocation *invocations;	/* the same */
	struct peft_scout *scouts;	/* the same */
	bool		 whole;	/* hooks look at whole sequences: their
				 * beginnings are not shared */
	const struct peft_config *config;	/* borrowed */
};

/* Every linear, norm, embedding and head, in the order of the model; checks
 * that the source has exactly the weights the config calls for, with their
 * shapes: one that is absent or not of the model is an error by name. */
int	peft_sites_open(struct peft_sites *, const struct peft_config *,
	    const struct peft_source *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_sites_close(struct peft_sites *);
struct peft_site *peft_sites_find(const struct peft_sites *, const char *path);
/* Take all that an adapter has put there off. */
void	peft_sites_detach(struct peft_sites *, int adapter);
/* An error if a weight of the source that is not used[i] is more than a
 * buffer. */
int	peft_sites_all_used(const struct peft_config *,
	    const struct peft_source *, const bool *used, struct peft_err *)
	    PEFT_MUSTCHECK;
/* How many virtual tokens an adapter has; adapter -1: the most any has. */
size_t	peft_sites_virtual(const struct peft_sites *, int adapter);
/* Supervised places that they may add to a sequence's in training. */
size_t	peft_sites_prompted(const struct peft_sites *, int adapter);
/*
 * A stack [experts * out, in] is what transformers keeps as one parameter
 * (mlp.experts.gate_up_proj, mlp.experts.down_proj, mlp.gate.weight: a stack
 * of one), and files as a linear for each expert.  The i-th of the linears
 * that it is made of, and its first row in it; NULL: there are no more.
 */
enum peft_stack { PEFT_STACK_IN, PEFT_STACK_OUT, PEFT_STACK_ROUTER,
	PEFT_NSTACK };		/* their slots */
const struct peft_site *peft_stack_part(const struct peft_site *, size_t i,
	    size_t *row);
/* Is W, as it is stored, the other way round, [in, out]? */
static inline bool
peft_site_is_turned(const struct peft_site *s)
{
	return s->transposed || s->kind == PEFT_EMBEDDING;
}

/* y [T, out] = x W^T of a site that is loaded, without bias and hooks;
 * scratch as begin() has it. */
void	peft_site_product(struct peft_cpu *, const struct peft_site *,
	    const float *x, size_t ldx, size_t T, float *y, size_t ldy,
	    float *scratch);
/* dx [T, in] = dy W */
void	peft_site_product_back(struct peft_cpu *, const struct peft_site *,
	    const float *dy, size_t lddy, size_t T, float *dx, size_t lddx,
	    float *scratch);

#endif
