/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, of which the lists are there already. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-reader.h"

/* Texts are kept, wherever *told is then. */
static int
take_vocab(struct peft_tokenizer *t, const struct peft_tokjson *told,
    struct peft_err *err)
{
	const struct peft_str *s;
	size_t i;

	if ((t->arena = peft_table_alloc(told->used, 1, err)) == NULL ||
	    peft_vocab_reserve(t, told->n, err) == -1)
		return -1;
	memcpy(t->arena, told->texts, told->used);
	for (i = 0; i < told->n; i++) {
		s = &told->token[i];
		if (s->s != NULL && peft_vocab_add(t, t->arena +
		    (s->s - told->texts), s->n, i, err) == -1)
			return -1;
	}
	if (told->score != NULL) {
		t->score = peft_calloc(told->n, sizeof(*t->score), err);
		if (t->score == NULL)
			return -1;
		memcpy(t->score, told->score, told->n * sizeof(*t->score));
	}
	return 0;
}

/* Once merges were found, the index has served. */
static int
take_index(struct peft_tokenizer *t, struct peft_tokjson *told,
    struct peft_err *err)
{
	if (told->known.slots == NULL)
		return peft_vocab_index(t, err);
	t->vocab = told->known;
	t->vocab.strs = t->text;
	t->has_vocab = true;
	told->known.slots = NULL;
	return 0;
}

static void
take_merges(struct peft_tokenizer *t, struct peft_tokjson *told)
{
	t->bpe.merge = told->merge;
	t->bpe.n = told->nmerges;
	t->has_merges = true;
	told->merge = NULL;
}

/* They are looked up as those of a file are. */
static int
take_spelt(struct peft_tokenizer *t, const struct peft_tokjson *told,
    struct peft_pool *pool, struct peft_err *err)
{
	struct peft_reader r = { .t = t, .pool = pool };
	size_t i, n = told->nmerges;
	int status = 0;

	if ((r.merges.at = peft_calloc(n, sizeof(*r.merges.at), err)) == NULL)
		return -1;
	r.merges.n = n;
	for (i = 0; status == 0 && i < n; i++)
		if (peft_spell_cut(told->spelt[i].s, told->spelt[i].n,
		    &r.merges.at[i]) == -1)
			status = peft_spell_refuse(told->spelt[i].s,
			    told->spelt[i].n, err);
	if (status == 0)
		status = peft_find_merges(&r, NULL, err);
	free(r.merges.at);
	return status;
}

int
peft_tokenizer_take(struct peft_tokenizer *t, struct peft_tokjson *told,
    struct peft_pool *pool, struct peft_err *err)
{
	if ((t->json = peft_json(told->text.data, told->text.len,
	    err)) == NULL)
		return peft_errprefix(err, "without vocabulary and merges");
	if (peft_tokjson_merges(told, pool, err) == -1 ||
	    take_vocab(t, told, err) == -1 || take_index(t, told, err) == -1)
		return -1;
	if (told->spelt != NULL)
		return take_spelt(t, told, pool, err);
	if (told->rank != NULL)
		take_merges(t, told);
	return 0;
}
