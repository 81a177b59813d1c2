/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GOLDEN_FILE_H
#define TESTS_GOLDEN_FILE_H

/* A safetensors file of reference numbers, wholly in memory: its tensors by
 * name, each at an address that suits any type. */

#include <stdint.h>
#include <string.h>

#include "base/in.h"
#include "tap.h"
#include "tensor/st.h"

struct golden {
	struct peft_st	  st;
	void		**data;		/* one a tensor */
};

static inline void
golden_open(struct golden *g, const char *path)
{
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 };
	const char *data;
	size_t len, i;

	need(peft_in_slurp(path, (size_t)1 << 30, &b, &err) == 0, &err);
	need(b.len >= PEFT_ST_PREFIX && peft_st_length((const unsigned char *)
	    b.data, &len, &err) == 0 && len <= b.len - PEFT_ST_PREFIX &&
	    peft_st_parse(&g->st, b.data + PEFT_ST_PREFIX, len, &err) == 0,
	    &err);
	data = b.data + PEFT_ST_PREFIX + len;
	need(g->st.nbytes == b.len - PEFT_ST_PREFIX - len, &err);
	g->data = peft_calloc(g->st.n, sizeof(*g->data), &err);
	need(g->data != NULL, &err);
	for (i = 0; i < g->st.n; i++) {
		const struct peft_st_entry *e = &g->st.entries[i];

		g->data[i] = peft_calloc(e->nbytes, 1, &err);
		need(g->data[i] != NULL, &err);
		memcpy(g->data[i], data + e->begin, e->nbytes);
	}
	peft_buf_free(&b);
}

/* The tensor called a followed by b, or NULL. */
static inline const void *
golden_find(const struct golden *g, const char *a, const char *b,
    size_t *nbytes)
{
	size_t n = strlen(a), i;

	for (i = 0; i < g->st.n; i++) {
		const struct peft_st_entry *e = &g->st.entries[i];

		if (strncmp(e->name, a, n) == 0 && strcmp(e->name + n, b) ==
		    0) {
			if (nbytes != NULL)
				*nbytes = e->nbytes;
			return g->data[i];
		}
	}
	return NULL;
}

/* The same, and the test ends if there is none. */
static inline const void *
golden_get(const struct golden *g, const char *a, const char *b,
    size_t *nbytes)
{
	const void *p = golden_find(g, a, b, nbytes);

	if (p == NULL) {
		printf("Bail out! no %s%s\n", a, b);
		exit(1);
	}
	return p;
}

static inline void
golden_close(struct golden *g)
{
	size_t i;

	for (i = 0; i < g->st.n; i++)
		free(g->data[i]);
	free(g->data);
	peft_st_free(&g->st);
}

#endif
