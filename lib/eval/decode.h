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
 * own cache and adapter; a request that ends makes room for the next.
 */
struct peft_request {
	const int32_t	*prompt;
	size_t		 n;		/* tokens of the prompt, at least 1 */
	size_t		 max;		/* tokens to make at most */
	int		 adapter;	/* -1: the base */
	int		 task;		/* -1: none is named */
	uint64_t	 stream;	/* its random numbers (its number) */
	/* results */
	int32_t		*out;		/* [max], the caller's memory */
	size_t		 nout;		/* the end token included */
	bool		 ended;		/* by an end token */
	/* Called for each token as it comes, may be NULL; -1 stops. */
	int		(*token)(void *ctx, const struct peft_request *,
			    struct peft_err *);
	void		*ctx;
};

/* `width': requests in work at once.  Tokens that end a text are the
 * config's eos.  Requests are finished in place, in any order. */
int	peft_decode_requests(struct peft_net *, const struct peft_sampling *,
	    struct peft_request *, size_t n, size_t width, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
