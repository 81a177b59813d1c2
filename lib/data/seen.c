/* SPDX-License-Identifier: Apache-2.0 */
/* From hashes to numbers. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/seen.h"

/* The slot of the hash, or the free one where it would be. */
static struct peft_seen_slot *
slot_of(struct peft_seen_slot *slots, size_t nslots, uint64_t hash)
{
	size_t i = (size_t)(hash ^ hash >> 29) & (nslots - 1);

	while (slots[i].value != 0 && slots[i].hash != hash)
		i = (i + 1) & (nslots - 1);
	return &slots[i];
}

static int
grow(struct peft_seen *s, struct peft_err *err)
{
	size_t n = s->nslots == 0 ? 1024 : s->nslots * 2, i;
	struct peft_seen_slot *slots = peft_calloc(n, sizeof(*slots), err);

	if (slots == NULL)
		return -1;
	for (i = 0; i < s->nslots; i++)
		if (s->slots[i].value != 0)
			*slot_of(slots, n, s->slots[i].hash) = s->slots[i];
	free(s->slots);
	s->slots = slots;
	s->nslots = n;
	return 0;
}

int
peft_seen_add(struct peft_seen *s, uint64_t hash, size_t value, size_t *out,
    struct peft_err *err)
{
	struct peft_seen_slot *slot;

	if (s->n * 4 >= s->nslots * 3 && grow(s, err) == -1)
		return -1;
	slot = slot_of(s->slots, s->nslots, hash);
	if (slot->value != 0) {
		*out = slot->value - 1;
		return 0;
	}
	*slot = (struct peft_seen_slot){ hash, value + 1 };
	s->n++;
	return 1;
}

int
peft_seen_find(const struct peft_seen *s, uint64_t hash, size_t *out)
{
	struct peft_seen_slot *slot;

	if (s->nslots == 0)
		return 0;
	slot = slot_of(s->slots, s->nslots, hash);
	if (slot->value == 0)
		return 0;
	*out = slot->value - 1;
	return 1;
}

void
peft_seen_free(struct peft_seen *s)
{
	free(s->slots);
	memset(s, 0, sizeof(*s));
}
