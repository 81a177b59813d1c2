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
	PEFT_EXPERT		/* a linear that some tokens pass */
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
	float		*saved;		/* what forward left for backward */
	float		*scratch;
	bool		 train;		/* backward will follow */
	uint64_t	 step;	/* with site and ident: key of dropout */
};

struct peft_hook_ops {
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
};

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
	size_t		 weight;	/* index of path.weight in the source,
					 * SIZE_MAX: tied, has none */
	size_t		 bias;		/* SIZE_MAX: none */
	struct peft_hook *hooks;	/* in order of attachment */
};

struct peft_sites {
	struct peft_site *at;
	size_t		 n;
	const struct peft_family *family;	/* NULL: none in particular */
};

/* Every linear, norm, embedding and head, in the order of the model; checks
 * that the source has exactly the weights the config calls for, with their
 * shapes: one that is absent or not of the model is an error by name. */
int	peft_sites_open(struct peft_sites *, const struct peft_config *,
	    const struct peft_source *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_sites_close(struct peft_sites *);
struct peft_site *peft_sites_find(const struct peft_sites *, const char *path);

#endif
