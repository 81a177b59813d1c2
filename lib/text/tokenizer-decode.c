/* SPDX-License-Identifier: Apache-2.0 */
/* From tokens to text. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-list.h"

int
peft_list_end(struct peft_list *l, struct peft_err *err)
{
	size_t *grown = peft_grow(l->end, l->n, &l->cap, sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	l->end = grown;
	l->end[l->n++] = l->text.len;
	return 0;
}

struct peft_str
peft_list_at(const struct peft_list *l, size_t i)
{
	size_t from = i == 0 ? 0 : l->end[i - 1];

	/* without any text there is no memory either */
	return (struct peft_str){ l->text.data == NULL ? "" :
	    l->text.data + from, (uint32_t)(l->end[i] - from) };
}

/* The text of a token as decoders are given it: that of an added one as the
 * normalisers left it, which is what they are to undo. */
static struct peft_str
spelling(const struct peft_tokenizer *t, int32_t id)
{
	const struct peft_added_set *set = &t->normal;
	size_t i;

	for (i = 0; (t->flags[id] & PEFT_T_NORMAL) && i < set->n; i++)
		if (set->at[i].id == id)
			return (struct peft_str){ set->at[i].text,
			    (uint32_t)set->at[i].len };
	return t->text[id];
}

static int
fill(const struct peft_tokenizer *t, const int32_t *ids, size_t n, bool skip,
    struct peft_list *l, struct peft_err *err)
{
	struct peft_str text;
	size_t i;

	for (i = 0; i < n; i++) {
		if (ids[i] < 0 || (size_t)ids[i] >= t->ntokens)
			return peft_seterr(err, "token %d is not in the "
			    "vocabulary of %zu", ids[i], t->ntokens);
		if (t->text[ids[i]].s == NULL || (skip && (t->flags[ids[i]] &
		    PEFT_T_SPECIAL)))
			continue;
		/* without a decoder, tokens are words */
		if (t->ndecode == 0 && l->n > 0)
			peft_buf_putc(&l->text, ' ');
		text = spelling(t, ids[i]);
		peft_buf_put(&l->text, text.s, text.n);
		if (peft_list_end(l, err) == -1)
			return -1;
	}
	return 0;
}

static void
free_list(struct peft_list *l)
{
	peft_buf_free(&l->text);
	free(l->end);
}

int
peft_tokenizer_decode(const struct peft_tokenizer *t, const int32_t *ids,
    size_t n, bool skip, struct peft_buf *out, struct peft_err *err)
{
	struct peft_list in = { .n = 0 }, next = { .n = 0 }, swap;
	size_t i;
	int r;

	r = fill(t, ids, n, skip, &in, err);
	for (i = 0; r == 0 && i < t->ndecode; i++) {
		r = peft_undo(&t->decode[i], &in, &next, err);
		next.text.failed |= in.text.failed;
		swap = in;
		in = next;
		next = swap;
		peft_buf_clear(&next.text);
		next.n = 0;
	}
	if (r == 0) {
		peft_buf_put(out, in.text.data, in.text.len);
		out->failed |= in.text.failed;
		if (out->failed)
			r = peft_seterr(err, "no memory for the text");
	}
	free_list(&in);
	free_list(&next);
	return r;
}
