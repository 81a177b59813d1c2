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

/* init_lora_weights, from 2 on (false, true). */
static const char *const starts[] = {
	"gaussian", "orthogonal", "pissa", "olora", "eva", "mica", "corda",
	"loftq", "lora_ga", NULL
};

/* "pissa_niter_N" is a word with a number in it. */
static int
read_start(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, s->key);

	if (!cJSON_IsString(v) ||
	    strncmp(v->valuestring, "pissa_niter_", 12) != 0)
		return peft_set_choice(s, config, at, err);
	*(int *)at = PEFT_LORA_NITER;
	return 0;
}

#define AT(field)	offsetof(struct peft_lora, field)
const struct peft_setting peft_lora_keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET("lora_alpha", "8", peft_set_real, AT(alpha)),
	PEFT_SET("lora_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET("use_rslora", "false", peft_set_bool, AT(rslora)),
	PEFT_SET("lora_bias", "false", peft_set_bool, AT(bias)),
	PEFT_SET("use_dora", "false", peft_set_bool, AT(dora)),
	PEFT_SET_WORD("init_lora_weights", "true", read_start, AT(start),
	    starts),
	PEFT_SET("rank_pattern", "{}", peft_set_pattern, AT(rank_pattern)),
	PEFT_SET("alpha_pattern", "{}", peft_set_pattern, AT(alpha_pattern)),
	PEFT_SET_TARGETS,
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_LATER("trainable_token_indices", "null"),
	PEFT_SET_LATER("target_parameters", "null"),
	PEFT_SET_LATER("alora_invocation_tokens", "null"),
	PEFT_SET_LATER("loftq_config", "{}"),
	PEFT_SET_LATER("eva_config", "null"),
	PEFT_SET_LATER("corda_config", "null"),
	PEFT_SET_LATER("lora_ga_config", "null"),
	/* variants of the arithmetic that are not known here */
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_OFF("use_qalora", "false"),
	PEFT_SET_LATER("qalora_group_size", "16"),
	PEFT_SET_OFF("layer_replication", "null"),
	PEFT_SET_OFF("velora_config", "null"),
	PEFT_SET_OFF("monteclora_config", "null"),
	PEFT_SET_OFF("kasa_config", "null"),
	PEFT_SET_OFF("arrow_config", "null"),
	PEFT_SET_OFF("use_bdlora", "null"),
	PEFT_SET_OFF("megatron_config", "null"),
	PEFT_SET_LATER("megatron_core", "\"megatron.core\""),
	PEFT_SET_LATER("ensure_weight_tying", "false"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct peft_lora *l = settings;

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
	return m->both ? peft_lora_tied_shapes(l, m, out, err) : 0;
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
	if (l->bias)
		return peft_seterr(err, "an adapter that begins as a part of "
		    "the weight excludes lora_bias");
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
	if (embedding)
		return embedding_shapes(l, m, out, err);
	if (s->kind == PEFT_HEAD && s->weight == SIZE_MAX &&
	    (l->start == PEFT_LORA_PISSA || l->start == PEFT_LORA_OLORA))
		return peft_seterr(err, "it is the embedding, which an "
		    "adapter that begins as a part of the weight would take "
		    "that part from as well");
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
 * zero and B ~ N(0, 1), or what A is on its head, if it is that. */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_lora *l = settings;
	double in = (double)(part == PEFT_LORA_A ? m->site->in : m->rank);

	if (part > PEFT_LORA_BIAS)
		peft_init_const(value, n, 0);
	else if (m->both && part == PEFT_LORA_B && l->start == PEFT_LORA_TRUE)
		peft_init_uniform(rng, value, n, 1 / sqrt(
		    (double)m->site->out));
	else if (m->both && part == PEFT_LORA_B &&
	    l->start == PEFT_LORA_GAUSSIAN)
		peft_init_normal(rng, value, n, 1 / (double)m->rank);
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

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	const struct peft_lora *l = m->settings;

	if (m->site->kind == PEFT_EMBEDDING)
		return l->dora ? &peft_dora_embedding_hook :
		    &peft_lora_embedding_hook;
	return l->dora ? peft_dora_hook_for(m) : peft_is_residual(m) ?
	    &peft_residual_hook : &peft_lowrank_hook;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_lora *l = m->settings;

	if (m->site->kind == PEFT_EMBEDDING)
		return l->dora ? peft_dora_embedding_prepare(m, base, err) :
		    0;
	if (l->dora)
		return peft_dora_prepare(m, base, err);
	return peft_is_residual(m) ? peft_residual_prepare(m, base, err) :
	    peft_lowrank_prepare(m, base, err);
}

static void
lacks(const struct peft_module *m, size_t i, float *row)
{
	const struct peft_lora *l = m->settings;

	if (peft_is_residual(m))
		peft_residual_row(m, l->dora ? peft_dora_began(m) :
		    peft_residual_began(m), i, 1, row);
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
	if (leaf == PEFT_LEAF_WEIGHT && peft_is_residual(m))
		peft_residual_merge(m, first, n, weight, rows);
	return 0;
}

const struct peft_method peft_lora = {
	.type = "LORA", .name = "lora",
	.knobs = { [PEFT_KNOB_RANK] = "r", [PEFT_KNOB_ALPHA] = "lora_alpha",
	    [PEFT_KNOB_DROPOUT] = "lora_dropout" },
	.keys = peft_lora_keys, .size = sizeof(struct peft_lora),
	.check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD | 1 << PEFT_EMBEDDING,
	.bounded = true, .shapes = shapes, .init = init,
	.start = peft_lora_start, .prepare = prepare, .lacks = lacks,
	.hook_for = hook_for,
	.changes = peft_lowrank_changes, .merge = merge,
	.finish = peft_lora_finish, .tie = peft_lora_tie,
	.twins = peft_lora_twins,
};
