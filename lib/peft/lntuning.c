/* SPDX-License-Identifier: Apache-2.0 */
/* LN tuning (Qi et al. 2022): norms get weights of their own. */

#include <string.h>

#include "peft/vector.h"

enum { WEIGHT };

static const char *const keys[][2] = {
	{ "exclude_modules", "null" }, { "modules_to_save", "null" },
	{ NULL, NULL }
};

static const char *const usual[] = { "input_layernorm",
	"post_attention_layernorm", "norm", NULL };

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	(void)config;
	(void)err;
	*settings = NULL;
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	(void)settings;
	if (m->site->bias != SIZE_MAX)
		return peft_seterr(err, "norms with a bias are not honoured "
		    "for LN_TUNING here");
	out[WEIGHT] = peft_shape1("ln_tuning_layers.weight", m->site->in);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	(void)m;
	(void)part;
	(void)rng;
	peft_init_const(value, n, 1);
}

static int
start(struct peft_module *m, struct peft_err *err)
{
	if (m->site->norm == NULL)
		return peft_seterr(err, "LN_TUNING needs the model's weights "
		    "to begin from");
	memcpy(m->param[WEIGHT]->value, m->site->norm, m->site->in *
	    sizeof(float));
	return 0;
}

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	(void)m;
	return leaf == PEFT_LEAF_WEIGHT;
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	size_t i;

	(void)leaf;
	(void)first;
	(void)n;
	(void)base;
	(void)err;
	for (i = 0; i < m->site->in; i++)
		rows[i] += weight * (m->param[WEIGHT]->value[i] - rows[i]);
	return 0;
}

const struct peft_method peft_ln_tuning = {
	.type = "LN_TUNING", .name = "ln-tuning", .keys = keys,
	.usual = usual, .kinds = 1 << PEFT_NORM, .parse = parse,
	.shapes = shapes, .init = init, .start = start,
	.prepare = peft_vector_prepare, .hook = &peft_vector_hook,
	.changes = changes, .merge = merge,
};
