/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of sites as rows [out, in], however they are stored. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"

struct turned {
	size_t	 in;
	float	 rows[];
};

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct turned *t = ctx;

	(void)err;
	memcpy(dst, t->rows + first * t->in, n * t->in * sizeof(*dst));
	return 0;
}

int
peft_rows_turned(const struct peft_rows *stored, size_t in, size_t out,
    struct peft_rows *rows, struct peft_err *err)
{
	struct turned *t = peft_calloc(1, sizeof(*t) + in * out *
	    sizeof(float), err);
	float *row = peft_calloc(out, sizeof(*row), err);
	size_t i, k;
	int r = t == NULL || row == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < in; i++) {
		r = stored->get(stored->ctx, i, 1, row, err);
		for (k = 0; r == 0 && k < out; k++)
			t->rows[k * in + i] = row[k];
	}
	free(row);
	if (r == -1) {
		free(t);
		return -1;
	}
	t->in = in;
	*rows = (struct peft_rows){ .get = get, .ctx = t };
	return 0;
}

void
peft_rows_turned_free(struct peft_rows *rows)
{
	if (rows->get == get)
		free(rows->ctx);
	memset(rows, 0, sizeof(*rows));
}

int
peft_site_rows(const struct peft_site *site, struct peft_rows *rows,
    struct peft_err *err)
{
	struct peft_rows stored;

	*rows = (struct peft_rows){ 0 };
	if (site == NULL || site->w == NULL)
		return 0;
	stored = peft_rows_of(site->w);
	if (!site->transposed) {
		*rows = stored;
		return 1;
	}
	return peft_rows_turned(&stored, site->in, site->out, rows, err) ==
	    -1 ? -1 : 1;
}

int
peft_module_base(const struct peft_module *m, struct peft_rows *rows,
    struct peft_err *err)
{
	int r = peft_site_rows(m->site, rows, err);

	if (r != 0)
		return r == 1 ? 0 : -1;
	return peft_seterr(err, "%s needs the model's weights to begin from",
	    m->method->type == NULL ? "this" : m->method->type);
}

/* All of them, which are freed. */
static float *
values_of(const struct peft_site *site, struct peft_rows *rows,
    struct peft_err *err)
{
	size_t n = site->kind == PEFT_EMBEDDING ? site->in : site->out;
	float *w = peft_calloc(site->in * site->out, sizeof(*w), err);

	if (w != NULL && rows->get(rows->ctx, 0, n, w, err) == -1) {
		free(w);
		w = NULL;
	}
	peft_rows_turned_free(rows);
	return w;
}

float *
peft_module_weight(const struct peft_module *m, struct peft_err *err)
{
	struct peft_rows rows;

	return peft_module_base(m, &rows, err) == -1 ? NULL :
	    values_of(m->site, &rows, err);
}

float *
peft_site_weight(const struct peft_site *site, const struct peft_weight *w,
    struct peft_err *err)
{
	struct peft_site loaded = *site;
	struct peft_rows rows;

	loaded.w = w;
	return peft_site_rows(&loaded, &rows, err) == -1 ? NULL :
	    values_of(&loaded, &rows, err);
}
