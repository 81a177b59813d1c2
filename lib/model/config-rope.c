/* SPDX-License-Identifier: Apache-2.0 */
/* How rotary positions are made and stretched, from config.json
 * (transformers' modeling_rope_utils.py). */

#include <math.h>
#include <string.h>

#include "model/config-impl.h"

static const struct {
	const char		*name;
	enum peft_rope_kind	 kind;
} kinds[] = {
	{ "default", PEFT_ROPE_DEFAULT }, { "linear", PEFT_ROPE_LINEAR },
	{ "dynamic", PEFT_ROPE_DYNAMIC }, { "llama3", PEFT_ROPE_LLAMA3 },
	{ "yarn", PEFT_ROPE_YARN }, { "longrope", PEFT_ROPE_LONGROPE },
	{ "su", PEFT_ROPE_LONGROPE },	/* what Phi-3 called it once */
};

/* Keys of a rope scaling; which kinds need or know them is checked below. */
static const struct {
	const char	*name;
	size_t		 offset;
} reals[] = {
	{ "rope_theta", offsetof(struct peft_rope, theta) },
	{ "partial_rotary_factor", offsetof(struct peft_rope, partial) },
	{ "factor", offsetof(struct peft_rope, factor) },
	{ "low_freq_factor", offsetof(struct peft_rope, low_freq_factor) },
	{ "high_freq_factor", offsetof(struct peft_rope, high_freq_factor) },
	{ "original_max_position_embeddings",
	    offsetof(struct peft_rope, original_max_position) },
	{ "attention_factor", offsetof(struct peft_rope, attention_factor) },
	{ "beta_fast", offsetof(struct peft_rope, beta_fast) },
	{ "beta_slow", offsetof(struct peft_rope, beta_slow) },
	{ "mscale", offsetof(struct peft_rope, mscale) },
	{ "mscale_all_dim", offsetof(struct peft_rope, mscale_all_dim) },
};

enum { NREAL = sizeof(reals) / sizeof(reals[0]) };

static bool
is_listed(const char *key)
{
	static const char *const others[] = { "rope_type", "type", "truncate",
	    "short_factor", "long_factor", NULL };
	size_t i;

	for (i = 0; i < NREAL; i++)
		if (strcmp(reals[i].name, key) == 0)
			return true;
	for (i = 0; others[i] != NULL; i++)
		if (strcmp(others[i], key) == 0)
			return true;
	return false;
}

static int
read_list(const cJSON *s, const char *key, size_t n, float *out,
    struct peft_err *err)
{
	const cJSON *l = peft_json_get(s, key), *e;
	size_t i = 0;

	if (!cJSON_IsArray(l) || cJSON_GetArraySize(l) != (int)n)
		return peft_seterr(err, "rope scaling: %s is no list of %zu "
		    "numbers", key, n);
	cJSON_ArrayForEach(e, l) {
		if (!cJSON_IsNumber(e) || !(e->valuedouble > 0))
			return peft_seterr(err, "rope scaling: %s holds "
			    "something that is no number above 0", key);
		out[i++] = (float)e->valuedouble;
	}
	return 0;
}

/* What each kind cannot be without. */
static int
check(const struct peft_rope *r, const char *type, struct peft_err *err)
{
	bool llama3 = r->kind == PEFT_ROPE_LLAMA3;

	if (r->kind == PEFT_ROPE_DEFAULT)
		return 0;
	if (r->kind != PEFT_ROPE_LONGROPE && !(r->factor > 0))
		return peft_seterr(err, "rope scaling \"%s\" needs a factor "
		    "above 0", type);
	if (llama3 && (!(r->low_freq_factor > 0) || !(r->high_freq_factor >
	    r->low_freq_factor) || !(r->original_max_position > 0)))
		return peft_seterr(err, "rope scaling \"llama3\" needs factor, "
		    "low_freq_factor, high_freq_factor and "
		    "original_max_position_embeddings, all above 0");
	if (!(r->original_max_position > 0))
		return peft_seterr(err, "rope scaling \"%s\": "
		    "original_max_position_embeddings is not above 0", type);
	if (!(r->attention_factor >= 0) || !(r->beta_fast > 0) ||
	    !(r->beta_slow > 0) || !(r->mscale >= 0) ||
	    !(r->mscale_all_dim >= 0))
		return peft_seterr(err, "rope scaling \"%s\": a number is "
		    "below 0", type);
	return 0;
}

/* The turned part of a head, from its share. */
static size_t
turned(const struct peft_config *c, const struct peft_rope *r)
{
	return c->rope_dim > 0 ? c->rope_dim :
	    (size_t)((double)c->head_dim * r->partial);
}

static int
read_scaling(const struct peft_config *c, const cJSON *s, struct peft_rope *r,
    struct peft_err *err)
{
	const char *type = "default";
	const cJSON *e;
	size_t i;
	int k;

	if (!cJSON_IsObject(s))
		return peft_seterr(err, "rope scaling: not an object");
	cJSON_ArrayForEach(e, s)
		if (!is_listed(e->string))
			return peft_seterr(err, "rope scaling: key \"%s\" is "
			    "not honoured", e->string);
	for (i = 0; i < NREAL; i++)
		if (peft_json_real(s, reals[i].name, (double *)(void *)
		    ((char *)r + reals[i].offset), err) == -1)
			return -1;
	/* which was called type once */
	if ((k = peft_json_str(s, "rope_type", &type, err)) == -1 ||
	    (k == 0 && peft_json_str(s, "type", &type, err) == -1) ||
	    peft_json_bool(s, "truncate", &r->truncate, err) == -1)
		return -1;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, type) == 0)
			break;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return peft_seterr(err, "rope scaling \"%s\" is not honoured "
		    "(known: default, linear, dynamic, llama3, yarn, "
		    "longrope)", type);
	r->kind = kinds[i].kind;
	if (r->original_max_position == 0 && r->kind != PEFT_ROPE_LLAMA3)
		r->original_max_position = (double)c->max_position;
	if (check(r, type, err) == -1)
		return -1;
	if (r->kind != PEFT_ROPE_LONGROPE)
		return 0;
	i = turned(c, r) / 2;
	if (i > PEFT_MAXFREQ)
		return peft_seterr(err, "rope scaling: %zu frequencies", i);
	if (read_list(s, "short_factor", i, r->short_factor, err) == -1)
		return -1;
	return read_list(s, "long_factor", i, r->long_factor, err);
}

/* rope_parameters of families that have several: one object a layer type. */
static int
read_each(const struct peft_config *c, const cJSON *p, struct peft_rope *rope,
    struct peft_err *err)
{
	static const char *const types[] = { "full_attention",
	    "sliding_attention" };
	const cJSON *s;
	size_t i;

	for (i = 0; i < 2; i++)
		if ((s = peft_json_get(p, types[i])) != NULL &&
		    !cJSON_IsNull(s) &&
		    read_scaling(c, s, &rope[i], err) == -1)
			return peft_errprefix(err, "%s", types[i]);
	return 0;
}

/* transformers 4 has rope_theta and rope_scaling, 5 has rope_parameters. */
static int
read_all(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *p = peft_json_get(j, "rope_parameters"), *s;
	struct peft_rope *r = c->rope;
	double local = c->t.theta_local;

	if (peft_json_real(j, "rope_theta", &r[0].theta, err) == -1 ||
	    peft_json_real(j, "rope_local_base_freq", &local, err) == -1 ||
	    peft_json_real(j, "original_max_position_embeddings",
	    &r[0].original_max_position, err) == -1)
		return -1;
	r[1] = r[0];
	r[1].theta = local > 0 ? local : r[0].theta;
	if (c->t.theta_local > 0 && p != NULL && (peft_json_get(p, "full_attention") != NULL ||
	    peft_json_get(p, "sliding_attention") != NULL))
		return read_each(c, p, r, err);
	s = p != NULL && !cJSON_IsNull(p) ? p :
	    peft_json_get(j, "rope_scaling");
	if (s != NULL && !cJSON_IsNull(s) &&
	    read_scaling(c, s, &r[0], err) == -1)
		return -1;
	/* a base of their own for layers with a window: never stretched */
	if (local > 0)
		r[1].theta = local;
	else
		r[1] = r[0];
	return 0;
}

/* DeepSeek puts YaRN's temperature into the scale of the scores. */
static void
scale_yarn(struct peft_config *c, const struct peft_rope *r)
{
	double m = r->factor > 1 && r->mscale_all_dim > 0 ?
	    0.1 * r->mscale_all_dim * log(r->factor) + 1 : 1;

	c->t.attn_scale *= m * m;
}

/* Turns the family parts of heads at all? */
static bool
knows_parts(const struct peft_family *f)
{
	const struct peft_key *k = f->keys;

	while (k->name != NULL && k->offset != offsetof(struct peft_config,
	    t.partial))
		k++;
	return k->name != NULL || f->traits.partial > 0;
}

int
peft_config_rope(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	size_t i;

	c->rope[0] = (struct peft_rope){ .theta = c->t.theta,
	    .partial = c->t.partial, .beta_fast = 32, .beta_slow = 1,
	    .truncate = true };
	if (read_all(c, j, err) == -1)
		return -1;
	for (i = 0; i < 2; i++) {
		if (!(c->rope[i].theta > 0))
			return peft_seterr(err, "rope_theta is not above 0");
		if (!(c->rope[i].partial > 0) || c->rope[i].partial > 1)
			return peft_seterr(err, "partial_rotary_factor is not "
			    "in (0, 1]");
		if (c->rope[i].partial < 1 && !knows_parts(c->family))
			return peft_seterr(err, "partial_rotary_factor %g is "
			    "not honoured by this family's code",
			    c->rope[i].partial);
	}
	if (c->t.norope)
		return 0;
	if (c->kv_rank > 0 && c->rope[0].kind == PEFT_ROPE_YARN)
		scale_yarn(c, &c->rope[0]);
	c->rope_dim = turned(c, &c->rope[0]);
	if (turned(c, &c->rope[1]) != c->rope_dim)
		return peft_seterr(err, "layers that turn different parts of "
		    "their heads are not honoured");
	if (c->rope_dim == 0 || c->rope_dim % 2 != 0 ||
	    c->rope_at + c->rope_dim > c->head_dim)
		return peft_seterr(err, "head_dim %zu is not even, or the part "
		    "of it that rope turns (%zu)", c->head_dim, c->rope_dim);
	return 0;
}
