/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_LIKENESS_H
#define PEFT_EVAL_LIKENESS_H

#include <stddef.h>

#include "base/err.h"

/*
 * How alike two forms of a model are: the same tokens through both, what they
 * say of the next one compared at every position.  The two are never open at
 * a time: logits of the first are kept for a stretch of positions (256 MiB of
 * them), then the second is opened for it.
 */
struct peft_likenessopt {
	const char	*before, *after;
	const char	*adapter;	/* over `after', or NULL */
	const char	*tokens;	/* records: of tokens, or chats if the
					 * model has a tokenizer */
	int		 threads;
};

struct peft_likeness {
	size_t	positions;
	double	kl, max_kl;	/* KL(before || after), nats: mean, largest */
	double	top1;		/* share of positions where the likeliest
				 * token is the same */
	size_t	tokens;		/* supervised ones, and over these: */
	double	loss_before, loss_after;
};

int	peft_likeness(const struct peft_likenessopt *, struct peft_likeness *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* A peft_metric (limits.h) of a struct peft_likeness: kl, max_kl, top1, loss
 * (after), loss_rise; letters of either case. */
int	peft_likeness_metric(const void *likeness, const char *name,
	    double *value);

#endif
