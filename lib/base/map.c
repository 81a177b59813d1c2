/* SPDX-License-Identifier: Apache-2.0 */
/* From byte strings to numbers: open addressing, linear probing. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"

/* A multiply-and-fold over 8 bytes at a time. */
static uint32_t
hash(const char *key, size_t len)
{
	uint64_t h = 0x9e3779b97f4a7c15u ^ len, w;

	for (; len >= 8; key += 8, len -= 8) {
		memcpy(&w, key, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, key, len);
	h = (h ^ w) * 0xff51afd7ed558ccdu;
	h ^= h >> 29;
	h *= 0xc4ceb9fe1a85ec53u;
	return (uint32_t)(h >> 32);
}

/* The slot that holds the key, or the free one where it would be. */
static struct peft_map_slot *
probe(const struct peft_map *m, const char *key, size_t len, uint32_t h)
{
	size_t i = h & (m->nslots - 1);

	for (;; i = (i + 1) & (m->nslots - 1)) {
		struct peft_map_slot *s = &m->slots[i];

		if (s->key == NULL || (s->hash == h && s->len == len &&
		    memcmp(s->key, key, len) == 0))
			return s;
	}
}

static int
grow(struct peft_map *m, struct peft_err *err)
{
	struct peft_map next = { .n = m->n, .nslots = m->nslots == 0 ? 16 :
	    m->nslots * 2 };
	size_t i;

	next.slots = peft_table_alloc(next.nslots, sizeof(*next.slots), err);
	if (next.slots == NULL)
		return -1;
	memset(next.slots, 0, next.nslots * sizeof(*next.slots));
	for (i = 0; i < m->nslots; i++) {
		const struct peft_map_slot *s = &m->slots[i];

		if (s->key != NULL)
			*probe(&next, s->key, s->len, s->hash) = *s;
	}
	free(m->slots);
	*m = next;
	return 0;
}

int
peft_map_add(struct peft_map *m, const char *key, size_t len, size_t value,
    struct peft_err *err)
{
	uint32_t h = hash(key, len);
	struct peft_map_slot *s;

	if (len > UINT32_MAX)
		return peft_seterr(err, "a name of %zu bytes", len);
	if (m->n >= m->nslots / 4 * 3 && grow(m, err) == -1)
		return -1;
	s = probe(m, key, len, h);
	if (s->key != NULL)
		return 0;
	*s = (struct peft_map_slot){ key, (uint32_t)len, h, value };
	m->n++;
	return 1;
}

size_t *
peft_map_find(const struct peft_map *m, const char *key, size_t len)
{
	struct peft_map_slot *s;

	if (m->n == 0)
		return NULL;
	s = probe(m, key, len, hash(key, len));
	return s->key == NULL ? NULL : &s->value;
}

void
peft_map_free(struct peft_map *m)
{
	free(m->slots);
	*m = (struct peft_map){ 0 };
}
