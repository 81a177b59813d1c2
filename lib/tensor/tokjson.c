/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json with its lists apart, and as one text. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/tokjson.h"

int
peft_tokjson_open(struct peft_tokjson *t, size_t n, size_t bytes,
    struct peft_err *err)
{
	t->token = peft_table_alloc(n, sizeof(*t->token), err);
	if (t->token == NULL ||
	    (t->texts = peft_table_alloc(bytes + n, 1, err)) == NULL)
		return -1;
	memset(t->token, 0, n * sizeof(*t->token));
	t->n = n;
	return 0;
}

void
peft_tokjson_free(struct peft_tokjson *t)
{
	if (t == NULL)
		return;
	peft_buf_free(&t->text);
	free(t->token);
	free(t->texts);
	peft_lookup_close(&t->known);
	free(t->score);
	free(t->rank);
	free(t->merge);
	free(t->spelt);
	*t = (struct peft_tokjson){ 0 };
}

void
peft_tokjson_put(struct peft_tokjson *t, size_t id, const char *s, size_t n)
{
	char *to = t->texts + t->used;

	memcpy(to, s, n);
	to[n] = '\0';
	t->token[id] = (struct peft_str){ to, (uint32_t)n };
	t->used += n + 1;
}

int
peft_tokjson_index(struct peft_tokjson *t, size_t same[2], struct peft_err *err)
{
	const struct peft_str *str;

	if (peft_lookup_open(&t->known, t->n, t->token, err) == -1)
		return -1;
	if ((same[1] = peft_lookup_add_all(&t->known, 0, t->n)) == t->n)
		return 0;
	str = &t->token[same[1]];
	same[0] = (size_t)peft_lookup_find(&t->known, str->s, str->n);
	return 1;
}

void
peft_tokjson_list(struct peft_tokjson *t, size_t *at)
{
	*at = t->text.len;
	peft_buf_puts(&t->text, "null");
}

static void
put_text(struct peft_buf *b, const struct peft_str *s)
{
	peft_json_putstr(b, s->s, s->n);
}

static void
put_scored(const struct peft_tokjson *t, struct peft_buf *b)
{
	size_t i;

	peft_buf_putc(b, '[');
	for (i = 0; i < t->n; i++) {
		peft_buf_puts(b, i > 0 ? ",[" : "[");
		put_text(b, &t->token[i]);
		peft_buf_putc(b, ',');
		peft_json_putreal(b, t->score[i]);
		peft_buf_putc(b, ']');
	}
	peft_buf_putc(b, ']');
}

static void
put_vocab(const struct peft_tokjson *t, struct peft_buf *b)
{
	bool first = true;
	size_t i;

	if (t->score != NULL) {
		put_scored(t, b);
		return;
	}
	peft_buf_putc(b, '{');
	for (i = 0; i < t->n; i++) {
		if (t->token[i].s == NULL)
			continue;
		if (!first)
			peft_buf_putc(b, ',');
		put_text(b, &t->token[i]);
		peft_buf_printf(b, ":%zu", i);
		first = false;
	}
	peft_buf_putc(b, '}');
}

static void
put_merges(const struct peft_tokjson *t, struct peft_buf *b)
{
	size_t i;

	peft_buf_putc(b, '[');
	for (i = 0; i < t->nmerges; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		if (t->spelt != NULL) {
			put_text(b, &t->spelt[i]);
			continue;
		}
		peft_buf_putc(b, '[');
		put_text(b, &t->token[t->merge[i].left]);
		peft_buf_putc(b, ',');
		put_text(b, &t->token[t->merge[i].right]);
		peft_buf_putc(b, ']');
	}
	peft_buf_putc(b, ']');
}

int
peft_tokjson_spell(struct peft_tokjson *t, struct peft_buf *b,
    struct peft_err *err)
{
	const char *text = t->text.data;
	size_t null = strlen("null"), from = t->vocab_at + null;

	if (peft_tokjson_merges(t, NULL, err) == -1)
		return -1;
	peft_buf_put(b, text, t->vocab_at);
	put_vocab(t, b);
	if (t->merges_at > 0) {
		peft_buf_put(b, text + from, t->merges_at - from);
		put_merges(t, b);
		from = t->merges_at + null;
	}
	peft_buf_put(b, text + from, t->text.len - from);
	return b->failed ? peft_seterr(err, "no memory") : 0;
}
