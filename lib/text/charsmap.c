/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece's table of replacements. */

#include <nettle/base64.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "text/charsmap.h"
#include "text/mapped.h"
#include "text/unicode.h"

struct peft_charsmap {
	unsigned char	*bytes;
	size_t		 nunits;	/* little-endian words, behind the */
	const char	*texts;		/* first, which is their size */
	size_t		 ntexts;
};

static uint32_t
word(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* Takes over bytes. */
static struct peft_charsmap *
open_owned(unsigned char *bytes, size_t n, struct peft_err *err)
{
	struct peft_charsmap *m = peft_calloc(1, sizeof(*m), err);
	uint32_t size;

	if (m == NULL) {
		free(bytes);
		return NULL;
	}
	m->bytes = bytes;
	if (n < 4 || (size = word(bytes)) > n - 4 || size % 4 != 0 ||
	    size == 0) {
		peft_seterr(err, "precompiled_charsmap: its %zu bytes do not "
		    "hold the table that they announce", n);
		peft_charsmap_close(m);
		return NULL;
	}
	m->nunits = size / 4;
	m->texts = (const char *)bytes + 4 + size;
	m->ntexts = n - 4 - size;
	if (peft_utf8_span(m->texts, m->ntexts) < m->ntexts) {
		peft_seterr(err, "precompiled_charsmap: its texts are not "
		    "UTF-8");
		peft_charsmap_close(m);
		return NULL;
	}
	return m;
}

struct peft_charsmap *
peft_charsmap_base64(const char *s, struct peft_err *err)
{
	struct base64_decode_ctx ctx;
	size_t len = strlen(s), n;
	uint8_t *bytes;

	n = BASE64_DECODE_LENGTH(len);
	if ((bytes = peft_calloc(n + 1, 1, err)) == NULL)
		return NULL;
	base64_decode_init(&ctx);
	if (!base64_decode_update(&ctx, &n, bytes, len, s) ||
	    !base64_decode_final(&ctx)) {
		free(bytes);
		peft_seterr(err, "precompiled_charsmap is not base64");
		return NULL;
	}
	return open_owned(bytes, n, err);
}

void
peft_charsmap_close(struct peft_charsmap *m)
{
	if (m == NULL)
		return;
	free(m->bytes);
	free(m);
}

static int
damaged(struct peft_err *err)
{
	return peft_seterr(err, "precompiled_charsmap is damaged");
}

/* A unit holds its label, whether a value stands at its children's place,
 * and how far that is; or, without a label, the value. */
static uint32_t
unit(const struct peft_charsmap *m, size_t at)
{
	return at < m->nunits ? word(m->bytes + 4 + 4 * at) : UINT32_MAX;
}

static size_t
offset(uint32_t u)
{
	return (size_t)(u >> 10) << (u >> 6 & 8);
}

static int
text_at(const struct peft_charsmap *m, size_t at, const char **to,
    size_t *len, struct peft_err *err)
{
	if (at >= m->ntexts || (m->texts[at] & 0xc0) == 0x80)
		return damaged(err);
	*to = m->texts + at;
	*len = strnlen(*to, m->ntexts - at);
	return 1;
}

/* What to put for the shortest string of the map that s[0..n) begins with,
 * or for the longest (its bytes then in *used, which is NULL for the
 * shortest): 1 with its bytes in *to and *len, 0 there is none, -1 the map is
 * damaged. */
static int
find(const struct peft_charsmap *m, const char *s, size_t n,
    size_t *used, const char **to, size_t *len, struct peft_err *err)
{
	size_t at = offset(unit(m, 0)), i;
	int found = 0;
	uint32_t u;

	for (i = 0; i < n && s[i] != '\0'; i++) {
		at ^= (unsigned char)s[i];
		u = unit(m, at);
		if ((u & 0x800000ffu) != (unsigned char)s[i])
			break;
		at ^= offset(u);
		if ((u >> 8 & 1) == 0)
			continue;
		found = text_at(m, unit(m, at) & 0x7fffffffu, to, len, err);
		if (found == -1 || used == NULL)
			break;
		*used = i + 1;
	}
	return found;
}

/* Where the user-perceived character that begins at s + at ends. */
static size_t
grapheme(const char *s, size_t n, size_t at)
{
	utf8proc_int32_t state = 0;
	size_t len = peft_utf8_len(s + at, n - at);
	unsigned cp = peft_utf8_get(s + at, len), next;

	for (at += len; at < n; at += len, cp = next) {
		len = peft_utf8_len(s + at, n - at);
		next = peft_utf8_get(s + at, len);
		/* quick, where most texts are; not behind a carriage return */
		if (cp >= 0x20 && cp < 0x80 && next < 0x80)
			break;
		if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)cp,
		    (utf8proc_int32_t)next, &state))
			break;
	}
	return at;
}

static size_t
characters(const char *s, size_t n)
{
	size_t i, count = 0;

	for (i = 0; i < n; i++)
		count += (s[i] & 0xc0) != 0x80;
	return count;
}

/* In place of `old' characters the text to: what is more is put in, what is
 * less taken out behind the last one (if there is any). */
static int
put_text(struct peft_changes *c, size_t old, const char *to, size_t len,
    struct peft_err *err)
{
	size_t new = characters(to, len), i, k, n;

	for (i = 0, k = 0; i < len; i += n, k++) {
		n = peft_utf8_len(to + i, len - i);
		if (peft_changes_put(c, peft_utf8_get(to + i, n), k >= old,
		    err) == -1)
			return -1;
	}
	if (new < old && c->n > 0)
		c->at[c->n - 1].change -= (int)(old - new);
	return 0;
}

/* A part of the text, looked for in the map or (unless whole) kept: 1 found,
 * 0 not found. */
static int
put_part(struct peft_changes *c, const struct peft_charsmap *m, const char *s,
    size_t n, bool whole, struct peft_err *err)
{
	const char *to = NULL;
	size_t len = 0;
	int r = find(m, s, n, NULL, &to, &len, err);

	if (r == 1)
		return put_text(c, characters(s, n), to, len, err) == -1 ?
		    -1 : 1;
	if (r == 0 && !whole)
		return peft_changes_put(c, peft_utf8_get(s, n), 0, err);
	return r;
}

/* Short user-perceived characters are looked up as a whole, then one by
 * one. */
static int
put_grapheme(struct peft_changes *c, const struct peft_charsmap *m,
    const char *s, size_t n, struct peft_err *err)
{
	size_t i, len;
	int r = n < 6 ? put_part(c, m, s, n, true, err) : 0, any = 0;

	if (r != 0)
		return r;
	for (i = 0; i < n; i += len) {
		len = peft_utf8_len(s + i, n - i);
		if ((r = put_part(c, m, s + i, len, false, err)) == -1)
			return -1;
		any |= r;
	}
	return any;
}

int
peft_rewrite_charsmap(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	struct peft_changes c = { 0 };
	int any = 0, status = 0;
	size_t i, end;

	for (i = 0; i < v->n && status != -1; i = end) {
		end = grapheme(v->s, v->n, i);
		status = put_grapheme(&c, r->charsmap, v->s + i, end - i, err);
		any |= status == 1;
	}
	if (status != -1)
		status = any ? peft_mapped_change(out, v, &c, err) : 0;
	free(c.at);
	return status == -1 ? -1 : any;
}

/* The longest string of the map, as SentencePiece has it, or a character that
 * is kept: 1 found, 0 not found; its bytes are *used. */
static int
put_longest(struct peft_changes *c, const struct peft_charsmap *m,
    const char *s, size_t n, size_t *used, struct peft_err *err)
{
	const char *to = NULL;
	size_t len = 0;
	int r = find(m, s, n, used, &to, &len, err);

	/* a damaged map could end within a character */
	if (r == 1 && *used < n && (s[*used] & 0xc0) == 0x80)
		return damaged(err);
	if (r == 1)
		return put_text(c, characters(s, *used), to, len, err) == -1 ?
		    -1 : 1;
	*used = peft_utf8_len(s, n);
	return r == -1 || peft_changes_put(c, peft_utf8_get(s, *used), 0,
	    err) == -1 ? -1 : 0;
}

int
peft_rewrite_longest(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	struct peft_changes c = { 0 };
	int any = 0, status = 0;
	size_t i, used = 0;

	for (i = 0; i < v->n && status != -1; i += used) {
		status = put_longest(&c, r->charsmap, v->s + i, v->n - i,
		    &used, err);
		any |= status == 1;
	}
	if (status != -1)
		status = any ? peft_mapped_change(out, v, &c, err) : 0;
	free(c.at);
	return status == -1 ? -1 : any;
}
