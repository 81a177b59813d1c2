/* SPDX-License-Identifier: Apache-2.0 */
/* A base's rows with an adapter added to them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peft/method.h"

static const char *const leaves[PEFT_NLEAF] = {
	[PEFT_LEAF_WEIGHT] = "weight", [PEFT_LEAF_BIAS] = "bias",
};

struct merged {
	struct peft_rows	 base;
	const struct peft_module *module;
	enum peft_leaf		 leaf;
	float			 weight;
	float			*whole;		/* merged, as it is stored */
};

/* dst[cols, rows] = src[rows, cols] turned over. */
static void
turn(float *dst, const float *src, size_t rows, size_t cols)
{
	size_t r, c;

	for (r = 0; r < rows; r++)
		for (c = 0; c < cols; c++)
			dst[c * rows + r] = src[r * cols + c];
}

/* A weight stored [in, out]: methods know rows of [out, in], so the whole is
 * turned over, merged and turned back. */
static int
merge_turned(struct merged *m, struct peft_err *err)
{
	const struct peft_site *s = m->module->site;
	float *t = peft_calloc(s->in * s->out, sizeof(*t), err);
	int r = -1;

	m->whole = peft_calloc(s->in * s->out, sizeof(*t), err);
	if (t != NULL && m->whole != NULL &&
	    m->base.get(m->base.ctx, 0, s->in, m->whole, err) == 0) {
		turn(t, m->whole, s->in, s->out);
		r = m->module->adapter->method->merge(m->module, m->leaf, 0,
		    s->out, m->weight, t, err);
		turn(m->whole, t, s->out, s->in);
	}
	free(t);
	return r;
}

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	struct merged *m = ctx;
	size_t out = m->module->site->out;

	if (m->module->site->transposed && m->leaf == PEFT_LEAF_WEIGHT) {
		if (m->whole == NULL && merge_turned(m, err) == -1)
			return -1;
		memcpy(dst, m->whole + first * out, n * out * sizeof(*dst));
		return 0;
	}
	if (m->base.get(m->base.ctx, first, n, dst, err) == -1)
		return -1;
	return m->module->adapter->method->merge(m->module, m->leaf, first, n,
	    m->weight, dst, err);
}

/* What the base's tensors call the site. */
static const char *
stem_of(const struct peft_site *s)
{
	return s->stem != NULL ? s->stem : s->path;
}

/* The module that changes the tensor `name' ("PATH.weight"), or NULL. */
static const struct peft_module *
module_of(const struct peft_adapter *a, const char *name,
    enum peft_leaf *leaf)
{
	const char *dot = strrchr(name, '.');
	size_t n, i;
	int k;

	if (dot == NULL || a->method->changes == NULL)
		return NULL;
	for (n = (size_t)(dot - name), i = 0; i < a->nmodules; i++) {
		const struct peft_module *m = &a->modules[i];
		const char *stem = stem_of(m->site);

		if (strncmp(name, stem, n) != 0 || stem[n] != '\0')
			continue;
		for (k = 0; k < PEFT_NLEAF; k++)
			if (strcmp(dot + 1, leaves[k]) == 0 &&
			    a->method->changes(m, *leaf = k))
				return m;
	}
	return NULL;
}

int
peft_adapter_target(const struct peft_adapter *a, size_t i, char *name,
    size_t size)
{
	size_t m, k;

	for (m = 0; m < a->nmodules; m++)
		for (k = 0; k < PEFT_NLEAF; k++) {
			if (a->method->changes == NULL ||
			    !a->method->changes(&a->modules[m], k) || i-- > 0)
				continue;
			snprintf(name, size, "%s.%s",
			    stem_of(a->modules[m].site), leaves[k]);
			return 1;
		}
	return 0;
}

bool
peft_adapter_touches(const struct peft_adapter *a, const char *name)
{
	enum peft_leaf leaf;

	return module_of(a, name, &leaf) != NULL;
}

int
peft_adapter_merge(struct peft_adapter *a, const char *name,
    const struct peft_rows *base, float weight, struct peft_rows *rows,
    struct peft_err *err)
{
	enum peft_leaf leaf;
	const struct peft_module *module = module_of(a, name, &leaf);
	struct merged *m;

	if (module == NULL)
		return 0;
	if ((m = peft_calloc(1, sizeof(*m), err)) == NULL)
		return -1;
	*m = (struct merged){ *base, module, leaf, weight, NULL };
	*rows = (struct peft_rows){ .get = get, .ctx = m };
	return 1;
}

void
peft_rows_free(struct peft_rows *rows)
{
	if (rows->get == get) {
		free(((struct merged *)rows->ctx)->whole);
		free(rows->ctx);
	}
	memset(rows, 0, sizeof(*rows));
}
