/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that are nearly the same. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/near.h"

enum { ROWS = 4, FEW = 10 };	/* rows of a band; words too few to judge */

static uint64_t
mix(uint64_t h)
{
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* The next word of s, *len bytes of it; NULL if there is none. */
static const char *
next_word(const char *s, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p != '\0' && *p < 0x80 && !isalnum(*p))
		p++;
	s = (const char *)p;
	if (*p >= 0x80)
		for (p++; (*p & 0xc0) == 0x80; p++)
			;
	else
		while (*p < 0x80 && isalnum(*p))
			p++;
	*len = (size_t)((const char *)p - s);
	return *len > 0 ? s : NULL;
}

static uint64_t
hash_word(const char *s, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (uint64_t)tolower((unsigned char)s[i])) *
		    UINT64_C(0x100000001b3);
	return mix(h);
}

static void
add_run(struct peft_words *w, uint64_t run)
{
	uint64_t h;
	size_t i;

	for (i = 0; i < PEFT_NEAR; i++) {
		h = (run ^ i) * UINT64_C(0x9e3779b97f4a7c15);
		h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
		if (h < w->minima[i] || w->n == 0)
			w->minima[i] = h;
	}
}

void
peft_words_add(struct peft_words *w, const char *text)
{
	uint64_t h;
	size_t len;

	for (; (text = next_word(text, &len)) != NULL; text += len) {
		h = hash_word(text, len);
		w->all = mix(w->all ^ h) + 1;
		add_run(w, mix(w->last[0] + 3 * w->last[1]) ^ h);
		w->last[0] = w->last[1];
		w->last[1] = h;
		w->n++;
	}
}

void
peft_words_sketch(const struct peft_words *w, struct peft_sketch *k)
{
	size_t i;

	for (i = 0; i < PEFT_NEAR; i++)
		k->least[i] = (uint16_t)(w->minima[i] >> 17);
	k->words = w->n;
}

/* The share of what two have in common, about. */
static double
likeness(const struct peft_sketch *a, const struct peft_sketch *b)
{
	size_t i, same = 0;

	for (i = 0; i < PEFT_NEAR; i++)
		same += a->least[i] == b->least[i];
	return (double)same / PEFT_NEAR;
}

static uint64_t
band_key(const struct peft_sketch *k, size_t band)
{
	uint64_t key = band;
	size_t row;

	for (row = 0; row < ROWS; row++)
		key = mix(key << 16 ^ k->least[band * ROWS + row]);
	return key;
}

int
peft_near_find(const struct peft_near *s, const struct peft_sketch *k,
    double share, size_t *which)
{
	size_t band;

	for (band = 0; k->words >= FEW && band < PEFT_NEAR_BANDS; band++)
		if (peft_seen_find(&s->bands, band_key(k, band), which) &&
		    likeness(k, &s->at[*which]) >= share)
			return 1;
	return 0;
}

int
peft_near_add(struct peft_near *s, const struct peft_sketch *k, double share,
    size_t *which, struct peft_err *err)
{
	struct peft_sketch *grown;
	size_t band, other;
	int like = 0, r;

	grown = peft_grow(s->at, s->n, &s->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	s->at = grown;
	s->at[s->n++] = *k;
	for (band = 0; k->words >= FEW && band < PEFT_NEAR_BANDS; band++) {
		if ((r = peft_seen_add(&s->bands, band_key(k, band), s->n - 1,
		    &other, err)) == -1)
			return -1;
		if (r == 0 && !like &&
		    likeness(k, &s->at[other]) >= share) {
			*which = other;
			like = 1;
		}
	}
	return like;
}

void
peft_near_free(struct peft_near *s)
{
	free(s->at);
	peft_seen_free(&s->bands);
	memset(s, 0, sizeof(*s));
}
