/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_NET_H
#define PEFT_MODEL_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "math/cpu.h"
#include "model/config.h"
#include "model/parts.h"
#include "model/site.h"
#include "tensor/source.h"

/*
 * A decoder whose weights are frozen, ready to run: the source's weights,
 * loaded as they are stored, at the sites of the config's family.
 */
struct peft_net;

/* The net borrows source and cpu. */
struct peft_net	*peft_net_open(struct peft_source *, struct peft_cpu *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* The same with another head (model/config.h); NULL: its own. */
struct peft_net	*peft_net_open_head(struct peft_source *, struct peft_cpu *,
		    const struct peft_headopt *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_net_close(struct peft_net *);
const struct peft_config *peft_net_config(const struct peft_net *);
struct peft_sites *peft_net_sites(struct peft_net *);
struct peft_cpu	*peft_net_cpu(const struct peft_net *);
/* Bytes of memory that the weights take in the compute type that is set. */
size_t		 peft_net_weight_bytes(struct peft_net *);

/* One sequence of a micro-batch.  Sequences lie end to end, without
 * padding, and never see each other; what several begin with alike is
 * computed once if the caps say so (model/tree.h). */
struct peft_seq {
	const int32_t	*ids;
	const int32_t	*labels;	/* PEFT_IGNORE: not supervised; NULL:
					 * none is */
	const float	*values;	/* [outputs] where a head's outputs are
					 * to be these, instead of a label's
					 * number; or NULL */
	size_t		 n;
	float		 weight;	/* of its tokens in the loss */
	uint32_t	 ident;		/* names the record for dropout */
	int		 adapter;	/* hooks of this adapter act on it; -1:
					 * none do */
	int		 task;		/* of an adapter for several tasks;
					 * -1: none is named */
	struct peft_kv	*kv;		/* continues this cache; NULL: none */
};

/*
 * A workspace for micro-batches up to given sizes; planned, then allocated
 * once.  Hooks must be attached before.
 */
struct peft_caps {
	size_t	tokens;		/* of a micro-batch; virtual ones included,
				 * as below (peft_sites_virtual) */
	size_t	seqs;
	size_t	seq;		/* the longest sequence, caches included */
	size_t	rows;		/* most tokens that predict something, or whose
				 * logits are asked for; 0: all may */
	bool	whole;		/* every token goes all the way: for those who
				 * compare */
	bool	train;		/* backward too */
	bool	share;		/* common beginnings once: not with dropout,
				 * which differs from record to record */
	float	smoothing;	/* of labels: a share of the target spread over
				 * the vocabulary (Szegedy et al. 2016) */
	float	zloss;		/* times log(sum exp)^2, added to the loss
				 * (Chowdhery et al. 2022) */
	float	neftune;	/* noise on the embeddings (Jain et al. 2023):
				 * U(-1, 1) times this over sqrt(n hidden) */
	uint64_t seed;		/* of that noise */
	bool	tight;		/* logits in half the memory, which takes the
				 * head more time */
	size_t	again[PEFT_NPART]; /* layers, from the lowest one that has hooks
				 * on, whose part is made again before their
				 * backward: the same results */
};

struct peft_plan {		/* bytes */
	size_t	activations;	/* saved for backward, all layers */
	size_t	layer;		/* of these, what a layer more adds */
	size_t	between;	/* layers whose parts may be made again, */
	bool	parts[PEFT_NPART];	/* of which they have these */
	size_t	workspace;	/* passing */
	size_t	logits;		/* the tile of the loss */
	size_t	hooks;		/* what attached adapters keep beside */
	size_t	total;
};

struct peft_run;

int		 peft_run_plan(struct peft_net *, const struct peft_caps *,
		    struct peft_plan *, struct peft_err *) PEFT_MUSTCHECK;
struct peft_run	*peft_run_open(struct peft_net *, const struct peft_caps *,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_run_close(struct peft_run *);

/* Is what sequences begin with alike computed once under these caps? */
bool		 peft_net_shares(const struct peft_net *,
		    const struct peft_caps *);

/* Per sequence: the sum of -log p over its supervised tokens (labels[i],
 * i >= 1, predicted from ids[0..i); of a head for classes labels[i], told by
 * ids[0..i]; of values, the mean of their losses), their number, and how many
 * of them were the most likely token. */
struct peft_loss {
	double	nll;
	size_t	tokens, top1;
};

/* How many of these sequences, from the first on, fit into a micro-batch by
 * their tokens and rows: at least one if it fits at all, else 0. */
size_t	peft_run_fit(struct peft_run *, const struct peft_seq *, size_t nseqs);
/* What a sequence is supervised at, virtual tokens included. */
size_t	peft_run_targets(const struct peft_run *, const struct peft_seq *,
	    bool train);
/* Forward only; loss[nseqs].  A NaN or Inf is an error (PEFT_NUMERIC) that
 * names the sequence's index and the place. */
int	peft_run_loss(struct peft_run *, const struct peft_seq *, size_t nseqs,
	    struct peft_loss *loss, struct peft_err *) PEFT_MUSTCHECK;
/* Forward and backward of scale * sum over sequences of weight * nll, with
 * what the caps add to it: the gradients are added to those of the hooks'
 * parameters; loss has the nll alone. */
int	peft_run_train(struct peft_run *, const struct peft_seq *, size_t nseqs,
	    double scale, uint64_t step, struct peft_loss *loss,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Forward; logits[nrows, outputs] of the tokens rows[] (indices into the
 * concatenated micro-batch, ascending).   */
int	peft_run_logits(struct peft_run *, const struct peft_seq *,
	    size_t nseqs, const size_t *rows, size_t nrows, float *logits,
	    struct peft_err *) PEFT_MUSTCHECK;

/*
 * The keys and values of sequences, for generation: pages of PEFT_PAGE tokens
 * out of a pool, so that sequences which begin alike can have pages in common
 * (Kwon et al. 2023).  A sequence with a cache continues behind what is in
 * it; what a token computes through a cache does not depend on how many
 * tokens come at once.
 */
struct peft_pages;
struct peft_kv;

/* A pool for so many tokens, in whole pages; its bytes. */
struct peft_pages *peft_pages_open(const struct peft_net *, size_t tokens,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_pages_close(struct peft_pages *);
size_t		 peft_pages_bytes(const struct peft_net *, size_t tokens);
/* Tokens that there is still room for. */
size_t		 peft_pages_left(const struct peft_pages *);

/* An empty cache over a pool, which must outlive it; or with a pool of its
 * own for n tokens. */
struct peft_kv	*peft_kv_new(struct peft_pages *, struct peft_err *)
		    PEFT_MUSTCHECK;
struct peft_kv	*peft_kv_open(const struct peft_net *, size_t n,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_kv_close(struct peft_kv *);
/* Pages for n tokens in all (virtual ones, if any, are n's business); false:
 * the pool has too few. */
bool		 peft_kv_reserve(struct peft_kv *, size_t n);
size_t		 peft_kv_len(const struct peft_kv *);
/* Drop all but the first len tokens, and pages that are not needed then; a
 * page that others have too is kept whole or not at all.  Returns what is
 * left. */
size_t		 peft_kv_cut(struct peft_kv *, size_t len);
/* dst, empty, begins with the whole pages of src's first n tokens; returns
 * how many tokens that is.  None if there are virtual ones. */
size_t		 peft_kv_share(struct peft_kv *dst, const struct peft_kv *src,
		    size_t n);

#endif
