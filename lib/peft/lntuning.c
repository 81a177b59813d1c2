/* SPDX-License-Identifier: Apache-2.0 */
/* LN tuning (Qi et al. 2022): norms get weights of their own. */

#include "peft/vector.h"

static const struct peft_setting keys[] = {
	PEFT_SET_LATER("exclude_modules", "null"),
	PEFT_SET_LATER("modules_to_save", "null"), PEFT_SET_END
};

static const char *const usual[] = { "input_layernorm",
	"post_attention_layernorm", "norm", NULL };

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	(void)settings;
	(void)err;
	peft_vector_shapes(m, "ln_tuning_layers.weight",
	    "ln_tuning_layers.bias", out);
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
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	(void)err;
	return peft_vector_merge(m, leaf, first, n, weight, rows);
}

const struct peft_method peft_ln_tuning = {
	.type = "LN_TUNING", .name = "ln-tuning",
	.keys = keys,
	.usual = usual, .kinds = 1 << PEFT_NORM, .shapes = shapes, .init = init,
	.start = peft_vector_start, .prepare = peft_vector_prepare,
	.hook = &peft_vector_hook, .changes = peft_vector_changes,
	.merge = merge,
};
