/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: strings, each byte with a mark that says where it came from. */

#include <string.h>

#include "text/jinja.h"

struct jj_value
peft_jj_concat(struct jj_pool *p, const struct jj_value *a,
    const struct jj_value *b)
{
	size_t n = a->n + b->n;
	unsigned char *mark = NULL;
	char *s;

	if (a->n == 0 || b->n == 0)
		return a->n == 0 ? *b : *a;
	if ((s = peft_jj_alloc(p, n + 1)) == NULL)
		return peft_jj_cstr("");
	memcpy(s, a->s, a->n);
	memcpy(s + a->n, b->s, b->n);
	if ((a->mark != NULL || b->mark != NULL) &&
	    (mark = peft_jj_alloc(p, n + 1)) != NULL) {
		if (a->mark != NULL)
			memcpy(mark, a->mark, a->n);
		if (b->mark != NULL)
			memcpy(mark + a->n, b->mark, b->n);
	}
	return peft_jj_str(s, n, mark);
}

struct jj_value
peft_jj_sub(const struct jj_value *v, size_t from, size_t to)
{
	struct jj_value part = peft_jj_str(v->s + from, to - from,
	    v->mark == NULL ? NULL : v->mark + from);

	part.safe = v->safe;
	return part;
}

struct jj_value
peft_jj_repeat(struct jj_pool *p, const struct jj_value *v, size_t times)
{
	unsigned char *mark = NULL;
	size_t i, n;
	char *s;

	if (times == 0 || __builtin_mul_overflow(v->n, times, &n) ||
	    (s = peft_jj_alloc(p, n + 1)) == NULL)
		return peft_jj_cstr("");
	if (v->mark != NULL)
		mark = peft_jj_alloc(p, n + 1);
	for (i = 0; i < times && v->n > 0; i++) {
		memcpy(s + i * v->n, v->s, v->n);
		if (mark != NULL)
			memcpy(mark + i * v->n, v->mark, v->n);
	}
	return peft_jj_str(s, n, mark);
}

size_t
peft_jj_chars(const struct jj_value *v)
{
	size_t i, n = 0;

	for (i = 0; i < v->n; i++)
		n += (v->s[i] & 0xc0) != 0x80;
	return n;
}

size_t
peft_jj_char_at(const struct jj_value *v, size_t k)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if ((v->s[i] & 0xc0) != 0x80 && k-- == 0)
			break;
	return i;
}

static bool
is_space(unsigned cp)
{
	return (cp >= 0x09 && cp <= 0x0d) || (cp >= 0x1c && cp <= 0x20) ||
	    cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
	    (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
	    cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

size_t
peft_jj_space(const char *s, size_t n)
{
	size_t len = n == 0 ? 0 : peft_utf8_len(s, n);

	return len > 0 && is_space(peft_utf8_get(s, len)) ? len : 0;
}

/* The length of the last character of s. */
static size_t
last_len(const char *s, size_t n)
{
	size_t len = 1;

	while (len < n && len < 4 && (s[n - len] & 0xc0) == 0x80)
		len++;
	return len;
}

size_t
peft_jj_space_end(const char *s, size_t n)
{
	size_t len;

	if (n == 0)
		return 0;
	len = last_len(s, n);
	return peft_jj_space(s + n - len, len);
}

/* How much of the character c[0..len) is to be stripped: all or nothing. */
static size_t
strippable(const struct jj_value *chars, const char *c, size_t len)
{
	if (chars == NULL)
		return peft_jj_space(c, len);
	return memmem(chars->s, chars->n, c, len) != NULL ? len : 0;
}

struct jj_value
peft_jj_strip(const struct jj_value *v, const struct jj_value *chars,
    bool left, bool right)
{
	size_t b = 0, e = v->n, n;

	while (left && b < e && (n = strippable(chars, v->s + b,
	    peft_utf8_len(v->s + b, e - b))) > 0)
		b += n;
	while (right && e > b) {
		n = last_len(v->s + b, e - b);
		if (strippable(chars, v->s + e - n, n) == 0)
			break;
		e -= n;
	}
	return peft_jj_sub(v, b, e);
}

void
peft_jj_put(struct jj_text *t, const char *s, size_t n, int mark)
{
	char marks[64];
	size_t k;

	peft_buf_put(&t->text, s, n);
	memset(marks, mark, sizeof(marks));
	for (; n > 0; n -= k) {
		k = n < sizeof(marks) ? n : sizeof(marks);
		peft_buf_put(&t->mark, marks, k);
	}
}

void
peft_jj_put_str(struct jj_text *t, const struct jj_value *v)
{
	if (v->mark == NULL)
		peft_jj_put(t, v->s, v->n, 0);
	else {
		peft_buf_put(&t->text, v->s, v->n);
		peft_buf_put(&t->mark, v->mark, v->n);
	}
}

int
peft_jj_take(struct jj_render *r, struct jj_text *t, struct jj_value *out)
{
	size_t n = t->text.len;
	bool failed = t->text.failed || t->mark.failed;
	char *s = failed ? NULL : peft_jj_copy(&r->pool, t->text.data, n);
	char *mark = failed ? NULL : peft_jj_copy(&r->pool, t->mark.data, n);

	peft_jj_text_free(t);
	if (s == NULL || mark == NULL)
		return peft_jj_nomem(r);
	*out = peft_jj_str(s, n, (const unsigned char *)mark);
	return 0;
}

void
peft_jj_text_free(struct jj_text *t)
{
	peft_buf_free(&t->text);
	peft_buf_free(&t->mark);
}
