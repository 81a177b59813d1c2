/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHiRA (Bhardwaj et al. 2024): the change of a weight is sparse: weight [n]
 * at rows indices[0], columns indices[1], n = r (in + out).
 */

#include <stdlib.h>
#include <string.h>

#include "peft/dense.h"

enum { WEIGHT, INDICES };

struct shira {
	int64_t	r;
	bool	random;
};

static int
read_mask(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const char *mask = "";

	(void)at;
	if (peft_json_str(config, s->key, &mask, err) == -1)
		return -1;
	return strcmp(mask, "random") == 0 ? 0 : peft_seterr(err, "%s \"%s\" "
	    "is not honoured here", s->key, mask);
}

#define AT(field)	offsetof(struct shira, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "32", AT(r), 1, 1 << 20),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET("mask_type", "\"random\"", read_mask, 0),
	PEFT_SET_LATER("random_seed", "null"),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_LATER("modules_to_save", "null"), PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct shira *s = settings;
	size_t in = m->site->in, rows = m->site->out;
	size_t n = (size_t)s->r * (in + rows);

	m->rank = (size_t)s->r;
	if (n > in * rows)
		return peft_seterr(err, "r %zu asks for more values than the "
		    "weight has", m->rank);
	out[WEIGHT] = peft_shape1("shira_weight", n);
	out[INDICES] = peft_shape2("shira_indices", 2, n);
	out[INDICES].fixed = true;
	out[INDICES].whole = PEFT_I32;
	return 0;
}

/* n places of in x out without repetition, in their order: each is taken with
 * the chance that makes n of what is left (Knuth's algorithm S). */
static void
places(const struct peft_module *m, struct peft_rng rng, float *value,
    size_t n)
{
	size_t in = m->site->in, left = in * m->site->out, i, k = 0;

	for (i = 0; k < n; i++, left--)
		if (peft_rng_below(rng, 0, i, left) < n - k) {
			value[k] = (float)(i / in);
			value[n + k++] = (float)(i % in);
		}
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct shira *s = settings;

	if (part == INDICES)
		places(m, rng, value, n / 2);
	else if (s->random)
		peft_init_normal(rng, value, n, 1);
	else
		peft_init_const(value, n, 0);
}

/* State: none; but what was read must lie within the weight. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[INDICES];
	size_t n = p->n / 2, i;

	(void)base;
	for (i = 0; i < p->n; i++)
		if (!(p->value[i] >= 0) || (size_t)p->value[i] >= (i < n ?
		    m->site->out : m->site->in))
			return peft_seterr(err, "tensor %s: its entry %zu is "
			    "outside of the weight", p->name, i + 1);
	return 0;
}

static void
rows_of(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t k, N = m->param[WEIGHT]->n;
	const float *at = m->param[INDICES]->value;

	(void)w;
	for (k = 0; k < N; k++) {
		size_t row = (size_t)at[k];

		if (row >= first && row < first + n)
			delta[(row - first) * m->site->in +
			    (size_t)at[N + k]] += m->param[WEIGHT]->value[k];
	}
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	size_t k, N = m->param[WEIGHT]->n;
	const float *at = m->param[INDICES]->value;

	(void)w;
	for (k = 0; k < N; k++) {
		size_t row = (size_t)at[k];

		if (row >= first && row < first + n)
			m->param[WEIGHT]->grad[k] += g[(row - first) *
			    m->site->in + (size_t)at[N + k]];
	}
}

static const struct peft_dense_ops ops = { NULL, rows_of, back };

const struct peft_method peft_shira = {
	.type = "SHIRA", .name = "shira", .knobs = { [PEFT_KNOB_RANK] = "r" },
	.keys = keys, .size = sizeof(struct shira),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .prepare = prepare, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
