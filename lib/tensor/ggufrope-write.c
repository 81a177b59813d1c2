/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions in GGUF's metadata, from config.json. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

static double
number(const cJSON *j, const char *key, double absent)
{
	const cJSON *v = j == NULL || key == NULL ? NULL :
	    peft_json_get(j, key);

	return cJSON_IsNumber(v) ? v->valuedouble : absent;
}

static int
make_freqs(const cJSON *l3, double theta, float **freqs, size_t n,
    struct peft_err *err)
{
	size_t i;

	if ((*freqs = peft_calloc(n, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		(*freqs)[i] = peft_llama3_divisor(theta, i, n,
		    number(l3, "factor", 8), number(l3, "low_freq_factor", 1),
		    number(l3, "high_freq_factor", 4), number(l3,
		    "original_max_position_embeddings", 8192));
		if (!isfinite((*freqs)[i]))
			return peft_seterr(err, "rope scaling: frequency %zu "
			    "is no number", i);
	}
	return 0;
}

static void
put_real(const struct peft_arch *a, struct peft_gguf_out *o,
    const char *what, double v)
{
	char key[128];

	peft_gguf_full_key(key, what, a->gguf);
	peft_gguf_put_f32(o, key, (float)v);
}

/* How much attention is sharpened: YaRN's 0.1 ln(factor) + 1 is what llama.cpp
 * has, and what it is told is a factor beside it.  DeepSeek's two numbers must
 * be one: cos and sin are multiplied by what they differ by, there and here,
 * but only here is there a way to say it. */
static int
put_sharpness(const struct peft_arch *a, const cJSON *s,
    struct peft_gguf_out *o, struct peft_err *err)
{
	double m = number(s, "mscale", 0), all = number(s, "mscale_all_dim", 0);
	double usual = 0.1 * log(number(s, "factor", 1)) + 1;
	double given = number(s, "attention_factor", usual);
	bool round = true;

	if (peft_json_bool(s, "truncate", &round, err) == -1)
		return -1;
	if (round == a->unrounded)
		return peft_seterr(err, "rope scaling: \"truncate\": %s "
		    "cannot be told in GGUF for %s", round ? "true" : "false",
		    a->hf);
	if (m != all || (m != 0 && !a->latent))
		return peft_seterr(err, "rope scaling: mscale %g and "
		    "mscale_all_dim %g cannot be told in GGUF for %s", m, all,
		    a->hf);
	if (m > 0)
		put_real(a, o, "%s.rope.scaling.yarn_log_multiplier", 0.1 * m);
	if (fabs(given - usual) <= 1e-6)
		return 0;
	if (a->latent || !(given > 0))
		return peft_seterr(err, "rope scaling: attention_factor %g "
		    "cannot be told in GGUF for %s", given, a->hf);
	put_real(a, o, "%s.rope.scaling.attn_factor", given / usual);
	return 0;
}

/* The context before it was scaled. */
static int
put_original(const struct peft_arch *a, struct peft_gguf_out *o, double orig,
    struct peft_err *err)
{
	char key[128];

	if (!(orig > 1) || orig > 1e9)
		return peft_seterr(err, "rope scaling: "
		    "original_max_position_embeddings is not above 1 and up "
		    "to 1e9");
	peft_gguf_full_key(key, "%s.rope.scaling.original_context_length",
	    a->gguf);
	peft_gguf_put_u32(o, key, (uint32_t)orig);
	return 0;
}

/* linear and yarn, which have keys of their own. */
static int
put_scaling(const struct peft_arch *a, const cJSON *s, const char *type,
    double context, struct peft_gguf_out *o, struct peft_err *err)
{
	double orig = number(s, "original_max_position_embeddings", context);
	char key[128];

	peft_gguf_full_key(key, "%s.rope.scaling.type", a->gguf);
	peft_gguf_put_string(o, key, type, strlen(type));
	put_real(a, o, "%s.rope.scaling.factor", number(s, "factor", 1));
	if (strcmp(type, "yarn") != 0)
		return 0;
	if (put_original(a, o, orig, err) == -1)
		return -1;
	put_real(a, o, "%s.rope.scaling.yarn_beta_fast",
	    number(s, "beta_fast", 32));
	put_real(a, o, "%s.rope.scaling.yarn_beta_slow",
	    number(s, "beta_slow", 1));
	return put_sharpness(a, s, o, err);
}

/* longrope: two lists of divisors, and the length up to which the first is
 * taken. */
static int
put_longrope(const struct peft_arch *a, const cJSON *j, const cJSON *s,
    struct peft_gguf_out *o, struct peft_rope_tensors *t,
    struct peft_err *err)
{
	static const char *const keys[] = { [PEFT_DIV_LONG] = "long_factor",
	    [PEFT_DIV_SHORT] = "short_factor" };
	double context = number(j, "max_position_embeddings", 2048);
	double orig = number(s, "original_max_position_embeddings", number(j,
	    "original_max_position_embeddings", context)), f;
	const cJSON *l, *e;
	size_t k;
	int i;

	for (i = PEFT_DIV_LONG; i <= PEFT_DIV_SHORT; i++) {
		l = peft_json_get(s, keys[i]);
		if (!cJSON_IsArray(l) || cJSON_GetArraySize(l) != (int)t->n)
			return peft_seterr(err, "rope scaling: %s is no list "
			    "of %zu numbers", keys[i], t->n);
		if ((t->at[i] = peft_calloc(t->n, sizeof(float), err)) == NULL)
			return -1;
		k = 0;
		cJSON_ArrayForEach(e, l) {
			if (!cJSON_IsNumber(e) || !(e->valuedouble > 0))
				return peft_seterr(err, "rope scaling: %s "
				    "holds something that is no number above "
				    "0", keys[i]);
			t->at[i][k++] = (float)e->valuedouble;
		}
	}
	if (put_original(a, o, orig, err) == -1)
		return -1;
	f = number(s, "factor", context / orig);
	put_real(a, o, "%s.rope.scaling.attn_factor",
	    number(s, "attention_factor", peft_longrope_factor(f, orig)));
	return 0;
}

/* The object that says how layers that see all are turned, in any of
 * transformers' forms; NULL if there is none. */
static int
find_scaling(const cJSON *j, const cJSON **s, double *local,
    struct peft_err *err)
{
	const cJSON *full, *sliding;

	*s = peft_json_get(j, "rope_parameters");
	*local = number(j, "rope_local_base_freq", 0);
	if (*s == NULL || cJSON_IsNull(*s))
		*s = peft_json_get(j, "rope_scaling");
	if (*s == NULL || cJSON_IsNull(*s)) {
		*s = NULL;
		return 0;
	}
	if (!cJSON_IsObject(*s))
		return peft_seterr(err, "rope scaling: not an object");
	full = peft_json_get(*s, "full_attention");
	sliding = peft_json_get(*s, "sliding_attention");
	*local = number(sliding, "rope_theta", *local);
	if (full != NULL)
		*s = full;
	return 0;
}

int
peft_gguf_put_rope(const struct peft_arch *a, const cJSON *j,
    struct peft_gguf_out *o, size_t rope_dim, struct peft_rope_tensors *t,
    struct peft_err *err)
{
	double theta = number(j, peft_arch_alias(a, "rope_theta"),
	    a->theta > 0 ? a->theta : 10000), local;
	const char *type = "default";
	const cJSON *s;
	int r;

	if (a->norope)
		return 0;
	if (find_scaling(j, &s, &local, err) == -1)
		return -1;
	theta = number(s, "rope_theta", theta);
	if (!(theta > 0))
		return peft_seterr(err, "\"rope_theta\" is not above 0");
	put_real(a, o, "%s.rope.freq_base", theta);
	if (local > 0)
		put_real(a, o, "%s.rope.freq_base_swa", local);
	if (s == NULL)
		return 0;
	t->n = rope_dim / 2;
	/* which was called type once */
	if ((r = peft_json_str(s, "rope_type", &type, err)) == -1 ||
	    (r == 0 && peft_json_str(s, "type", &type, err) == -1))
		return -1;
	if (strcmp(type, "linear") == 0 || strcmp(type, "yarn") == 0)
		return put_scaling(a, s, type, number(j,
		    "max_position_embeddings", 2048), o, err);
	else if (strcmp(type, "llama3") == 0)
		return make_freqs(s, theta, &t->at[PEFT_DIV_FREQS], t->n,
		    err);
	else if (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0)
		return put_longrope(a, j, s, o, t, err);
	else if (strcmp(type, "default") != 0)
		return peft_seterr(err, "rope scaling \"%s\" cannot be told in "
		    "GGUF here", type);
	return 0;
}

