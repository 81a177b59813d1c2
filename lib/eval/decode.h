/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_DECODE_H
#define PEFT_EVAL_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "eval/sample.h"
#include "model/net.h"

/*
 * Continuing prompts.  Several requests are in work at once, each with its
 * own adapter; one that ends makes room for the next.  Prompts that begin
 * alike have the pages of their caches in common, and those are computed
 * once.  What a request is answered does not depend on what else is in work:
 * prompts are multiplied as many tokens are, made tokens as few are, whatever
 * their number.  (With adapters whose products BLAS makes, to rounding.)
 */

/* Tokens from `from' on, up to the next one's, use this adapter; the first
 * begins with token 0 of the prompt. */
struct peft_stretch {
	size_t	from;
	int	adapter;	/* -1: the base */
};

enum { PEFT_MAXSTRETCH = 8 };

struct peft_request {
	const int32_t	*prompt;
	size_t		 n;		/* tokens of the prompt, at least 1 */
	size_t		 max;		/* tokens to make at most, at least 1 */
	struct peft_stretch stretch[PEFT_MAXSTRETCH];
	size_t		 nstretch;	/* at least 1 */
	int		 task;		/* of such adapters; -1: none named */
	uint64_t	 stream;	/* which random numbers it gets */
	/* results */
	int32_t		*out;		/* [max], the caller's memory */
	size_t		 nout;		/* the end token included */
	bool		 ended;		/* by an end token */
};

/* Where requests come from and go to. */
enum peft_supply {
	PEFT_NO_MORE,		/* for good */
	PEFT_REQUEST,		/* here is one */
	PEFT_NOT_YET,		/* not now: go on with what is in work */
	PEFT_FINISH_FIRST	/* and ask again when all of that is done */
};

struct peft_clerk {
	void	*ctx;
	/* idle: nothing is in work, so that one can wait for the next, or
	 * change adapters (then *changed is set).  -1: an error. */
	int	(*next)(void *ctx, bool idle, struct peft_request **,
		    bool *changed, struct peft_err *);
	/* A token more; may be NULL.  Then: it is done. */
	int	(*token)(void *ctx, struct peft_request *, struct peft_err *);
	int	(*done)(void *ctx, struct peft_request *, struct peft_err *);
	/* There is never room for it: 0, it is told and forgotten; -1, or no
	 * such function: an error. */
	int	(*refused)(void *ctx, struct peft_request *,
		    struct peft_err *);
};

/* What it came to. */
struct peft_decodestat {
	size_t	prompts;		/* tokens of prompts, and of these */
	size_t	shared;			/* what others had computed */
	size_t	made;			/* tokens that were made */
	size_t	peak;			/* bytes of keys and values */
	double	reading, making;	/* seconds in prompts, in the others */
};

struct peft_decodeopt {
	struct peft_sampling	 sampling;
	size_t			 width;		/* requests in work at once */
	size_t			 limit;		/* bytes of keys and values */
	struct peft_decodestat	*stat;		/* or NULL */
};

/* Tokens that end a text are the config's eos.  A request that the limit has
 * no room for is refused (PEFT_CHECK). */
int	peft_go_on(struct peft_net *, const struct peft_decodeopt *,
	    const struct peft_clerk *, struct peft_err *) PEFT_MUSTCHECK;

/* The same of n requests that are there already. */
int	peft_decode_requests(struct peft_net *, const struct peft_sampling *,
	    struct peft_request *, size_t n, size_t width, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
