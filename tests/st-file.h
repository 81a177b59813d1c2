/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ST_FILE_H
#define TESTS_ST_FILE_H

/* Small safetensors files for tests of sources, and what is said of them. */

#include <stdio.h>
#include <string.h>

#include "tap.h"
#include "tensor/source.h"
#include "tensor/st.h"

/* A tensor to be written: a list of n, or a matrix of n x cols. */
struct item {
	const char	*name;
	enum peft_dtype	 dtype;
	size_t		 n, cols;
	const void	*data;
};

static inline void
put(const char *path, const void *p, size_t n)
{
	FILE *fp = fopen(path, "w");

	if (fp == NULL || fwrite(p, 1, n, fp) != n || fclose(fp) == EOF) {
		printf("Bail out! %s\n", path);
		exit(1);
	}
}

/* Items up to one without a name; `more', if not NULL, has the third and the
 * fourth dimension of each, or 0. */
static inline void
put_st_deep(const char *path, const struct item *items,
    const size_t (*more)[2])
{
	struct peft_st_entry e[16] = { { 0 } };
	struct peft_err err = { 0 };
	FILE *fp = fopen(path, "w");
	char names[16][64];
	size_t n;

	for (n = 0; n < 16 && items[n].name != NULL; n++) {
		snprintf(names[n], sizeof(names[n]), "%s", items[n].name);
		e[n] = (struct peft_st_entry){ .name = names[n],
		    .dtype = items[n].dtype, .ndim = items[n].cols > 0 ? 2 : 1,
		    .shape = { items[n].n, items[n].cols } };
		if (more != NULL && more[n][0] > 0) {
			e[n].ndim = more[n][1] > 0 ? 4 : 3;
			memcpy(e[n].shape + 2, more[n], sizeof(more[n]));
		}
		need(peft_st_size(e[n].dtype, e[n].ndim, e[n].shape,
		    &e[n].nbytes, &err) == 0, &err);
	}
	need(fp != NULL && peft_st_write(fp, path, e, n, NULL, &err) == 0,
	    &err);
	for (n = 0; n < 16 && items[n].name != NULL; n++)
		fwrite(items[n].data, 1, e[n].nbytes, fp);
	fclose(fp);
}

static inline void
put_st(const char *path, const struct item *items)
{
	put_st_deep(path, items, NULL);
}

/* The error of opening, or of reading all; "" if there is none. */
static inline void
why(const char *path, struct peft_err *err)
{
	struct peft_source *s = peft_source_open(path, err);
	struct peft_weight w;
	size_t i;
	int r = s == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < peft_source_count(s); i++)
		r = peft_source_load(s, i, &w, err);
	if (r == 0)
		err->msg[0] = '\0';
	peft_source_close(s);
}

static inline void
refused(const char *path, enum peft_exit status, const char *part)
{
	struct peft_err err = { 0 };

	why(path, &err);
	if (!ok(err.status == status && err.msg[0] != '\0' && strstr(err.msg,
	    part) != NULL, "refused: %s", part))
		printf("# %s\n", err.msg);
}

#endif
