/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_DIGEST_IMPL_H
#define PEFT_TENSOR_DIGEST_IMPL_H

#include "tensor/source-impl.h"

/* For source-digest.c, source-hash.c and source-hasher.c only: the hash of one
 * weight, and that of all of a model, which is made of those. */
struct peft_digest {
	struct peft_weight	w;		/* without data, when done */
	char			hex[PEFT_SHA256_HEX];
	struct peft_source	*source;
	size_t			 i;		/* there */
	bool			 had;		/* and its data, already */
	bool			 lasts;		/* as long as the source */
};

/* The data of d->w, to d->hex. */
void	peft_digest_weight(struct peft_digest *);
/* Of digests that are all there; they are sorted.  hex as of
 * peft_source_hash(). */
void	peft_digest_of_all(struct peft_digest *, size_t n, char *hex);

#endif
