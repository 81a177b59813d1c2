/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in training data: what the order of the records tells. */

#include <stdlib.h>
#include <string.h>

#include "data/lint-impl.h"
#include "data/shape.h"

int
peft_lint_test(struct peft_lint *l, const cJSON *j, struct peft_err *err)
{
	struct peft_sketch k;
	uint64_t hash;
	size_t other;
	cJSON *own;
	int r = 0;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_shape_simple(j, false, &own, err) == -1)
		return -1;
	hash = peft_lint_prompt(own != NULL ? own : j, &k);
	cJSON_Delete(own);
	if (hash != 0 && (r = peft_seen_add(&l->test, hash, 0, &other,
	    err)) == 1)
		r = peft_near_add(&l->asked, &k, 2, &other, err);
	return r == -1 ? -1 : 0;
}

static int
keep_place(struct peft_lint *l, const struct peft_place *place,
    struct peft_err *err)
{
	struct peft_place *grown;

	grown = peft_grow(l->places, l->records, &l->cap, sizeof(*grown),
	    err);
	if (grown == NULL)
		return -1;
	l->places = grown;
	l->places[l->records] = *place;
	return 0;
}

/* Was it seen before, or nearly so? */
static int
compare(struct peft_lint *l, struct peft_look *k, struct peft_err *err)
{
	size_t like;
	int s;

	if ((s = peft_seen_add(&l->ids, k->ids, l->records, &k->like,
	    err)) == -1)
		return -1;
	k->found[PEFT_F_DUPLICATE] = s == 0;
	if (l->near > 1)
		return 0;
	/* the index of a sketch is that of its record */
	if ((s = peft_near_add(&l->sketches, &k->sketch, l->near, &like,
	    err)) == -1)
		return -1;
	k->found[PEFT_F_NEAR] = s == 1 && !k->found[PEFT_F_DUPLICATE];
	if (k->found[PEFT_F_NEAR])
		k->like = like;
	return 0;
}

static void
measure(struct peft_lint *l, const struct peft_look *k)
{
	size_t i = 0;

	l->tokens += k->tokens;
	l->supervised += k->supervised;
	l->unknown += k->unknown;
	l->straddled += k->straddled;
	if (k->length > l->longest)
		l->longest = k->length;
	if (l->max_length > 0 && k->length > l->max_length)
		l->over += k->length - l->max_length;
	while (i + 1 < PEFT_LINT_LENGTHS && k->length >> (i + 1) > 0)
		i++;
	if (k->length > 0)
		l->lengths[i]++;
}

int
peft_lint_add(struct peft_lint *l, struct peft_look *k,
    const struct peft_place *place, struct peft_err *err)
{
	size_t other;
	int i;

	if (k->counted) {
		if (keep_place(l, place, err) == -1 ||
		    compare(l, k, err) == -1)
			return -1;
		l->records++;
		measure(l, k);
	}
	if (k->prompt != 0)
		k->found[PEFT_F_LEAK] = peft_seen_find(&l->test, k->prompt,
		    &other) == 1 || peft_near_find(&l->asked, &k->asked,
		    l->near, &other) == 1;
	for (i = 0; i < PEFT_NFINDING; i++)
		l->count[i] += k->found[i];
	return 0;
}

size_t
peft_lint_total(const struct peft_lint *l)
{
	size_t n = 0;
	int i;

	for (i = 0; i < PEFT_NFINDING; i++)
		n += l->count[i];
	return n;
}

void
peft_lint_free(struct peft_lint *l)
{
	peft_seen_free(&l->ids);
	peft_seen_free(&l->test);
	peft_near_free(&l->sketches);
	peft_near_free(&l->asked);
	free(l->places);
}
