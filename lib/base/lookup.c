/* SPDX-License-Identifier: Apache-2.0 */
/* From strings to token ids: open addressing, linear probing. */

#include <stdlib.h>

#include "base/buf.h"
#include "base/lookup.h"

int
peft_lookup_open(struct peft_lookup *l, size_t n, const struct peft_str *strs,
    struct peft_err *err)
{
	size_t slots = 16;

	l->strs = strs;
	for (l->shift = 60; slots / 4 * 3 < n; l->shift--)
		slots *= 2;
	l->slots = peft_table_alloc(slots, sizeof(*l->slots), err);
	if (l->slots == NULL)
		return -1;
	memset(l->slots, 0xff, slots * sizeof(*l->slots));	/* ids are -1 */
	return 0;
}

void
peft_lookup_close(struct peft_lookup *l)
{
	free(l->slots);
	l->slots = NULL;
}

int
peft_lookup_add(struct peft_lookup *l, int32_t id, uint64_t key)
{
	const struct peft_str *str = &l->strs[id];
	struct peft_lookup_slot *at = peft_lookup_slot(l, key, str->s, str->n);

	if (at->id >= 0)
		return 0;
	*at = (struct peft_lookup_slot){ key, str->n, id };
	return 1;
}

enum { SOME = 32 };		/* that are added together */

/* The keys; the slots come into the cache. */
static void
hint(const struct peft_lookup *l, size_t from, size_t n, uint64_t key[SOME])
{
	const struct peft_str *str = &l->strs[from];
	size_t i;

	for (i = 0; i < n; i++) {
		key[i] = str[i].n == 0 ? 0 : peft_lookup_key(str[i].s,
		    str[i].n);
		peft_lookup_hint(l, key[i], str[i].n);
	}
}

size_t
peft_lookup_add_all(struct peft_lookup *l, size_t from, size_t to)
{
	uint64_t key[SOME];
	size_t i, k, n;

	for (i = from; i < to; i += n) {
		n = to - i < SOME ? to - i : SOME;
		hint(l, i, n, key);
		for (k = 0; k < n; k++)
			if (l->strs[i + k].n > 0 && peft_lookup_add(l,
			    (int32_t)(i + k), key[k]) == 0)
				return i + k;
	}
	return to;
}
