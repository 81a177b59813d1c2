/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens by their scores. */

#include <stdlib.h>
#include <string.h>

#include "base/radix.h"
#include "tensor/tokjson.h"

/* The better the score the less: bits of floats have the order of the floats,
 * but for the sign. */
static uint32_t
key_of(float score)
{
	uint32_t bits;

	score += 0.0f;		/* -0 is 0 */
	memcpy(&bits, &score, sizeof(bits));
	return bits >> 31 != 0 ? bits : ~bits & 0x7fffffff;
}

static int
sort(const struct peft_tokjson *t, int32_t *order, size_t n,
    struct peft_err *err)
{
	struct peft_ranked *r = peft_calloc(n, 2 * sizeof(*r), err);
	size_t i;

	if (r == NULL)
		return -1;
	for (i = 0; i < n; i++)
		r[i] = (struct peft_ranked){ key_of(t->rank[order[i]]),
		    order[i] };
	peft_radix_sort(r, n, sizeof(uint32_t));
	for (i = 0; i < n; i++)
		order[i] = r[i].id;
	free(r);
	return 0;
}

/* Scores fall from token to token in most vocabularies. */
int32_t *
peft_tokjson_order(const struct peft_tokjson *t, size_t *n,
    struct peft_err *err)
{
	int32_t *order = peft_calloc(t->n, sizeof(*order), err);
	bool falling = true;
	size_t i;

	*n = 0;
	for (i = 0; order != NULL && i < t->n; i++) {
		if (!peft_tokjson_part(t, i))
			continue;
		falling &= *n == 0 || t->rank[order[*n - 1]] >= t->rank[i];
		order[(*n)++] = (int32_t)i;
	}
	if (order != NULL && !falling && sort(t, order, *n, err) == -1) {
		free(order);
		return NULL;
	}
	return order;
}
