/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: the added tokens. */

#include <string.h>

#include "text/tokenizer-impl.h"

static int
read_added(const cJSON *e, struct peft_added *a, struct peft_err *err)
{
	int64_t id = 0;

	if (peft_json_str(e, "content", &a->text, err) != 1 ||
	    (a->len = strlen(a->text)) == 0)
		return peft_seterr(err, "an added token without content");
	if (a->len > PEFT_MAXADDED)
		return peft_seterr(err, "the added token '%.40s...' has %zu "
		    "bytes, more than %d", a->text, a->len, PEFT_MAXADDED);
	if (peft_json_bool(e, "lstrip", &a->lstrip, err) == -1 ||
	    peft_json_bool(e, "rstrip", &a->rstrip, err) == -1 ||
	    peft_json_bool(e, "special", &a->special, err) == -1 ||
	    peft_json_bool(e, "single_word", &a->single_word, err) == -1 ||
	    peft_json_bool(e, "normalized", &a->normalized, err) == -1 ||
	    peft_json_int(e, "id", 0, PEFT_MAXVOCAB - 1, &id, err) == -1)
		return peft_errprefix(err, "added token '%.100s'", a->text);
	if (peft_json_get(e, "id") == NULL)
		return peft_seterr(err, "the added token '%.100s' has no id",
		    a->text);
	a->id = (int32_t)id;
	return 0;
}

/* In the vocabulary by its id, and nothing else there. */
static int
place_added(struct peft_tokenizer *t, const struct peft_added *a,
    struct peft_err *err)
{
	int32_t known = t->has_vocab ? peft_lookup_find(&t->vocab, a->text,
	    a->len) : -1;
	size_t id = (size_t)a->id;

	if (id >= t->ntokens + 65536)
		return peft_seterr(err, "the added token '%.100s' has the id "
		    "%zu, the vocabulary ends at %zu", a->text, id,
		    t->ntokens);
	if (known >= 0 && known != a->id)
		return peft_seterr(err, "the added token '%.100s' has the id "
		    "%zu, in the vocabulary it has %d", a->text, id, known);
	if (peft_vocab_reserve(t, id + 1, err) == -1)
		return -1;
	if (t->text[id].s != NULL && strcmp(t->text[id].s, a->text) != 0)
		return peft_seterr(err, "the added token '%.100s' has the id "
		    "of '%.100s', %zu", a->text, t->text[id].s, id);
	if (t->text[id].s == NULL)
		t->text[id] = (struct peft_str){ a->text, (uint32_t)a->len };
	t->flags[id] |= PEFT_T_ADDED | (a->special ? PEFT_T_SPECIAL : 0);
	return 0;
}

/* The text of a token that is looked for behind the normalisers, as they
 * make it. */
static int
normalise(struct peft_tokenizer *t, struct peft_added *a,
    struct peft_err *err)
{
	struct peft_mapped m[2] = { { .limit = PEFT_MAXADDED },
	    { .limit = PEFT_MAXADDED } };
	struct peft_view v = { a->text, a->len, NULL, 0 };
	size_t i, k = 0;
	int r = 0;

	for (i = 0; r != -1 && i < t->nnorm && v.n > 0; i++)
		if ((r = t->norm[i].run(&t->norm[i], &v, &m[k], err)) == 1) {
			v = peft_mapped_view(&m[k]);
			k ^= 1;
		}
	if (r != -1 && v.n == 0)
		r = peft_seterr(err, "the normalizer leaves nothing of the "
		    "added token '%.100s'", a->text);
	if (r != -1 && v.s != a->text) {
		if ((a->owned = peft_calloc(v.n + 1, 1, err)) == NULL)
			r = -1;
		else {
			t->flags[a->id] |= PEFT_T_NORMAL;
			a->text = memcpy(a->owned, v.s, v.n);
			a->len = v.n;
		}
	}
	peft_mapped_free(&m[0]);
	peft_mapped_free(&m[1]);
	return r == -1 ? -1 : 0;
}

/* Ids without a token: only added tokens may leave some out before them, as
 * the lists of reserved ids do that come from tiktoken. */
static int
check_holes(const struct peft_tokenizer *t, struct peft_err *err)
{
	size_t i, hole = SIZE_MAX;

	for (i = 0; i < t->ntokens; i++)
		if (t->text[i].s == NULL && hole == SIZE_MAX)
			hole = i;
		else if (hole != SIZE_MAX && (t->flags[i] & (PEFT_T_VOCAB |
		    PEFT_T_ADDED)) == PEFT_T_VOCAB)
			return peft_seterr(err, "model.vocab has no token for "
			    "the id %zu, but one for %zu, '%.100s'", hole, i,
			    t->text[i].s);
	return 0;
}

int
peft_tokenizer_added(struct peft_tokenizer *t, struct peft_err *err)
{
	const cJSON *list = peft_json_get(t->json, "added_tokens"), *e;
	struct peft_added a;

	if (list != NULL && !cJSON_IsNull(list) && !cJSON_IsArray(list))
		return peft_seterr(err, "added_tokens is not a list");
	cJSON_ArrayForEach(e, list) {
		a = (struct peft_added){ .id = -1 };
		if (read_added(e, &a, err) == -1 ||
		    place_added(t, &a, err) == -1)
			return -1;
		if (a.normalized && normalise(t, &a, err) == -1)
			return -1;
		if (peft_added_put(a.normalized ? &t->normal : &t->raw, &a,
		    err) == -1)
			return -1;
	}
	if (peft_added_sort(&t->raw, err) == -1 ||
	    peft_added_sort(&t->normal, err) == -1)
		return -1;
	return check_holes(t, err);
}
