/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prefix tuning (Li & Liang 2021): trained keys and values stand before those
 * of each sequence, in every layer.  With prefix_projection an embedding
 * [n, d] and two layers with a tanh between make them, d -> hidden -> layers
 * x 2 x d; only what they make is saved.
 */

#include <string.h>

#include "peft/projection.h"
#include "peft/row.h"

enum { EMBED = PEFT_PROJECT_EMBED, W1 = PEFT_PROJECT_W1,
	B1 = PEFT_PROJECT_B1, W2 = PEFT_PROJECT_W2, B2 = PEFT_PROJECT_B2 };

struct prefix {
	int64_t	hidden;
	bool	project, zero;
};

static int
read_start(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const char *start = "";

	if (peft_json_str(config, s->key, &start, err) == -1)
		return -1;
	*(bool *)at = strcmp(start, "zero") == 0;
	return *(bool *)at || start[0] == '\0' ? 0 : peft_seterr(err, "%s "
	    "\"%s\" is neither null nor \"zero\"", s->key, start);
}

#define AT(field)	offsetof(struct prefix, field)
static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_LATER("modules_to_save", "null"),
	PEFT_SET_INT("encoder_hidden_size", "null", AT(hidden), 1, 1 << 20),
	PEFT_SET("prefix_projection", "false", peft_set_bool, AT(project)),
	PEFT_SET("init_weights", "null", read_start, AT(zero)), PEFT_SET_END
};

static struct peft_shape
inner(struct peft_shape s)
{
	s.place = PEFT_AT_NONE;
	s.unsaved = true;
	return s;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct prefix *p = settings;
	const struct peft_config *c = m->adapter->model;
	size_t n, d, h;

	if (peft_virtual_common(m, true, out, err) == -1)
		return -1;
	if (!p->project || !m->adapter->fresh)
		return 0;
	n = m->own[PEFT_VIRTUAL_N];
	d = c->kv_heads * c->head_dim;
	h = p->hidden == 0 ? d : (size_t)p->hidden;
	out[PEFT_PROMPT].fixed = true;
	out[EMBED] = inner(peft_shape2("prompt_encoder.embedding.weight", n,
	    d));
	out[W1] = inner(peft_shape2("prompt_encoder.transform.0.weight", h,
	    d));
	out[B1] = inner(peft_shape1("prompt_encoder.transform.0.bias", h));
	out[W2] = inner(peft_shape2("prompt_encoder.transform.2.weight",
	    m->own[PEFT_VIRTUAL_WIDTH], h));
	out[B2] = inner(peft_shape1("prompt_encoder.transform.2.bias",
	    m->own[PEFT_VIRTUAL_WIDTH]));
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct prefix *p = settings;
	bool zero = p->zero && (part == W2 || part == B2 ||
	    m->param[W1] == NULL);

	if (zero || (part == PEFT_PROMPT && m->param[W1] != NULL))
		peft_init_const(value, n, 0);
	else if (part == PEFT_PROMPT || part == EMBED)
		peft_init_normal(rng, value, n, 1);
	else
		peft_layer_init(rng, m->param[part <= B1 ? W1 : W2]->shape[1],
		    value, n);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return peft_projection_prepare(m, err);
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	(void)product;
	peft_projection_begin(self, cpu, peft_nonlinear_tanh);
}

static void
end(void *self, struct peft_cpu *cpu)
{
	peft_projection_end(self, cpu, peft_nonlinear_tanh);
}

static const struct peft_hook_ops ops = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	return peft_virtual_attach(m, sites, index, true, &ops, err);
}

const struct peft_method peft_prefix_tuning = {
	.type = "PREFIX_TUNING", .name = "prefix-tuning",
	.keys = keys, .size = sizeof(struct prefix),
	.common = common, .init = init, .prepare = prepare, .attach = attach,
};
