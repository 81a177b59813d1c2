/* SPDX-License-Identifier: Apache-2.0 */
/* Growing byte strings, checked allocation, UTF-8. */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"

/* Room for n more bytes and a NUL. */
static bool
reserve(struct peft_buf *b, size_t n)
{
	size_t need, cap;
	char *p;

	if (b->failed || __builtin_add_overflow(b->len, n, &need) ||
	    __builtin_add_overflow(need, (size_t)1, &need)) {
		b->failed = true;
		return false;
	}
	if (need <= b->cap)
		return true;
	cap = b->cap < 128 ? 128 : b->cap < 1 << 20 ? b->cap * 2 :
	    b->cap + b->cap / 2;
	cap = cap < need ? need : cap;
	if ((p = realloc(b->data, cap)) == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void
peft_buf_put(struct peft_buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n > 0)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
peft_buf_putc(struct peft_buf *b, int c)
{
	char byte = (char)c;

	peft_buf_put(b, &byte, 1);
}

void
peft_buf_puts(struct peft_buf *b, const char *s)
{
	peft_buf_put(b, s, strlen(s));
}

void
peft_buf_printf(struct peft_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n)) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
peft_buf_plain(struct peft_buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		peft_buf_putc(b, (unsigned char)*s < ' ' || *s == 0x7f ? '?' :
		    *s);
}

void
peft_buf_clear(struct peft_buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void
peft_buf_free(struct peft_buf *b)
{
	free(b->data);
	*b = (struct peft_buf){ 0 };
}

enum { HUGE_PAGE = 2 << 20 };

/* Whole huge pages within are asked for: a page that is touched first costs
 * as much as it takes to fill several, and these are 512 times fewer.  No harm
 * if there are none. */
static void *
in_huge_pages(void *p, size_t bytes)
{
	uintptr_t from = ((uintptr_t)p + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	uintptr_t to = ((uintptr_t)p + bytes) / HUGE_PAGE * HUGE_PAGE;

	if (from < to)
		(void)madvise((char *)p + (from - (uintptr_t)p), to - from,
		    MADV_HUGEPAGE);
	return p;
}

void *
peft_calloc(size_t n, size_t size, struct peft_err *err)
{
	size_t bytes;
	void *p = NULL;

	/* a request for nothing is not a failure; calloc would check the
	 * product as well, but sanitizers take that for a mistake */
	if (__builtin_mul_overflow(n, size, &bytes) ||
	    (p = calloc(bytes == 0 ? 1 : bytes, 1)) == NULL) {
		peft_seterr(err, "no memory for %zu x %zu bytes", n, size);
		return NULL;
	}
	return in_huge_pages(p, bytes);
}

void *
peft_table_alloc(size_t n, size_t size, struct peft_err *err)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes < HUGE_PAGE ||
	    bytes > SIZE_MAX - HUGE_PAGE)
		return peft_calloc(n, size, err);
	bytes = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	if ((p = aligned_alloc(HUGE_PAGE, bytes)) == NULL) {
		peft_seterr(err, "no memory for %zu bytes", bytes);
		return NULL;
	}
	return in_huge_pages(p, bytes);
}

void *
peft_grow(void *array, size_t n, size_t *cap, size_t size,
    struct peft_err *err)
{
	size_t more, bytes;
	void *p;

	if (n < *cap)
		return array;
	if (__builtin_add_overflow(*cap, *cap / 2 + 8, &more) ||
	    __builtin_mul_overflow(more, size, &bytes) ||
	    (p = realloc(array, bytes)) == NULL) {
		peft_seterr(err, "no memory for more than %zu elements", n);
		return NULL;
	}
	*cap = more;
	return p;
}

char *
peft_strdup(const char *s, struct peft_err *err)
{
	size_t n = strlen(s) + 1;
	char *p = peft_calloc(n, 1, err);

	return p == NULL ? NULL : memcpy(p, s, n);
}

size_t
peft_utf8_len(const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned c, lo = 0x80, hi = 0xbf;
	size_t len, i;

	if (n == 0)
		return 0;
	if ((c = s[0]) < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : lo;
	hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : hi;
	if (len > n || s[1] < lo || s[1] > hi)
		return 0;
	for (i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool
peft_utf8_all(const char *s, size_t n)
{
	size_t at, len;
	uint64_t some;

	for (at = 0; at < n; at += len) {
		if (n - at >= sizeof(some)) {
			memcpy(&some, s + at, len = sizeof(some));
			if ((some & 0x8080808080808080u) == 0)
				continue;
		}
		if ((len = peft_utf8_len(s + at, n - at)) == 0)
			return false;
	}
	return true;
}

unsigned
peft_utf8_get(const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned cp;
	size_t i;

	if (len == 1)
		return s[0];
	cp = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++)
		cp = cp << 6 | (s[i] & 0x3f);
	return cp;
}

size_t
peft_utf8_put(char dst[4], unsigned cp)
{
	size_t len = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4, i;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (i = len - 1; i > 0; i--, cp >>= 6)
		dst[i] = (char)(0x80 | (cp & 0x3f));
	dst[0] = (char)(lead[len] | cp);
	return len;
}
