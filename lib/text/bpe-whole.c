/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that merging gives back whole. */

#include <stdlib.h>

#include "base/buf.h"
#include "base/lookup.h"
#include "text/bpe.h"

/*
 * A token that merging makes of its own text can be looked up instead of
 * merged.  It is made by one merge, of two tokens that are themselves whole,
 * provided that no merge across the seam between those two comes first.
 * Going backwards in time, the later made of the two tokens at the seam is
 * taken apart, and each pair that met there must rank behind the merge that
 * ended their meeting.
 *
 * made[id]: 1 + the rank of the merge that makes a token, 0 for atoms.
 */
static int
seam_holds(const struct peft_bpe *b, const uint32_t *made, int32_t left,
    int32_t right, uint32_t limit)
{
	for (;;) {
		if (peft_bpe_find(b, left, right)->rank < limit)
			return 0;
		if (made[left] == 0 && made[right] == 0)
			return 1;
		if (made[left] > made[right]) {
			limit = made[left] - 1;
			left = b->merge[limit].right;
		} else {
			/* of two equal pairs the left one comes first, so
			 * that at the same rank the seam would have lost */
			limit = made[right];
			right = b->merge[limit - 1].left;
		}
	}
}

int
peft_bpe_whole(const struct peft_bpe *b, unsigned char *whole,
    size_t ntokens, struct peft_err *err)
{
	enum { AHEAD = 16 };	/* that are on their way into the cache */
	uint32_t *made = peft_calloc(ntokens, sizeof(*made), err);
	size_t i;

	if (made == NULL)
		return -1;
	for (i = 0; i < b->n; i++) {
		const struct peft_bpe_merge *m = &b->merge[i];

		if (i + AHEAD < b->n)
			peft_lookup_fetch(&b->slots[peft_bpe_place(b,
			    m[AHEAD].left, m[AHEAD].right)]);
		if (!whole[m->left] || !whole[m->right] || whole[m->result] ||
		    peft_bpe_find(b, m->left, m->right)->rank != i ||
		    !seam_holds(b, made, m->left, m->right, (uint32_t)i))
			continue;
		whole[m->result] = 1;
		made[m->result] = (uint32_t)i + 1;
	}
	free(made);
	return 0;
}
