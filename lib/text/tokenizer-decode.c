/* SPDX-License-Identifier: Apache-2.0 */
/* From tokens to text. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-impl.h"

/* Texts of tokens, which the decoders turn into others. */
struct list {
	struct peft_buf	 text;		/* one behind the other */
	size_t		*end;		/* of each in text */
	size_t		 n, cap;
};

static const char unreadable[] = "\xef\xbf\xbd";	/* U+FFFD */

/* What was put into l->text since the last call is a text. */
static int
end_text(struct list *l, struct peft_err *err)
{
	size_t *grown = peft_grow(l->end, l->n, &l->cap, sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	l->end = grown;
	l->end[l->n++] = l->text.len;
	return 0;
}

static struct peft_str
text_at(const struct list *l, size_t i)
{
	size_t from = i == 0 ? 0 : l->end[i - 1];

	/* without any text there is no memory either */
	return (struct peft_str){ l->text.data == NULL ? "" :
	    l->text.data + from, (uint32_t)(l->end[i] - from) };
}

/* The bytes at s that could have become a character: Unicode's maximal
 * subpart, as one U+FFFD stands for. */
static size_t
subpart(const char *s, size_t n)
{
	unsigned char c = (unsigned char)s[0], lo = 0x80, hi = 0xbf;
	size_t need = c < 0xc2 || c > 0xf4 ? 1 : c < 0xe0 ? 2 :
	    c < 0xf0 ? 3 : 4, i;

	lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : lo;
	hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : hi;
	for (i = 1; i < need && i < n; i++, lo = 0x80, hi = 0xbf)
		if ((unsigned char)s[i] < lo || (unsigned char)s[i] > hi)
			break;
	return i;
}

/* All texts are bytes of one. */
static int
byte_level(const struct peft_decoder *d, const struct list *in,
    struct list *out, struct peft_err *err)
{
	const char *s = in->text.data;
	size_t n = in->text.len, len;

	(void)d;
	for (; n > 0; s += len, n -= len)
		if ((len = peft_utf8_len(s, n)) > 0)
			peft_buf_put(&out->text, s, len);
		else {
			peft_buf_puts(&out->text, unreadable);
			len = subpart(s, n);
		}
	return end_text(out, err);
}

static int
replace(const struct peft_decoder *d, const struct list *in,
    struct list *out, struct peft_err *err)
{
	size_t nf = strlen(d->from), i;
	const char *p, *end, *hit;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = text_at(in, i);

		for (p = t.s, end = t.s + t.n; (hit = memmem(p,
		    (size_t)(end - p), d->from, nf)) != NULL; p = hit + nf) {
			peft_buf_put(&out->text, p, (size_t)(hit - p));
			peft_buf_puts(&out->text, d->to);
		}
		peft_buf_put(&out->text, p, (size_t)(end - p));
		if (end_text(out, err) == -1)
			return -1;
	}
	return 0;
}

static bool
is_utf8(const char *s, size_t n)
{
	size_t len;

	for (; n > 0; s += len, n -= len)
		if ((len = peft_utf8_len(s, n)) == 0)
			return false;
	return true;
}

/* A run of byte tokens is its characters, or else one U+FFFD a byte. */
static int
put_run(struct list *out, size_t from, struct peft_err *err)
{
	size_t n = out->text.len - from;

	if (is_utf8(out->text.data + from, n))
		return end_text(out, err);
	out->text.len = from;
	for (; n > 0; n--) {
		peft_buf_puts(&out->text, unreadable);
		if (end_text(out, err) == -1)
			return -1;
	}
	return 0;
}

static int
byte_fallback(const struct peft_decoder *d, const struct list *in,
    struct list *out, struct peft_err *err)
{
	size_t i, from = 0;
	bool run = false;

	(void)d;
	for (i = 0; i < in->n; i++) {
		struct peft_str t = text_at(in, i);
		int b = peft_fallback_byte(t.s, t.n);

		if (b >= 0) {
			from = run ? from : out->text.len;
			run = true;
			peft_buf_putc(&out->text, b);
			continue;
		}
		if (run && !out->text.failed && put_run(out, from, err) == -1)
			return -1;
		run = false;
		peft_buf_put(&out->text, t.s, t.n);
		if (end_text(out, err) == -1)
			return -1;
	}
	return run && !out->text.failed ? put_run(out, from, err) : 0;
}

static int
fuse(const struct peft_decoder *d, const struct list *in, struct list *out,
    struct peft_err *err)
{
	(void)d;
	peft_buf_put(&out->text, in->text.data, in->text.len);
	return end_text(out, err);
}

static int
strip(const struct peft_decoder *d, const struct list *in, struct list *out,
    struct peft_err *err)
{
	size_t len = strlen(d->from), i, k;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = text_at(in, i);

		for (k = 0; k < d->start && t.n >= len &&
		    memcmp(t.s, d->from, len) == 0; k++) {
			t.s += len;
			t.n -= (uint32_t)len;
		}
		for (k = 0; k < d->stop && t.n >= len &&
		    memcmp(t.s + t.n - len, d->from, len) == 0; k++)
			t.n -= (uint32_t)len;
		peft_buf_put(&out->text, t.s, t.n);
		if (end_text(out, err) == -1)
			return -1;
	}
	return 0;
}

/* Each U+2581 is a space; in the first token it was put there. */
static int
metaspace(const struct peft_decoder *d, const struct list *in,
    struct list *out, struct peft_err *err)
{
	size_t i, j;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = text_at(in, i);

		for (j = 0; j < t.n; j++)
			if (t.n - j < 3 || memcmp(t.s + j, "\xe2\x96\x81",
			    3) != 0)
				peft_buf_putc(&out->text, t.s[j]);
			else {
				j += 2;
				if (i > 0 || d->keep_first)
					peft_buf_putc(&out->text, ' ');
			}
		if (end_text(out, err) == -1)
			return -1;
	}
	return 0;
}

static int (*const decoders[])(const struct peft_decoder *,
    const struct list *, struct list *, struct peft_err *) = {
	[PEFT_D_BYTELEVEL] = byte_level, [PEFT_D_REPLACE] = replace,
	[PEFT_D_BYTEFALLBACK] = byte_fallback, [PEFT_D_FUSE] = fuse,
	[PEFT_D_STRIP] = strip, [PEFT_D_METASPACE] = metaspace,
};

static int
fill(const struct peft_tokenizer *t, const int32_t *ids, size_t n, bool skip,
    struct list *l, struct peft_err *err)
{
	const struct peft_str *texts = t->ndecode > 0 &&
	    t->decode[0].kind == PEFT_D_BYTELEVEL ? t->bytes : t->text;
	size_t i;

	for (i = 0; i < n; i++) {
		if (ids[i] < 0 || (size_t)ids[i] >= t->ntokens)
			return peft_seterr(err, "token %d is not in the "
			    "vocabulary of %zu", ids[i], t->ntokens);
		if (texts[ids[i]].s == NULL || (skip && (t->flags[ids[i]] &
		    PEFT_T_SPECIAL)))
			continue;
		/* without a decoder, tokens are words */
		if (t->ndecode == 0 && l->n > 0)
			peft_buf_putc(&l->text, ' ');
		peft_buf_put(&l->text, texts[ids[i]].s, texts[ids[i]].n);
		if (end_text(l, err) == -1)
			return -1;
	}
	return 0;
}

static void
free_list(struct list *l)
{
	peft_buf_free(&l->text);
	free(l->end);
}

int
peft_tokenizer_decode(const struct peft_tokenizer *t, const int32_t *ids,
    size_t n, bool skip, struct peft_buf *out, struct peft_err *err)
{
	struct list in = { .n = 0 }, next = { .n = 0 }, swap;
	size_t i;
	int r;

	r = fill(t, ids, n, skip, &in, err);
	for (i = 0; r == 0 && i < t->ndecode; i++) {
		r = decoders[t->decode[i].kind](&t->decode[i], &in, &next,
		    err);
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
