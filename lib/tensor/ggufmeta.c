/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata from config.json (llama). */

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/ggufkey.h"
#include "tensor/ggufmap.h"

static double
number(const cJSON *j, const char *key, double absent)
{
	const cJSON *v = peft_json_get(j, key);

	return cJSON_IsNumber(v) ? v->valuedouble : absent;
}

/* theta and Llama 3's scaling, in either of transformers' forms. */
static int
read_rope(const cJSON *j, double *theta, const cJSON **llama3,
    struct peft_err *err)
{
	const cJSON *s = peft_json_get(j, "rope_parameters");
	const char *type = "default";

	*llama3 = NULL;
	*theta = number(j, "rope_theta", 10000);
	if (s == NULL || cJSON_IsNull(s))
		s = peft_json_get(j, "rope_scaling");
	if (s == NULL || cJSON_IsNull(s))
		return 0;
	*theta = number(s, "rope_theta", *theta);
	if (peft_json_str(s, "rope_type", &type, err) == -1)
		return -1;
	if (strcmp(type, "llama3") == 0)
		*llama3 = s;
	else if (strcmp(type, "default") != 0)
		return peft_seterr(err, "rope scaling \"%s\" cannot be told "
		    "in GGUF here", type);
	return 0;
}

/* A whole number that u32 holds; absent 0: the key must be there. */
static int
whole(const cJSON *j, const char *key, int64_t absent, int64_t *out,
    struct peft_err *err)
{
	*out = absent;
	if (peft_json_int(j, key, 1, INT32_MAX, out, err) == -1)
		return -1;
	return *out > 0 ? 0 : peft_seterr(err, "the key \"%s\" is missing",
	    key);
}

/* The divisors of Llama 3's scaling, as rope_freqs.weight holds them. */
static int
scaling(const cJSON *l3, double theta, size_t n, float **freqs,
    struct peft_err *err)
{
	double factor = number(l3, "factor", 8);
	double low = number(l3, "low_freq_factor", 1);
	double high = number(l3, "high_freq_factor", 4);
	double orig = number(l3, "original_max_position_embeddings", 8192);
	size_t i;

	if (!(factor > 0) || !(low > 0) || !(high > low) || !(orig > 0))
		return peft_seterr(err, "rope scaling \"llama3\": its factors "
		    "are not above 0, or high is not above low");
	if ((*freqs = peft_calloc(n, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++)
		(*freqs)[i] = peft_rope_divisor(theta, i, n, factor, low, high,
		    orig);
	return 0;
}

static int
put_metadata(const cJSON *j, const char *arch, double theta, int64_t kv,
    struct peft_gguf_out *o, struct peft_err *err)
{
	char key[128];
	int64_t u;
	double v;
	size_t i;

	for (i = 0; i < PEFT_NGGUFKEY; i++) {
		const struct peft_ggufkey *k = &peft_ggufkeys[i];

		peft_gguf_key(key, k->gguf, arch);
		if (k->type == 'u') {
			if (whole(j, k->hf, k->required ? 0 : kv, &u,
			    err) == -1)
				return -1;
			peft_gguf_put_u32(o, key, (uint32_t)u);
			continue;
		}
		v = k->required ? number(j, k->hf, -1) : theta;
		if (!(v >= 0) || v > (double)FLT_MAX)
			return peft_seterr(err, "the key \"%s\" is missing or "
			    "not above 0", k->hf);
		peft_gguf_put_f32(o, key, (float)v);
	}
	return 0;
}

static int
metadata(const cJSON *j, const char *arch, struct peft_gguf_out *o,
    struct peft_heads *heads, float **freqs, size_t *nfreqs,
    struct peft_err *err)
{
	int64_t hidden, h, kv, hd, vocab;
	const cJSON *l3;
	double theta;
	char key[128];

	if (read_rope(j, &theta, &l3, err) == -1 ||
	    whole(j, "num_attention_heads", 0, &h, err) == -1 ||
	    whole(j, "num_key_value_heads", h, &kv, err) == -1 ||
	    whole(j, "hidden_size", 0, &hidden, err) == -1 ||
	    whole(j, "head_dim", hidden / h, &hd, err) == -1 ||
	    whole(j, "vocab_size", 0, &vocab, err) == -1 ||
	    put_metadata(j, arch, theta, kv, o, err) == -1)
		return -1;
	heads->heads = (size_t)h;
	heads->kv_heads = (size_t)kv;
	peft_gguf_key(key, "%s.rope.dimension_count", arch);
	peft_gguf_put_u32(o, key, (uint32_t)hd);
	if (hd * h != hidden) {
		peft_gguf_key(key, "%s.attention.key_length", arch);
		peft_gguf_put_u32(o, key, (uint32_t)hd);
		peft_gguf_key(key, "%s.attention.value_length", arch);
		peft_gguf_put_u32(o, key, (uint32_t)hd);
	}
	peft_gguf_key(key, "%s.vocab_size", arch);
	peft_gguf_put_u32(o, key, (uint32_t)vocab);
	if (l3 == NULL)
		return 0;
	*nfreqs = (size_t)hd / 2;
	return scaling(l3, theta, *nfreqs, freqs, err);
}

int
peft_arch_metadata(const struct peft_arch *a, const struct peft_side *config,
    struct peft_gguf_out *o, struct peft_heads *heads, float **freqs,
    size_t *nfreqs, struct peft_err *err)
{
	cJSON *j = peft_json(config->data, config->len, err);
	const char *type = "";
	int r;

	(void)a;
	*freqs = NULL;
	*nfreqs = 0;
	if (j == NULL)
		return peft_errprefix(err, "config.json");
	r = peft_json_str(j, "model_type", &type, err);
	if (r != -1)
		r = metadata(j, type, o, heads, freqs, nfreqs, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "config.json") : 0;
}
