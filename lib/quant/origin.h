/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_ORIGIN_H
#define PEFT_QUANT_ORIGIN_H

#include "base/hash.h"
#include "quant/sink.h"
#include "tensor/source.h"

/*
 * Where a model is from: the hash of the weights it was made from is in its
 * metadata (peft.origin), for peft-merge: an adapter trained over the one may
 * go onto the other.  It stands at the beginning and is known at the end: in
 * files its place is kept, so that the source is read once; standard output
 * must have it first.
 */
struct peft_origin {
	char			 hex[7 + PEFT_SHA256_HEX];
	const char		*meta[3];	/* for struct peft_sinkopt */
	struct peft_hasher	*hasher;	/* NULL: hex is right */
};

/* path: the source's; out: the sink's. */
int	peft_origin_open(struct peft_origin *, struct peft_source *,
	    const char *path, const char *out, int threads, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Around each weight that peft_source_next() gives. */
void	peft_origin_begin(struct peft_origin *, const struct peft_weight *);
void	peft_origin_wait(struct peft_origin *);
/* All were given: before the sink commits. */
int	peft_origin_settle(struct peft_origin *, struct peft_sink *,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_origin_close(struct peft_origin *);

#endif
