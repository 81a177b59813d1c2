/* SPDX-License-Identifier: Apache-2.0 */
/* From tokens to text. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"

/* Tokens as texts, which the decoders change in turn. */
struct list {
	struct peft_buf	*at;
	size_t		 n;
};

/* UTF-8 as Rust's from_utf8_lossy has it: each longest beginning of a
 * character that is cut short becomes one U+FFFD. */
static void
put_lossy(struct peft_buf *out, const char *s, size_t n)
{
	static const char half[] = "\xef\xbf\xbd";
	size_t len, i;

	while (n > 0) {
		if ((len = peft_utf8_len(s, n)) > 0) {
			peft_buf_put(out, s, len);
		} else {
			peft_buf_puts(out, half);
			/* bytes that could have gone on to be a character */
			for (len = 1; len < n && len < 4; len++) {
				char whole[4];
				bool could = false;
				unsigned c;

				memcpy(whole, s, len + 1);
				for (c = 0x80; !could && c < 0xc0; c++) {
					for (i = len + 1; i < 4; i++)
						whole[i] = (char)c;
					could = peft_utf8_len(whole, 4) >
					    len + 1;
				}
				if (!could)
					break;
			}
		}
		s += len;
		n -= len;
	}
}

/* All tokens together, as bytes. */
static void
byte_level(const struct peft_tokenizer *t, const int32_t *ids, size_t n,
    bool skip, struct peft_buf *out)
{
	struct peft_buf bytes = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		const struct peft_token_text *tok = &t->tokens[ids[i]];

		if (tok->text == NULL || (skip && tok->special))
			continue;
		if (tok->bytes != NULL)
			peft_buf_put(&bytes, tok->bytes, tok->nbytes);
		else
			peft_buf_puts(&bytes, tok->text);
	}
	put_lossy(out, bytes.data, bytes.len);
	out->failed |= bytes.failed;
	peft_buf_free(&bytes);
}

static void
replace(struct peft_buf *b, const char *from, const char *to)
{
	struct peft_buf out = { 0 };
	size_t nf = strlen(from), i;

	for (i = 0; i < b->len; )
		if (b->len - i >= nf && memcmp(b->data + i, from, nf) == 0) {
			peft_buf_puts(&out, to);
			i += nf;
		} else
			peft_buf_put(&out, b->data + i++, 1);
	out.failed |= b->failed;
	peft_buf_free(b);
	*b = out;
}

static int
byte_of(const struct peft_buf *b)
{
	unsigned v;
	int end = 0;

	return b->len == 6 && sscanf(b->data, "<0x%2X>%n", &v, &end) == 1 &&
	    end == 6 ? (int)v : -1;
}

/* A run of byte tokens: their characters, or one U+FFFD a byte. */
static void
put_run(struct peft_buf *out, const char *bytes, size_t n)
{
	size_t i, len;

	for (i = 0; i < n; i += len)
		if ((len = peft_utf8_len(bytes + i, n - i)) == 0)
			break;
	if (i == n)
		peft_buf_put(out, bytes, n);
	else
		for (i = 0; i < n; i++)
			peft_buf_puts(out, "\xef\xbf\xbd");
}

static void
byte_fallback(struct list *l)
{
	struct peft_buf run = { 0 };
	size_t i, first = 0;

	for (i = 0; i <= l->n; i++) {
		int b = i < l->n ? byte_of(&l->at[i]) : -1;

		if (b >= 0) {
			if (run.len == 0)
				first = i;
			peft_buf_putc(&run, b);
			peft_buf_clear(&l->at[i]);
			continue;
		}
		if (run.len > 0)
			put_run(&l->at[first], run.data, run.len);
		peft_buf_clear(&run);
	}
	peft_buf_free(&run);
}

static void
fuse(struct list *l)
{
	size_t i;

	for (i = 1; i < l->n; i++) {
		peft_buf_put(&l->at[0], l->at[i].data, l->at[i].len);
		peft_buf_clear(&l->at[i]);
	}
}

static void
strip(struct peft_buf *b, const struct peft_decoder *d)
{
	size_t begin = 0, cut = 0;

	while (begin < d->start && begin < b->len &&
	    b->data[begin] == d->from[0])
		begin++;
	while (cut < d->stop && cut < b->len - begin &&
	    b->data[b->len - 1 - cut] == d->from[0])
		cut++;
	if (begin + cut == 0)
		return;
	memmove(b->data, b->data + begin, b->len - begin - cut);
	b->len -= begin + cut;
	b->data[b->len] = '\0';
}

static void
apply(const struct peft_decoder *d, struct list *l)
{
	size_t i;

	if (d->kind == PEFT_D_BYTEFALLBACK)
		byte_fallback(l);
	else if (d->kind == PEFT_D_FUSE)
		fuse(l);
	/* what Fuse left empty is not there any more */
	for (i = 0; i < l->n; i++)
		if (d->kind == PEFT_D_REPLACE)
			replace(&l->at[i], d->from, d->to);
		else if (d->kind == PEFT_D_STRIP && l->at[i].len > 0)
			strip(&l->at[i], d);
}

static int
by_stages(const struct peft_tokenizer *t, const int32_t *ids, size_t n,
    bool skip, struct peft_buf *out, struct peft_err *err)
{
	struct list l = { .n = 0 };
	size_t i;

	if ((l.at = peft_calloc(n, sizeof(*l.at), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		const struct peft_token_text *tok = &t->tokens[ids[i]];

		if (tok->text == NULL || (skip && tok->special))
			continue;
		peft_buf_puts(&l.at[l.n++], tok->text);
	}
	for (i = 0; i < t->ndecode; i++)
		apply(&t->decode[i], &l);
	for (i = 0; i < l.n; i++) {
		peft_buf_put(out, l.at[i].data, l.at[i].len);
		out->failed |= l.at[i].failed;
		peft_buf_free(&l.at[i]);
	}
	free(l.at);
	return 0;
}

int
peft_tokenizer_decode(const struct peft_tokenizer *t, const int32_t *ids,
    size_t n, bool skip, struct peft_buf *out, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ids[i] < 0 || (size_t)ids[i] >= t->ntokens)
			return peft_seterr(err, "token %d is not in the "
			    "vocabulary of %zu", ids[i], t->ntokens);
	if (t->ndecode == 1 && t->decode[0].kind == PEFT_D_BYTELEVEL)
		byte_level(t, ids, n, skip, out);
	else if (by_stages(t, ids, n, skip, out, err) == -1)
		return -1;
	return out->failed ? peft_seterr(err, "no memory for the text") : 0;
}
