/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_BUF_H
#define PEFT_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * A growing string of bytes.  Start from { 0 }.  Failure to grow is sticky:
 * further puts do nothing and `failed' stays true, so that a caller checks
 * once, at the end.  data is always NUL-terminated once anything was put
 * (the NUL is not counted in len).
 */
struct peft_buf {
	char	*data;
	size_t	 len, cap;
	bool	 failed;
};

void	peft_buf_put(struct peft_buf *, const void *, size_t);
void	peft_buf_putc(struct peft_buf *, int);
void	peft_buf_puts(struct peft_buf *, const char *);
void	peft_buf_printf(struct peft_buf *, const char *, ...) PEFT_PRINTF(2, 3);
/* A string without what a terminal would obey: control characters are '?'. */
void	peft_buf_plain(struct peft_buf *, const char *);
void	peft_buf_clear(struct peft_buf *);	/* len = 0, keeps the memory */
void	peft_buf_free(struct peft_buf *);

/* calloc of n * size with the product checked, on large pages if it is large
 * and the system has them; NULL with *err set. */
void	*peft_calloc(size_t n, size_t size, struct peft_err *);

/* Room for a table in which any place may be the next to be looked at: the
 * same, but it begins with a large page.  What is in it is anything; free() it.
 * NULL with *err set. */
void	*peft_table_alloc(size_t n, size_t size, struct peft_err *);

/* Room for one more element of `size' bytes behind n of them: returns the
 * (perhaps moved) array, grown by half when full, NULL with *err set and the
 * old array untouched. */
void	*peft_grow(void *array, size_t n, size_t *cap, size_t size,
	    struct peft_err *);
char	*peft_strdup(const char *, struct peft_err *);

/* The length of the UTF-8 character at s (n bytes are there), 0 if it is
 * none: overlong forms, surrogates and values past U+10FFFF are none. */
size_t	peft_utf8_len(const char *s, size_t n);
/* Are all n bytes such characters? */
bool	peft_utf8_all(const char *s, size_t n);
/* Its code point; the character must be valid. */
unsigned peft_utf8_get(const char *s, size_t len);
size_t	peft_utf8_put(char dst[4], unsigned cp);

#endif
