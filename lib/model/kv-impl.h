/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_KV_IMPL_H
#define PEFT_MODEL_KV_IMPL_H

#include "base/arena.h"
#include "model/net.h"

/* A page is [layers] times keys [K][PEFT_PAGE], a column a token, and values
 * [kv_heads][PEFT_PAGE][v_dim], of f32; or of bf16, where products are made
 * from less than f32: half of the memory, all of which each token reads. */
struct peft_pages {
	size_t		 layers;		/* twice those of the model if
						 * there are scouts */
	size_t		 kdim, vdim;		/* K, V */
	size_t		 n, nfree;		/* pages */
	size_t		 each, bytes;		/* of a number, a page */
	struct peft_arena arena;
	char		*data;
	uint32_t	*users;			/* [n] caches that have it */
	uint32_t	*free;			/* [nfree] */
};

struct peft_kv {
	struct peft_pages *pool;
	bool		 own;
	uint32_t	*page;			/* [npages] */
	size_t		 npages, room;		/* room of page[] */
	size_t		 len;			/* tokens */
	size_t		 virtuals;		/* of them, at the start */
	size_t		 invoked;		/* its adapter acts: from which
						 * of these on, from 1; or 0 */
};

/* kv.c: a head's keys, and values, in a page of a layer. */
void	*peft_page_keys(const struct peft_run *, const struct peft_kv *,
	    size_t page, size_t layer, size_t head);
void	*peft_page_values(const struct peft_run *, const struct peft_kv *,
	    size_t page, size_t layer, size_t head);

#endif
