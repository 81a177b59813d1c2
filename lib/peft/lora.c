/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA (Hu et al. 2021) as PEFT has it: y += s (B (A drop(x)) + b), with s =
 * alpha / r, or alpha / sqrt(r) with rsLoRA (Kalajdzievski 2023).  A [r, in],
 * B [out, r]; b [out] only with lora_bias.  On an embedding the row of a
 * token is added to: A [r, vocab], B [dim, r].  With use_dora the output is
 * scaled by rows besides: see dora.c.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/dora.h"
#include "peft/parameters.h"
#include "peft/target.h"

static const char *const keys[][2] = {
	{ "r", "8" }, { "exclude_modules", "null" }, { "lora_alpha", "8" },
	{ "lora_dropout", "0.0" }, { "fan_in_fan_out", "false" },
	{ "bias", "\"none\"" }, { "use_rslora", "false" },
	{ "modules_to_save", "null" }, { "init_lora_weights", "true" },
	{ "layers_to_transform", "null" }, { "layers_pattern", "null" },
	{ "rank_pattern", "{}" }, { "alpha_pattern", "{}" },
	{ "megatron_config", "null" }, { "megatron_core", "\"megatron.core\"" },
	{ "trainable_token_indices", "null" }, { "loftq_config", "{}" },
	{ "eva_config", "null" }, { "corda_config", "null" },
	{ "lora_ga_config", "null" }, { "use_dora", "false" },
	{ "velora_config", "null" }, { "alora_invocation_tokens", "null" },
	{ "use_qalora", "false" }, { "qalora_group_size", "16" },
	{ "monteclora_config", "null" }, { "layer_replication", "null" },
	{ "lora_bias", "false" }, { "target_parameters", "null" },
	{ "use_bdlora", "null" }, { "arrow_config", "null" },
	{ "kasa_config", "null" }, { "ensure_weight_tying", "false" },
	{ NULL, NULL }
};

static const char *const patterns[] = { "rank_pattern", "alpha_pattern",
	NULL };

/* Variants of the arithmetic that are not known here. */
static const char *const off[] = {
	"use_qalora", "layer_replication",
	"velora_config", "monteclora_config",
	"kasa_config", "arrow_config", "use_bdlora", "megatron_config",
	"ensure_weight_tying", NULL
};

/* init_lora_weights, from 2 on (false, true). */
static const char *const starts[] = {
	"gaussian", "orthogonal", "pissa", "olora", "eva", "mica", "corda",
	"loftq", "lora_ga", NULL
};

/* "pissa_niter_N" is a word with a number in it. */
static int
parse_start(const cJSON *config, struct peft_lora *l, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, "init_lora_weights");
	int start = PEFT_LORA_TRUE;

	if (cJSON_IsString(v) &&
	    strncmp(v->valuestring, "pissa_niter_", 12) == 0)
		start = PEFT_LORA_NITER;
	else if (peft_config_choice(config, "init_lora_weights", starts,
	    &start, err) == -1)
		return -1;
	l->start = (enum peft_lora_start)start;
	return 0;
}

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	struct peft_lora *l = peft_calloc(1, sizeof(*l), err);
	size_t i;

	if ((*settings = l) == NULL)
		return -1;
	*l = (struct peft_lora){ .r = 8, .alpha = 8 };
	if (peft_json_int(config, "r", 1, 1 << 20, &l->r, err) == -1 ||
	    peft_json_real(config, "lora_alpha", &l->alpha, err) == -1 ||
	    peft_config_dropout(config, "lora_dropout", &l->dropout,
	    err) == -1 ||
	    peft_json_bool(config, "use_rslora", &l->rslora, err) == -1 ||
	    peft_json_bool(config, "lora_bias", &l->bias, err) == -1 ||
	    peft_json_bool(config, "use_dora", &l->dora, err) == -1 ||
	    parse_start(config, l, err) == -1)
		return -1;
	for (i = 0; off[i] != NULL; i++)
		if (peft_config_off(config, off[i], err) == -1)
			return -1;
	if (l->dora && l->bias)
		return peft_seterr(err, "use_dora and lora_bias exclude each "
		    "other");
	if (l->start >= PEFT_LORA_PISSA && l->start != PEFT_LORA_EVA &&
	    cJSON_GetArraySize(peft_json_get(config,
	    "alora_invocation_tokens")) > 0)
		return peft_seterr(err, "alora_invocation_tokens excludes an "
		    "adapter that begins as a part of the weights");
	if (peft_target_has_parameters(config) &&
	    (l->dropout > 0 || l->bias || l->dora))
		return peft_seterr(err, "target_parameters excludes "
		    "lora_dropout, lora_bias and use_dora");
	l->rank_pattern = peft_json_get(config, "rank_pattern");
	l->alpha_pattern = peft_json_get(config, "alpha_pattern");
	return 0;
}

static int
embedding_shapes(const struct peft_lora *l, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	if (l->bias || cJSON_GetArraySize(peft_json_get(m->adapter->config,
	    "alora_invocation_tokens")) > 0)
		return peft_seterr(err, "neither lora_bias nor "
		    "alora_invocation_tokens is honoured on an embedding "
		    "here");
	out[PEFT_LORA_A] = peft_shape2("lora_embedding_A", m->rank,
	    m->site->in);
	out[PEFT_LORA_B] = peft_shape2("lora_embedding_B", m->site->out,
	    m->rank);
	if (l->dora)
		out[PEFT_LORA_MAGNITUDE] = peft_shape1(
		    "lora_magnitude_vector", m->site->out);
	return 0;
}

int
peft_lora_scale(const struct peft_lora *l, struct peft_module *m,
    struct peft_err *err)
{
	double r, alpha;

	if (peft_config_rank(l->rank_pattern, m, l->r, err) == -1 ||
	    peft_pattern_value(l->alpha_pattern, m->site->path, l->alpha,
	    &alpha, err) == -1)
		return -1;
	r = (double)m->rank;
	m->scale = (float)(l->rslora ? alpha / sqrt(r) : alpha / r);
	return 0;
}

/* What it began as is kept. */
static int
begin_shapes(const struct peft_lora *l, struct peft_shape *out,
    struct peft_err *err)
{
	if (l->dora || l->bias)
		return peft_seterr(err, "an adapter that begins as a part of "
		    "the weight excludes use_dora and lora_bias");
	out[PEFT_LORA_A0] = out[PEFT_LORA_A];
	out[PEFT_LORA_B0] = out[PEFT_LORA_B];
	out[PEFT_LORA_A0].suffix = "lora_A0";
	out[PEFT_LORA_B0].suffix = "lora_B0";
	out[PEFT_LORA_A0].fixed = out[PEFT_LORA_B0].fixed = true;
	out[PEFT_LORA_A0].unsaved = out[PEFT_LORA_B0].unsaved = true;
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_lora *l = settings;
	const struct peft_site *s = m->site;
	bool embedding = s->kind == PEFT_EMBEDDING;

	if (peft_lora_scale(l, m, err) == -1)
		return -1;
	m->dropout = embedding ? 0 : l->dropout;
	/* PEFT writes the base's own weight beside; fresh ones do not */
	if (!m->adapter->fresh && s->kind != PEFT_LINEAR)
		out[PEFT_LORA_BASE] = (struct peft_shape){
		    "base_layer.weight", 2, { embedding ? s->in : s->out,
		    embedding ? s->out : s->in }, .fixed = true,
		    .droppable = true };
	if (embedding)
		return embedding_shapes(l, m, out, err);
	out[PEFT_LORA_A] = peft_shape2("lora_A.weight", m->rank, s->in);
	out[PEFT_LORA_B] = peft_shape2("lora_B.weight", s->out, m->rank);
	if (l->bias)
		out[PEFT_LORA_BIAS] = peft_shape1("lora_B.bias", s->out);
	if (l->dora)
		out[PEFT_LORA_MAGNITUDE] = peft_shape1(
		    "lora_magnitude_vector", s->out);
	if (m->adapter->fresh && (l->start == PEFT_LORA_CORDA ||
	    l->start == PEFT_LORA_GA))
		return begin_shapes(l, out, err);
	return 0;
}

/* A: kaiming_uniform(a = sqrt 5), which is U(-1/sqrt(in), 1/sqrt(in)), or
 * N(0, 1/r^2); B and b: zero, so that the adapter begins as nothing, or as
 * torch's Linear has them (init_lora_weights false).  On an embedding A is
 * zero and B ~ N(0, 1). */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_lora *l = settings;
	double in = (double)(part == PEFT_LORA_A ? m->site->in : m->rank);

	if (part > PEFT_LORA_BIAS)
		peft_init_const(value, n, 0);
	else if (m->site->kind == PEFT_EMBEDDING) {
		if (part == PEFT_LORA_B || l->start == PEFT_LORA_FALSE)
			peft_init_normal(rng, value, n, 1);
	} else if (part != PEFT_LORA_A && l->start != PEFT_LORA_FALSE)
		peft_init_const(value, n, 0);
	else if (l->start == PEFT_LORA_GAUSSIAN)
		peft_init_normal(rng, value, n, 1 / (double)m->rank);
	else
		peft_init_uniform(rng, value, n, 1 / sqrt(in));
}

static bool
is_residual(const struct peft_module *m)
{
	const struct peft_lora *l = m->settings;

	return l->start == PEFT_LORA_PISSA || l->start == PEFT_LORA_OLORA ||
	    m->param[PEFT_LORA_A0] != NULL;
}

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	const struct peft_lora *l = m->settings;

	if (m->site->kind == PEFT_EMBEDDING)
		return l->dora ? &peft_dora_embedding_hook :
		    &peft_lora_embedding_hook;
	return l->dora ? &peft_dora_hook : is_residual(m) ?
	    &peft_residual_hook : &peft_lowrank_hook;
}

/* The base's weight in the file must be the base's. */
static int
check_base(const struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[PEFT_LORA_BASE];
	size_t cols, i, k;
	float *row;
	int r = 0;

	if (p == NULL || p->n == 0 || base == NULL)
		return 0;
	cols = p->shape[1];
	if ((row = peft_calloc(cols, sizeof(*row), err)) == NULL)
		return -1;
	for (i = 0; r == 0 && i < p->shape[0]; i++) {
		r = base->get(base->ctx, i, 1, row, err);
		for (k = 0; r == 0 && k < cols; k++)
			if (fabsf(row[k] - p->value[i * cols + k]) >
			    1e-6f + 0.01f * fabsf(row[k]))
				r = peft_setfail(err, PEFT_CHECK, "tensor %s "
				    "is not the weight of this base",
				    p->name);
	}
	free(row);
	return r;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_lora *l = m->settings;

	if (check_base(m, base, err) == -1)
		return -1;
	if (m->site->kind == PEFT_EMBEDDING)
		return l->dora ? peft_dora_embedding_prepare(m, base, err) :
		    0;
	if (l->dora)
		return peft_dora_prepare(m, base, err);
	return is_residual(m) ? peft_residual_prepare(m, base, err) :
	    peft_lowrank_prepare(m, base, err);
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_lora *l = m->settings;

	if (m->site->kind == PEFT_EMBEDDING && l->dora)
		return peft_dora_embedding_merge(m, first, n, weight, rows,
		    err);
	if (m->site->kind == PEFT_EMBEDDING)
		return peft_lora_embedding_merge(m, first, n, weight, rows);
	if (l->dora)
		return peft_dora_merge(m, first, n, weight, rows);
	if (peft_lowrank_merge(m, leaf, first, n, weight, rows, base,
	    err) == -1)
		return -1;
	if (leaf == PEFT_LEAF_WEIGHT && is_residual(m))
		peft_residual_merge(m, first, n, weight, rows);
	return 0;
}

const struct peft_method peft_lora = {
	.type = "LORA", .name = "lora",
	.knobs = { [PEFT_KNOB_RANK] = "r",
	    [PEFT_KNOB_ALPHA] = "lora_alpha",
	    [PEFT_KNOB_DROPOUT] = "lora_dropout" },
	.keys = keys, .patterns = patterns,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD | 1 << PEFT_EMBEDDING,
	.bounded = true,
	.parse = parse, .shapes = shapes, .init = init,
	.start = peft_lora_start, .prepare = prepare, .hook_for = hook_for,
	.changes = peft_lowrank_changes, .merge = merge,
	.finish = peft_lora_finish,
};
