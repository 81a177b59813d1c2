/* SPDX-License-Identifier: Apache-2.0 */
/* From strings to token ids: open addressing, linear probing. */

#include <stdlib.h>

#include "base/buf.h"
#include "text/lookup.h"

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
