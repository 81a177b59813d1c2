/* SPDX-License-Identifier: Apache-2.0 */
/* How a model's weights are quantised. */

#include <stdio.h>
#include <string.h>

#include "eval/inspect-impl.h"

struct kind {
	enum peft_dtype	dtype;
	unsigned	bits;
	size_t		many;
	char		scope[64];	/* what has a scale of its own */
	size_t		group;		/* elements of a row; 0: all */
	bool		nested;
};

enum { KINDS = 32 };

static struct kind
kind_of(const struct peft_weight *w)
{
	const struct peft_scales *sc = &w->scales;
	struct kind k = { .dtype = w->dtype, .many = 1, .bits = sc->bits,
	    .nested = sc->nested_blocksize > 0 };

	if (w->dtype == PEFT_MXFP4) {
		k.bits = 4;
		k.group = 32;
		snprintf(k.scope, sizeof(k.scope), "group of 32");
	} else if (sc->blocksize > 0) {
		k.bits = 4;
		k.group = sc->blocksize;
		snprintf(k.scope, sizeof(k.scope), "%zu weights",
		    sc->blocksize);
	} else if (sc->group == 0) {
		k.bits = 8;
		snprintf(k.scope, sizeof(k.scope), "row");
	} else if (w->ndim == 2 && sc->group_rows == w->rows &&
	    sc->group >= w->cols) {
		snprintf(k.scope, sizeof(k.scope), "weight");
	} else if (sc->group_rows > 1) {
		k.group = sc->group;
		snprintf(k.scope, sizeof(k.scope), "block of %zu x %zu",
		    sc->group_rows, sc->group);
	} else if (w->ndim == 2 && sc->group >= w->cols)
		snprintf(k.scope, sizeof(k.scope), "row");
	else {
		k.group = sc->group;
		snprintf(k.scope, sizeof(k.scope), "group of %zu", sc->group);
	}
	return k;
}

static void
count(struct kind kinds[KINDS], size_t *n, struct kind k)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if (kinds[i].dtype == k.dtype && kinds[i].bits == k.bits &&
		    kinds[i].nested == k.nested &&
		    strcmp(kinds[i].scope, k.scope) == 0)
			break;
	if (i < *n)
		kinds[i].many++;
	else if (*n < KINDS)
		kinds[(*n)++] = k;
}

static const char *
method_of(const struct peft_source *s, enum peft_dtype t)
{
	enum peft_quantmethod m = peft_source_quant(s)->method;

	if (m == PEFT_QM_NONE)		/* the tensors alone tell */
		m = t == PEFT_NF4 || t == PEFT_FP4 || t == PEFT_INT8 ?
		    PEFT_QM_BNB : t == PEFT_MXFP4G ? PEFT_QM_MXFP4 :
		    PEFT_QM_FP8;
	return peft_quantmethods[m];
}

void
peft_inspect_quant(cJSON *report, const struct peft_source *s)
{
	const struct peft_quantcfg *c = peft_source_quant(s);
	struct kind kinds[KINDS];
	size_t n = 0, i, others = 0;
	cJSON *j, *list;

	for (i = 0; i < peft_source_count(s); i++) {
		const struct peft_weight *w = peft_source_at(s, i);

		if (w->scales.nabsmax > 0 || (w->dtype == PEFT_MXFP4 &&
		    c->method == PEFT_QM_MXFP4))
			count(kinds, &n, kind_of(w));
		else
			others++;
	}
	if (n == 0)
		return;
	j = cJSON_AddObjectToObject(report, "quantization");
	cJSON_AddStringToObject(j, "method", method_of(s, kinds[0].dtype));
	list = cJSON_AddArrayToObject(j, "kinds");
	for (i = 0; i < n; i++) {
		cJSON *e = cJSON_CreateObject();

		cJSON_AddStringToObject(e, "type",
		    peft_dtypes[kinds[i].dtype].name);
		cJSON_AddNumberToObject(e, "bits", kinds[i].bits);
		cJSON_AddStringToObject(e, "scale_for", kinds[i].scope);
		if (kinds[i].group > 0)
			cJSON_AddNumberToObject(e, "group_size",
			    (double)kinds[i].group);
		if (kinds[i].nested)
			cJSON_AddBoolToObject(e, "double", true);
		cJSON_AddNumberToObject(e, "weights", (double)kinds[i].many);
		cJSON_AddItemToArray(list, e);
	}
	if (c->method == PEFT_QM_GPTQ) {
		cJSON_AddBoolToObject(j, "act_order", c->act_order);
		cJSON_AddBoolToObject(j, "symmetric", c->scheme[0].symmetric);
	}
	if (c->activations)
		cJSON_AddStringToObject(j, "activations", "not quantised here");
	cJSON_AddNumberToObject(j, "not_quantised", (double)others);
}
