/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_NET_IMPL_H
#define PEFT_MODEL_NET_IMPL_H

#include "data/tokens.h"
#include "math/panel.h"
#include "math/profile.h"
#include "math/vec.h"
#include "model/joins-impl.h"
#include "model/kept-impl.h"
#include "model/kv-impl.h"
#include "model/net.h"
#include "model/parts-impl.h"
#include "model/tree.h"
#include "quant/product.h"

/*
 * What the files of this layer share and nobody else sees.  Shapes: T tokens
 * of the micro-batch, D hidden, I inter, Q = heads * head_dim, K = kv_heads *
 * head_dim, V = kv_heads * v_dim, O = heads * v_dim.  All is f32, row-major,
 * without padding.
 */
struct peft_linear {
	struct peft_site	*site;
	struct peft_weight	 w;		/* as products use it */
	struct peft_weight	 stored;	/* if that is another form */
	uint16_t		*copy;		/* of it (settle.c), or NULL; */
	void			*panels[2];	/* where those of w begin */
	float			*bias;		/* [out] or NULL */
	float			*wide;		/* w in f32, or NULL */
};

/* LayerNorm, or RMSNorm without b; weights are 1 where a norm has none, and
 * hold what they are more than 1 where its weight is 1 + w. */
struct peft_normal {
	struct peft_site	*site;		/* NULL: has no weights */
	float			*w, *b;		/* b NULL: none */
	size_t			 n;		/* features taken together */
	size_t			 groups;	/* of them with own weights */
};

struct peft_expert {
	struct peft_linear	 gate, up, down;
};

struct peft_layer {
	struct peft_normal	 norm[PEFT_NSLOT];	/* n 0: not there */
	struct peft_linear	 lin[PEFT_NSLOT];	/* site NULL: not;
							 * beside experts gate,
							 * up and down of the
							 * shared one */
	struct peft_expert	*experts;		/* [config.experts] */
	struct peft_site	*stack;			/* [PEFT_NSTACK] */
	float			*sinks;			/* [heads] or NULL */
};

/* Where heads begin in a row of queries, keys and values. */
struct peft_heads_at {
	size_t	ld;			/* Q + K + V */
	size_t	q, group;		/* from a query head to the next, and
					 * from one key head's to the next's */
	size_t	k, kstep, v, vstep;	/* first key, values; steps of heads */
};

struct peft_net {
	struct peft_config	 config;
	struct peft_source	*source;
	struct peft_cpu		*cpu;
	struct peft_sites	 sites;
	struct peft_layer	*layers;
	struct peft_linear	 embed;		/* [vocab, D] */
	struct peft_linear	 position;	/* [positions, D] */
	struct peft_normal	 embed_norm, norm;
	struct peft_linear	 head;		/* [vocab, D] */
	struct peft_heads_at	 at;
	float			*slopes;	/* [heads] ALiBi's, or NULL */
	struct peft_site	*attention;	/* [layers] */
	struct peft_site	*joins;		/* [layers][PEFT_NJOIN] */
	size_t			 weight_bytes;	/* as they are stored */
	size_t			 rows_read;	/* of the embedding */
};

/* What backward needs of the experts of a layer.  Row i of N = T * top_k is
 * a token's visit to an expert; visits are sorted by expert. */
struct peft_visits {
	float	*prob;			/* [T, experts] softmax of the router */
	float	*weight;		/* [T, top_k] of the chosen */
	size_t	*chosen;		/* [T, top_k] */
	size_t	*row;			/* [T, top_k] the visit's row */
	size_t	*token;			/* [N] whose visit a row is */
	size_t	*first;			/* [experts + 1] */
	float	*gu;			/* [N, 2 I] gate | up */
	float	*shared;		/* [T, 2 I] the same of the shared */
	float	*hook[PEFT_NSTACK];	/* what the hooks of stacks keep */
};

/* What backward needs of a layer's forward.  What does not wait for backward
 * (parts-impl.h) layers share, the last one's.  NULL: the family has no such
 * thing. */
struct peft_saved {
	union {
		float	*at[PEFT_NSAVED];
		struct {
			float	*x;	/* [T, D] residual stream going in */
			float	*raw;	/* [T, Q + K + V] before norms */
			float	*qkv;	/* the same as attention sees it */
			float	*kva;	/* [T, kv_rank + rope_dim] */
			float	*attn;	/* [T, O] before o_proj */
			float	*o;	/* [T, D] before the norm behind */
			float	*mid;	/* [T, D] stream after attention */
			float	*gu;	/* [T, 2 I]: gate | up; or [T, I] */
			float	*down;	/* [T, D] before the norm behind */
		};
	};
	uint16_t *stash[PEFT_NSAVED];	/* what waits rounded, or NULL */
	float	*lse;			/* [T, heads] */
	struct peft_visits v;
	float	*hook[PEFT_NSLOT];	/* what the hooks of a slot keep */
	float	*join[PEFT_NJOIN];	/* the same at the joins */
};

/* cos and sin [rows, rope_dim / 2] of one kind of layer. */
struct peft_angles {
	float	*cos, *sin;
};

struct peft_run {
	struct peft_net		*net;
	const struct peft_vec	*vec;
	struct peft_caps	 caps;
	struct peft_arena	 arena;
	struct peft_plan	 plan;
	int			 lowest;	/* first layer with hooks */
	bool			 deep;		/* and its input's gradient is
						 * asked for */

	struct peft_saved	*saved;		/* [layers] */
	float	*out;			/* [rows, D] behind the layers */
	float	*normed;			/* [T, D] */
	float	*act;				/* [T, I] */
	float	*tmp;				/* [T, D] */
	float	*dx, *dnormed;			/* [T, D] */
	float	*dbranch;			/* [T, D] what a branch gets */
	float	*djoin;				/* [T, D] the same, at a join */
	float	*dparallel;			/* [T, D] of both branches */
	float	*dqkv, *dattn, *dact;
	float	*dkv;		/* [T, heads, head_dim + v_dim] */
	float	*draw;				/* [T, Q + K + V] */
	float	*latent, *dlatent;		/* [T, kv_rank] */
	float	*kvb, *dkva;			/* [T, out] of KV_B, KV_A */
	struct peft_angles angles[2];		/* [caps.seq (+ T)] */
	size_t	*angle;				/* [T] its row of these */
	float	*product, *hook;		/* scratch */
	float	*input;		/* [T, most] what hooks made of an input */
	float	*dout;		/* [T, most] and of outputs' gradients */
	float	*dhidden;	/* [T, most] of adapters beside weights */
	float	*hidden;	/* what hooks are told of that, or NULL */
	struct peft_call_halves halves;	/* and of these */
	float	*ones, *unit;	/* [widest norm], where norms are trained */
	float	*attention;			/* scratch, per thread */
	size_t	 attention_stride;
	float	*headhook;			/* kept by the hooks of head */
	float	*embedhook;			/* and of the embedding */
	float	*scout;				/* kept by the scouts */
	bool	 scouting;			/* this is the pass before */
	/* experts: their visits' inputs, what they give, gradients */
	float	*vx, *vact, *vy, *vdx, *vdact;	/* [N, D] or [N, I] */
	float	*vw, *vdw;			/* [N] weights */
	uint64_t *vident;			/* [N] the visitors' */
	float	*dprob;				/* [T, experts] */

	size_t	 tile;				/* rows of logits at a time */
	float	*logits;			/* [tile, vocab] */
	float	*capped;			/* the same, or NULL */
	float	*hx, *dhx;			/* [tile, D] */
	struct peft_kept kept;
	size_t	 rowcap;		/* most rows */
	size_t	*rows;				/* [T] supervised positions, */
	int32_t	*targets;			/* [T] what they predict, */
	size_t	*rownode;			/* [T] their node, */
	float	*rowscale;			/* [T] sum of weight * scale */
	double	*rownll;			/* [tile] */
	unsigned char *rowtop;			/* [tile] */

	/* the micro-batch at hand */
	const struct peft_seq	*seqs;		/* virtual tokens included */
	const struct peft_seq	*given;		/* as the caller has them */
	struct peft_seq		*whole;		/* [seqs] room for seqs */
	struct peft_tree	 tree;	/* how they lie in it */
	size_t			 nseqs, T;
	int32_t			*ids;	/* [T], -1 where virtual */
	int32_t			*labels; /* [T] of whole ones, end to end */
	size_t			*pos;	/* [T] position in its sequence */
	uint64_t		*ident;	/* [T] record << 32 | position (the
					 * first of those that share it) */
	uint64_t		*tileident;	/* [tile] the same of a tile */
	struct peft_range	*ranges;	/* [seqs] */
	struct peft_range	*tile_ranges;	/* [seqs] */
	size_t			 nranges;
	bool			 train;
	uint64_t		 step;
	bool			 checking;	/* look for the first NaN */
	const char		*bad;		/* where it was seen */
};

/* net-load.c: everything that the sites and layers hold of the source. */
int	peft_net_load(struct peft_net *, struct peft_err *) PEFT_MUSTCHECK;
/* settle.c: the weights in the form that products of this compute type use,
 * for backward too, or not; a row of the embedding was read. */
int	peft_net_settle(struct peft_net *, bool back, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_net_row_read(struct peft_net *);

/* layout-size.c: rows of logits at a time; floats of scratch that products
 * and hooks need. */
size_t	peft_run_tile(const struct peft_run *);
size_t	peft_run_product_scratch(const struct peft_run *);
size_t	peft_run_hook_scratch(const struct peft_run *);
/* Floats that the hooks of a slot keep, at most, in layers l .. end. */
size_t	peft_run_hook_saved(const struct peft_run *, int slot, size_t l,
	    size_t end);

/* run.c */
void	peft_run_layout(struct peft_run *);

/* kept.c: room for it. */
void	peft_kept_layout(struct peft_run *);
/* invocation.c: the first of the sequence's tokens that its adapter acts on,
 * s->n if there is none; its cache is told. */
size_t	peft_invoked_from(const struct peft_run *, const struct peft_seq *);

/* scout.c: room for what scouts keep; is there to be a pass before this one;
 * what it has made of the tokens is shown to them. */
void	peft_scout_layout(struct peft_run *);
bool	peft_scout_wanted(const struct peft_run *);
void	peft_scout_see(struct peft_run *);

/* forward.c, backward.c; _again: the parts of a layer that were not kept. */
void	peft_forward(struct peft_run *);
void	peft_forward_again(struct peft_run *, size_t layer);
void	peft_backward(struct peft_run *);

/* run->ids' embeddings x[T, D], before a norm. */
void	peft_embed(struct peft_run *, float *x);

/* linears.c: y_i = x W_i^T + b_i + adapters for n linears that share their
 * input; and back (dx NULL: nothing below is trained; dy may be changed). */
void	peft_linears(struct peft_run *, const struct peft_linear *,
	    float *const *saved, const float *x, size_t ldx,
	    const struct peft_product *, size_t n);
/* What its hooks keep, without the product that they are beside. */
void	peft_linear_again(struct peft_run *, const struct peft_linear *,
	    float *saved, const float *x, size_t ldx, float *y, size_t ldy);
void	peft_linears_back(struct peft_run *, const struct peft_linear *,
	    float *const *saved, const float *x, size_t ldx, float *dx,
	    struct peft_product *dy, size_t n);
/* The same of linears that have no more than what is beside them, with what
 * goes along with their products (quant/product.h); back, x may come as halves
 * instead, ldx apart, and so may dy, as they go along. */
void	peft_linears_along(struct peft_run *, const struct peft_linear *,
	    float *const *saved, const float *x, size_t ldx,
	    const struct peft_along *, const struct peft_product *, size_t n);
void	peft_linears_along_back(struct peft_run *, const struct peft_linear *,
	    float *const *saved, const float *x, const uint16_t *halves,
	    size_t ldx, float *dx, const struct peft_along *,
	    const struct peft_product *dy, size_t n);
/* The products alone, on the clock. */
void	peft_products(struct peft_run *, const float *x, size_t ldx, size_t T,
	    const struct peft_product *, size_t n);
void	peft_products_back(struct peft_run *, float *dx, size_t ldx, size_t T,
	    const struct peft_product *dy, size_t n, bool add);
/* Remember the first site whose output is not finite, if asked to. */
void	peft_check_finite(struct peft_run *, const char *where,
	    const float *y, size_t ld, size_t n);

/* loss.c: the head over the rows run->rows[0..n).  Adds to loss (per
 * sequence); leaves the gradient in run->dx if run->train. */
void	peft_head_loss(struct peft_run *, size_t n, struct peft_loss *loss);
/* Has nobody but a product use for the gradient of logits? */
bool	peft_run_logits_over(const struct peft_run *);
/* The logits[n, outputs] of rows; are all finite? */
bool	peft_head_logits(struct peft_run *, const size_t *rows, size_t n,
	    float *logits);

/* stash.c: with the compute type bf16, put away what goes into the first
 * layer, and behind a layer's forward what its backward needs; take it out
 * again; round what waited in f32, or was made again; round what the forward,
 * too, should use as it will be taken out. */
void	peft_stash_input(const struct peft_run *);
void	peft_stash(const struct peft_run *, const struct peft_saved *);
void	peft_unstash(const struct peft_run *, const struct peft_saved *);
void	peft_stash_even(const struct peft_run *, size_t layer);
void	peft_stash_trim(const struct peft_run *, float *x, size_t n);
/* Where the stream before a layer's branches, and the activation's input, are
 * put away as they are made or used, and taken from; or NULL.  Rounding goes
 * on to a multiple of PEFT_KSTEP, keeping does not. */
uint16_t *peft_stash_of_x(const struct peft_run *, size_t layer);
uint16_t *peft_stash_of_mid(const struct peft_run *, size_t layer);
uint16_t *peft_stash_of_act(const struct peft_run *,
	    const struct peft_saved *);
void	peft_stash_round(const struct peft_run *, uint16_t *to,
	    const float *from, size_t n);
void	peft_stash_keep(const struct peft_run *, uint16_t *to,
	    const float *from, size_t n);
void	peft_stash_widen(float *to, const uint16_t *from, size_t n);

/* The first token of sequence i, where nothing is shared. */
static inline size_t
peft_first(const struct peft_run *run, size_t i)
{
	return run->tree.nodes[i].first;
}

/* attention-kv.c: one head of a node whose sequence has a cache; scratch of
 * a thread: so many floats. */
size_t	peft_attention_kv_scratch(const struct peft_run *);
void	peft_attention_kv(const struct peft_run *, const struct peft_node *,
	    size_t layer, size_t head, const struct peft_asked *,
	    const float *qkv, float *out, float *lse, float *scratch);

/* Append a node's keys and values to its sequence's cache. */
void	peft_attention_fill(struct peft_run *, const struct peft_node *,
	    size_t layer, const float *qkv, float *scratch);

/* attention.c: out[T, O] and lse from qkv (and caches, of layer `layer');
 * attention-back.c: dqkv from dout. */
size_t	peft_attention_scratch(const struct peft_run *);
/* Its operations, for the profile: 0 if there is none. */
double	peft_attention_work(const struct peft_run *, size_t layer);
void	peft_attention(struct peft_run *, size_t layer, const float *qkv,
	    float *out, float *lse);
void	peft_attention_back(struct peft_run *, size_t layer,
	    const struct peft_saved *, const float *dout, float *dqkv);
/* alibi.c: scores s[n] of a query, which is `ahead' tokens behind the first of
 * these keys, the sequence's first'th: capped, with ALiBi. */
void	peft_scores(const struct peft_run *, size_t head, float *s, size_t n,
	    size_t first, size_t ahead);
/* ALiBi's slopes [heads] (Press et al. 2021). */
void	peft_slopes(const struct peft_config *, float *);

/* queries.c: raw queries and keys (and values) to what attention sees:
 * clipped, normed, turned; and back. */
void	peft_queries(struct peft_run *, size_t layer, struct peft_saved *);
void	peft_queries_back(struct peft_run *, size_t layer,
	    const struct peft_saved *, float *dqkv);

#include "model/ops-impl.h"

#endif
