/* SPDX-License-Identifier: Apache-2.0 */
/* Added tokens: a sorted list, narrowed byte by byte. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/added.h"

void
peft_added_free(struct peft_added_set *set)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		free(set->at[i].owned);
	free(set->at);
	*set = (struct peft_added_set){ 0 };
}

int
peft_added_put(struct peft_added_set *set, const struct peft_added *a,
    struct peft_err *err)
{
	struct peft_added *grown = peft_grow(set->at, set->n, &set->cap,
	    sizeof(*set->at), err);

	if (grown == NULL) {
		free(a->owned);
		return -1;
	}
	set->at = grown;
	set->at[set->n++] = *a;
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	const struct peft_added *x = a, *y = b;

	return strcmp(x->text, y->text);
}

int
peft_added_sort(struct peft_added_set *set, struct peft_err *err)
{
	size_t i, c;

	if (set->n > 1)
		qsort(set->at, set->n, sizeof(*set->at), by_text);
	for (i = 1; i < set->n; i++)
		if (strcmp(set->at[i - 1].text, set->at[i].text) == 0)
			return peft_seterr(err, "the added token '%.100s' is "
			    "there twice", set->at[i].text);
	for (i = 0, c = 0; c < 257; c++) {
		while (i < set->n && (unsigned char)set->at[i].text[0] < c)
			i++;
		set->first[c] = (uint32_t)i;
	}
	return 0;
}

/* The first of at[lo..hi), which agree in their first `depth' bytes, whose
 * next byte is not below c. */
static uint32_t
bound(const struct peft_added_set *set, uint32_t lo, uint32_t hi,
    size_t depth, int c)
{
	uint32_t mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if ((unsigned char)set->at[mid].text[depth] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static const struct peft_added *
longest(const struct peft_added_set *set, const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0];
	uint32_t lo = set->first[c], hi = set->first[c + 1];
	const struct peft_added *best = NULL;
	size_t depth;

	for (depth = 1; lo < hi; depth++) {
		/* the one that ends here is before those that go on */
		if (set->at[lo].len == depth)
			best = &set->at[lo++];
		if (depth == n)
			break;
		c = (unsigned char)s[depth];
		lo = bound(set, lo, hi, depth, c);
		hi = bound(set, lo, hi, depth, c + 1);
	}
	return best;
}

const struct peft_added *
peft_added_next(const struct peft_added_set *set, const char *s, size_t n,
    size_t *at)
{
	const struct peft_added *a;
	size_t i;

	for (i = *at; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (set->first[c] == set->first[c + 1] ||
		    (a = longest(set, s + i, n - i)) == NULL)
			continue;
		*at = i;
		return a;
	}
	return NULL;
}

int32_t
peft_added_find(const struct peft_added_set *set, const char *s, size_t n)
{
	const struct peft_added *a = n == 0 || set->n == 0 ? NULL :
	    longest(set, s, n);

	return a != NULL && a->len == n ? a->id : -1;
}
