/* SPDX-License-Identifier: Apache-2.0 */
/* The rows [out, in] of a weight that is stored [in, out]. */

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
