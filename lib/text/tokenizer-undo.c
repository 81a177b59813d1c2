/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders: what each makes of a list of texts. */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-list.h"

static const char unreadable[] = "\xef\xbf\xbd";	/* U+FFFD */

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

/* All texts are bytes of one: those that their characters stand for, or, if
 * they do not, their own. */
static int
byte_level(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	char *bytes = peft_calloc(in->text.len + 1, 1, err), *s = bytes;
	size_t n = 0, i, len;

	(void)d;
	if (bytes == NULL)
		return -1;
	for (i = 0; i < in->n; i++, n += len) {
		struct peft_str t = peft_list_at(in, i);

		len = peft_visible_bytes(t.s, t.n, s + n);
		if (len == SIZE_MAX)
			memcpy(s + n, t.s, len = t.n);
	}
	for (; n > 0; s += len, n -= len)
		if ((len = peft_utf8_len(s, n)) > 0)
			peft_buf_put(&out->text, s, len);
		else {
			peft_buf_puts(&out->text, unreadable);
			len = subpart(s, n);
		}
	free(bytes);
	return peft_list_end(out, err);
}

/* One text with all that is found replaced, as normalisers do it. */
static int
replace_one(const struct peft_decoder *d, struct peft_str t,
    struct peft_list *out, struct peft_err *err)
{
	size_t at = 0, done = 0, begin = 0, end = 0;
	bool any = false;
	int r;

	while (at <= t.n && (r = peft_pattern_find(d->pattern, t.s, t.n, at,
	    &begin, &end, err)) != 0) {
		if (r == -1)
			return -1;
		at = end > begin ? end : end == t.n ? t.n + 1 : end +
		    peft_utf8_len(t.s + end, t.n - end);
		if (begin == end && any && begin == done)
			continue;
		any = true;
		peft_buf_put(&out->text, t.s + done, begin - done);
		peft_buf_puts(&out->text, d->to);
		done = end;
	}
	peft_buf_put(&out->text, t.s + done, t.n - done);
	return peft_list_end(out, err);
}

static int
replace(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < in->n; i++)
		if (replace_one(d, peft_list_at(in, i), out, err) == -1)
			return -1;
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
put_run(struct peft_list *out, size_t from, struct peft_err *err)
{
	size_t n = out->text.len - from;

	if (is_utf8(out->text.data + from, n))
		return peft_list_end(out, err);
	out->text.len = from;
	for (; n > 0; n--) {
		peft_buf_puts(&out->text, unreadable);
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return 0;
}

static int
byte_fallback(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t i, from = 0;
	bool run = false;

	(void)d;
	for (i = 0; i < in->n; i++) {
		struct peft_str t = peft_list_at(in, i);
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
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return run && !out->text.failed ? put_run(out, from, err) : 0;
}

static int
fuse(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	(void)d;
	peft_buf_put(&out->text, in->text.data, in->text.len);
	return peft_list_end(out, err);
}

static int
strip(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t len = strlen(d->from), i, k;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = peft_list_at(in, i);

		for (k = 0; k < d->start && t.n >= len &&
		    memcmp(t.s, d->from, len) == 0; k++) {
			t.s += len;
			t.n -= (uint32_t)len;
		}
		for (k = 0; k < d->stop && t.n >= len &&
		    memcmp(t.s + t.n - len, d->from, len) == 0; k++)
			t.n -= (uint32_t)len;
		peft_buf_put(&out->text, t.s, t.n);
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return 0;
}

/* Each U+2581 is a space; in the first token it was put there. */
static int
metaspace(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t i, j, len = strlen(d->from);

	for (i = 0; i < in->n; i++) {
		struct peft_str t = peft_list_at(in, i);

		for (j = 0; j < t.n; j++)
			if (t.n - j < len || memcmp(t.s + j, d->from,
			    len) != 0)
				peft_buf_putc(&out->text, t.s[j]);
			else {
				j += len - 1;
				if (i > 0 || d->keep_first)
					peft_buf_putc(&out->text, ' ');
			}
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return 0;
}

/* Put s with each `from' in it as `to' instead; an empty one is nowhere. */
static void
put_with(struct peft_buf *b, const char *s, size_t n, const char *from,
    const char *to)
{
	size_t len = strlen(from);
	const char *hit, *end = s + n;

	for (; len > 0 && (hit = memmem(s, (size_t)(end - s), from, len)) !=
	    NULL; s = hit + len) {
		peft_buf_put(b, s, (size_t)(hit - s));
		peft_buf_puts(b, to);
	}
	peft_buf_put(b, s, (size_t)(end - s));
}

/* One replacement after the other, in the text of b from `from' on. */
static void
put_clean(struct peft_buf *b, size_t from)
{
	static const char *const pairs[][2] = { { " .", "." }, { " ?", "?" },
	    { " !", "!" }, { " ,", "," }, { " ' ", "'" }, { " n't", "n't" },
	    { " 'm", "'m" }, { " do not", " don't" }, { " 's", "'s" },
	    { " 've", "'ve" }, { " 're", "'re" } };
	struct peft_buf was = { 0 };
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (b->failed || b->len == from || memmem(b->data + from,
		    b->len - from, pairs[i][0], strlen(pairs[i][0])) == NULL)
			continue;
		peft_buf_clear(&was);
		peft_buf_put(&was, b->data + from, b->len - from);
		b->len = from;
		if (was.failed)
			b->failed = true;
		else
			put_with(b, was.data, was.len, pairs[i][0],
			    pairs[i][1]);
	}
	peft_buf_free(&was);
}

static int
wordpiece(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t i, len = strlen(d->from), from;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = peft_list_at(in, i);
		bool goes_on = i > 0 && t.n >= len && memcmp(t.s, d->from,
		    len) == 0;

		from = out->text.len;
		if (i > 0 && !goes_on)
			peft_buf_putc(&out->text, ' ');
		peft_buf_put(&out->text, t.s + (goes_on ? len : 0), t.n -
		    (goes_on ? len : 0));
		if (d->clean)
			put_clean(&out->text, from);
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return 0;
}

/* The suffix of words is a space, but for the last. */
static int
bpe(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < in->n; i++) {
		struct peft_str t = peft_list_at(in, i);

		put_with(&out->text, t.s, t.n, d->from, i + 1 == in->n ? "" :
		    " ");
		if (peft_list_end(out, err) == -1)
			return -1;
	}
	return 0;
}

/* Of equal neighbours one is left, and pads are nothing. */
static int
ctc(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	struct peft_str t, last = { NULL, 0 };
	struct peft_buf b = { 0 };
	size_t i, from;
	int r = 0;

	for (i = 0; r == 0 && i < in->n; i++, last = t) {
		t = peft_list_at(in, i);
		if (i > 0 && t.n == last.n && memcmp(t.s, last.s, t.n) == 0)
			continue;
		from = out->text.len;
		peft_buf_clear(&b);
		put_with(&b, t.s, t.n, d->from, "");
		if (d->clean)
			put_clean(&b, 0);
		put_with(&out->text, b.len == 0 ? "" : b.data, b.len,
		    d->clean ? d->to : "", " ");
		if (out->text.len > from)
			r = peft_list_end(out, err);
	}
	out->text.failed |= b.failed;
	peft_buf_free(&b);
	return r;
}

static int (*const decoders[])(const struct peft_decoder *,
    const struct peft_list *, struct peft_list *, struct peft_err *) = {
	[PEFT_D_BYTELEVEL] = byte_level, [PEFT_D_REPLACE] = replace,
	[PEFT_D_BYTEFALLBACK] = byte_fallback, [PEFT_D_FUSE] = fuse,
	[PEFT_D_STRIP] = strip, [PEFT_D_METASPACE] = metaspace,
	[PEFT_D_WORDPIECE] = wordpiece, [PEFT_D_BPE] = bpe,
	[PEFT_D_CTC] = ctc,
};

int
peft_undo(const struct peft_decoder *d, const struct peft_list *in,
    struct peft_list *out, struct peft_err *err)
{
	return decoders[d->kind](d, in, out, err);
}
