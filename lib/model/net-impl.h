/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_NET_IMPL_H
#define PEFT_MODEL_NET_IMPL_H

#include "math/vec.h"
#include "data/tokens.h"
#include "model/net.h"
#include "model/tree.h"
#include "quant/product.h"

/*
 * What the files of this layer share and nobody else sees.  Shapes: T tokens
 * of the micro-batch, D hidden, I inter, Q = heads * head_dim, KV = kv_heads
 * * head_dim.  All is f32, row-major, without padding.
 */
struct peft_linear {
	struct peft_site	*site;
	struct peft_weight	 w;		/* [out, in], as it is stored */
	float			*bias;		/* [out] or NULL */
};

struct peft_layer {
	float			*attn_norm, *mlp_norm;	/* [D] */
	struct peft_linear	 lin[PEFT_NSLOT];	/* norms' are unused */
};

struct peft_net {
	struct peft_config	 config;
	struct peft_source	*source;
	struct peft_cpu		*cpu;
	struct peft_sites	 sites;
	struct peft_layer	*layers;
	struct peft_weight	 embed;		/* [vocab, D] */
	float			*norm;		/* [D] */
	struct peft_linear	 head;		/* [vocab, D] */
	size_t			 weight_bytes;
};

struct peft_kv {
	size_t	 layers, dim;		/* dim: KV */
	size_t	 cap, len;		/* tokens */
	float	*data;			/* [layers][2][cap][dim]: K, then V */
};

/* What backward needs of a layer's forward.  When nothing is trained all
 * layers share one; if it is computed again, all but x. */
struct peft_saved {
	float	*x;			/* [T, D] residual stream going in */
	float	*qkv;			/* [T, Q + 2 KV], rotated */
	float	*lse;			/* [T, heads] */
	float	*attn;			/* [T, Q] before o_proj */
	float	*mid;			/* [T, D] stream after attention */
	float	*gate, *up;		/* [T, I] */
	float	*hook[PEFT_NSLOT];	/* what the hooks of a slot keep */
};

/* A stretch of tokens that use the same adapter. */
struct peft_range {
	int	adapter;
	size_t	first, n;
};

struct peft_run {
	struct peft_net		*net;
	const struct peft_vec	*vec;
	struct peft_caps	 caps;
	struct peft_arena	 arena;
	struct peft_plan	 plan;
	int			 lowest;	/* first layer with hooks */

	struct peft_saved	*saved;		/* [layers] */
	float	*out;				/* [T, D] behind the layers */
	float	*normed;			/* [T, D] */
	float	*act;				/* [T, I] */
	float	*tmp;				/* [T, D] */
	float	*dx, *dnormed;			/* [T, D] */
	float	*dqkv, *dattn, *dact;
	float	*dkv;				/* [T, heads, 2, head_dim] */
	float	*cos, *sin;			/* [caps.seq, head_dim / 2] */
	float	*product, *hook;		/* scratch */
	float	*attention;			/* scratch, per thread */
	size_t	 attention_stride;
	float	*headhook;			/* kept by the hooks of head */

	size_t	 tile;				/* rows of logits at a time */
	float	*logits;			/* [tile, vocab] */
	float	*hx, *dhx;			/* [tile, D] */
	size_t	*rows;				/* [T] supervised positions, */
	int32_t	*targets;			/* [T] what they predict, */
	size_t	*rownode;			/* [T] their node, */
	float	*rowscale;			/* [T] sum of weight * scale */
	double	*rownll;			/* [tile] */
	unsigned char *rowtop;			/* [tile] */

	/* the micro-batch at hand */
	const struct peft_seq	*seqs;
	size_t			 nseqs, T;
	struct peft_tree	 tree;	/* how they lie in it */
	size_t			*pos;	/* [T] position in its sequence */
	uint64_t		*ident;	/* [T] record << 32 | position (the
					 * first of those that share it) */
	uint64_t		*tileident;	/* [tile] the same of a tile */
	struct peft_range	*ranges;	/* [seqs] */
	size_t			 nranges;
	bool			 train;
	uint64_t		 step;
	bool			 checking;	/* look for the first NaN */
	const char		*bad;		/* where it was seen */
};

/* run.c */
void	peft_run_layout(struct peft_run *);

/* forward.c, backward.c; _again: what backward needs of a layer, from x. */
void	peft_forward(struct peft_run *);
void	peft_forward_again(struct peft_run *, size_t layer);
void	peft_backward(struct peft_run *);

/* loss.c: the head over the rows run->rows[0..n).  Adds to loss (per
 * sequence); leaves the gradient in run->dx if run->train. */
void	peft_head_loss(struct peft_run *, size_t n, struct peft_loss *loss);
void	peft_head_logits(struct peft_run *, const size_t *rows, size_t n,
	    float *logits);

/* What token i of a sequence is to be predicted as, or PEFT_IGNORE. */
static inline int32_t
peft_seq_label(const struct peft_seq *s, size_t i)
{
	return s->labels == NULL || i >= s->n ? PEFT_IGNORE : s->labels[i];
}

/* attention.c: out[T, Q] and lse from qkv (and caches, of layer `layer');
 * attention-back.c: dqkv from dout. */
enum { PEFT_BLOCK = 64 };	/* queries at a time */
size_t	peft_attention_scratch(const struct peft_run *);
/* Copy head `head' of the keys, or values, of a node and all above it, from
 * rows of ld, into [depth + n, head_dim]. */
void	peft_attention_path(const struct peft_run *, size_t node,
	    const float *src, size_t ld, float *dst);
void	peft_attention(struct peft_run *, size_t layer, const float *qkv,
	    float *out, float *lse);
void	peft_attention_back(struct peft_run *, const struct peft_saved *,
	    const float *dout, float *dqkv);

/* ops.c: one operation over T rows, on all threads. */
void	peft_op_norm(struct peft_run *, float *y, const float *x,
	    const float *w, size_t T);
void	peft_op_norm_back(struct peft_run *, float *dx, const float *dy,
	    const float *x, const float *w, size_t T);
void	peft_op_swiglu(struct peft_run *, float *y, const float *g,
	    const float *u);
void	peft_op_swiglu_back(struct peft_run *, float *dg, float *du,
	    const float *dy);
void	peft_op_sum(struct peft_run *, float *y, const float *a,
	    const float *b);
void	peft_op_bias(struct peft_run *, float *y, size_t ld, const float *b,
	    size_t n);
void	peft_op_rope(struct peft_run *, float *qkv, float sign);

/* hooks.c: what adapters add at a site. */
size_t	peft_hooks_saved(const struct peft_site *, size_t T);
size_t	peft_hooks_scratch(const struct peft_site *, size_t T);
void	peft_hooks_forward(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, float *y, size_t ldy, float *saved);
void	peft_hooks_backward(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, const float *dy, size_t lddy,
	    float *dx, size_t lddx, float *saved);

#endif
