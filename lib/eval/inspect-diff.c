/* SPDX-License-Identifier: Apache-2.0 */
/* How two models or adapters differ. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "eval/inspect.h"
#include "quant/quant.h"
#include "tensor/source.h"

/* Relative RMS and largest difference of two weights of one shape. */
static int
compare(const struct peft_weight *a, const struct peft_weight *b,
    double *rms, double *max, struct peft_err *err)
{
	enum { PIECE = 4096 * 16 };
	float *x = peft_calloc(2 * PIECE, sizeof(*x), err), *y = x + PIECE;
	double sum = 0, square = 0, d;
	size_t at, n, i;

	if (x == NULL)
		return -1;
	*max = 0;
	for (at = 0; at < a->nelem; at += n) {
		n = a->nelem - at < PIECE ? a->nelem - at : PIECE;
		peft_decode(a, at, n, x);
		peft_decode(b, at, n, y);
		for (i = 0; i < n; i++) {
			d = (double)y[i] - (double)x[i];
			sum += d * d;
			square += (double)x[i] * (double)x[i];
			*max = fabs(d) > *max ? fabs(d) : *max;
		}
	}
	*rms = sqrt(sum / (square > 0 ? square : 1));
	free(x);
	return 0;
}

static int
put_pair(struct peft_buf *b, const struct peft_inspectopt *o,
    struct peft_source *s, struct peft_source *t, size_t i, size_t k,
    bool *differ, struct peft_err *err)
{
	struct peft_weight x, y;
	double rms, max;

	if (peft_source_load(s, i, &x, err) == -1 ||
	    peft_source_load(t, k, &y, err) == -1)
		return -1;
	if (x.nelem != y.nelem || x.rows != y.rows ||
	    !peft_can_decode(x.dtype) || !peft_can_decode(y.dtype))
		return peft_seterr(err, "weight %s: the two cannot be compared",
		    x.name);
	if (compare(&x, &y, &rms, &max, err) == -1)
		return -1;
	if (max == 0 && x.dtype == y.dtype)
		return 0;
	*differ = true;
	if (o->json) {
		peft_buf_puts(b, "{\"name\":");
		peft_json_putstr(b, x.name, strlen(x.name));
		peft_buf_printf(b, ",\"a\":\"%s\",\"b\":\"%s\",\"rms\":%.6g,"
		    "\"max\":%.6g}\n", peft_dtypes[x.dtype].name,
		    peft_dtypes[y.dtype].name, rms, max);
	} else
		peft_buf_printf(b, "%-52s %-6s %-6s rms %.3e max %.3e\n",
		    x.name, peft_dtypes[x.dtype].name,
		    peft_dtypes[y.dtype].name, rms, max);
	return 0;
}

static int
diff(struct peft_source *s, struct peft_source *t,
    const struct peft_inspectopt *o, struct peft_buf *b, struct peft_err *err)
{
	bool differ = false;
	size_t i, k, only = 0;

	for (i = 0; i < peft_source_count(s); i++) {
		const char *name = peft_source_at(s, i)->name;

		k = peft_source_find(t, name);
		if (k == SIZE_MAX) {
			peft_buf_printf(b, "%s is in the first alone\n", name);
			only++;
		} else if (put_pair(b, o, s, t, i, k, &differ, err) == -1)
			return -1;
	}
	for (i = 0; i < peft_source_count(t); i++)
		if (peft_source_find(s, peft_source_at(t, i)->name) ==
		    SIZE_MAX) {
			peft_buf_printf(b, "%s is in the second alone\n",
			    peft_source_at(t, i)->name);
			only++;
		}
	return differ || only > 0 ? peft_setfail(err, PEFT_CHECK,
	    "they differ") : 0;
}

int
peft_inspect_diff(const char *a, const char *b,
    const struct peft_inspectopt *o, struct peft_buf *out,
    struct peft_err *err)
{
	struct peft_source *s = peft_source_open(a, err), *t = NULL;
	int r = -1;

	if (s != NULL && (t = peft_source_open(b, err)) != NULL)
		r = diff(s, t, o, out, err);
	peft_source_close(s);
	peft_source_close(t);
	return r;
}
