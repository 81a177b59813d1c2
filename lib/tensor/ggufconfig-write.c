/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata from config.json (llama), and what both directions share. */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/ggufconfig-impl.h"

const struct peft_gguf_key peft_gguf_keys[] = {
	{ "%s.context_length", "max_position_embeddings", 'u', true },
	{ "%s.embedding_length", "hidden_size", 'u', true },
	{ "%s.block_count", "num_hidden_layers", 'u', true },
	{ "%s.feed_forward_length", "intermediate_size", 'u', true },
	{ "%s.attention.head_count", "num_attention_heads", 'u', true },
	{ "%s.attention.head_count_kv", "num_key_value_heads", 'u', false },
	{ "%s.attention.layer_norm_rms_epsilon", "rms_norm_eps", 'f', true },
	{ "%s.rope.freq_base", "rope_theta", 'f', false },
	{ NULL, NULL, 0, false }
};

void
peft_gguf_full_key(char *buf, const char *fmt, const char *arch)
{
	snprintf(buf, 128, "%s%s", arch, strchr(fmt, '.'));
}

float
peft_llama3_divisor(double theta, size_t i, size_t n, double factor,
    double low, double high, double orig)
{
	double wavelen = 2 * M_PI * pow(theta, (double)i / (double)n), smooth;

	if (wavelen < orig / high)
		return 1;
	if (wavelen > orig / low)
		return (float)factor;
	smooth = (orig / wavelen - low) / (high - low);
	return (float)(1 / ((1 - smooth) / factor + smooth));
}

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
	int r;

	*llama3 = NULL;
	*theta = number(j, "rope_theta", 10000);
	if (s == NULL || cJSON_IsNull(s))
		s = peft_json_get(j, "rope_scaling");
	if (s == NULL || cJSON_IsNull(s))
		return 0;
	*theta = number(s, "rope_theta", *theta);
	if (!cJSON_IsObject(s))
		return peft_seterr(err, "rope scaling: not an object");
	/* which was called type once */
	if ((r = peft_json_str(s, "rope_type", &type, err)) == -1 ||
	    (r == 0 && peft_json_str(s, "type", &type, err) == -1))
		return -1;
	if (strcmp(type, "llama3") == 0)
		*llama3 = s;
	else if (strcmp(type, "default") != 0)
		return peft_seterr(err, "rope scaling \"%s\" cannot be told "
		    "in GGUF here", type);
	return 0;
}

/* A number that GGUF keeps in 32 bits; absent -1: it must be there. */
static int
whole(const cJSON *j, const char *key, int64_t max, int64_t absent,
    int64_t *out, struct peft_err *err)
{
	*out = absent;
	if (peft_json_int(j, key, 1, max, out, err) == -1)
		return -1;
	return *out >= 0 ? 0 : peft_seterr(err, "the key \"%s\" is missing",
	    key);
}

static int
put_key(const cJSON *j, const struct peft_gguf_key *k, const char *arch,
    double theta, int64_t heads, struct peft_gguf_out *o, struct peft_err *err)
{
	bool is_theta = strcmp(k->hf, "rope_theta") == 0;
	double f = theta;
	char key[128];
	int64_t u;

	peft_gguf_full_key(key, k->gguf, arch);
	if (k->type == 'u') {
		if (whole(j, k->hf, UINT32_MAX, strcmp(k->hf,
		    "num_key_value_heads") == 0 ? heads : -1, &u, err) == -1)
			return -1;
		peft_gguf_put_u32(o, key, (uint32_t)u);
		return 0;
	}
	if (!is_theta && peft_json_real(j, k->hf, &f, err) != 1)
		return peft_seterr(err, "the key \"%s\" is missing or no "
		    "number", k->hf);
	if (!(f > 0) || f > (double)FLT_MAX)
		return peft_seterr(err, "\"%s\" is not above 0", k->hf);
	peft_gguf_put_f32(o, key, (float)f);
	return 0;
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

static int
metadata(const cJSON *j, const char *arch, struct peft_gguf_out *o,
    struct peft_heads *heads, float **freqs, size_t *nfreqs,
    struct peft_err *err)
{
	int64_t hidden, h, kv, hd, vocab = 0;
	const struct peft_gguf_key *k;
	const cJSON *l3;
	double theta;
	char key[128];

	if (read_rope(j, &theta, &l3, err) == -1 ||
	    whole(j, "num_attention_heads", 1 << 14, -1, &h, err) == -1 ||
	    whole(j, "num_key_value_heads", h, h, &kv, err) == -1 ||
	    whole(j, "hidden_size", 1 << 20, -1, &hidden, err) == -1 ||
	    whole(j, "head_dim", 1 << 14, hidden / h, &hd, err) == -1 ||
	    peft_json_int(j, "vocab_size", 0, UINT32_MAX, &vocab, err) == -1)
		return -1;
	heads->heads = (size_t)h;
	heads->kv_heads = (size_t)kv;
	for (k = peft_gguf_keys; k->hf != NULL; k++)
		if (put_key(j, k, arch, theta, h, o, err) == -1)
			return -1;
	peft_gguf_full_key(key, "%s.rope.dimension_count", arch);
	peft_gguf_put_u32(o, key, (uint32_t)hd);
	if (hd * h != hidden) {
		peft_gguf_full_key(key, "%s.attention.key_length", arch);
		peft_gguf_put_u32(o, key, (uint32_t)hd);
		peft_gguf_full_key(key, "%s.attention.value_length", arch);
		peft_gguf_put_u32(o, key, (uint32_t)hd);
	}
	peft_gguf_full_key(key, "%s.vocab_size", arch);
	peft_gguf_put_u32(o, key, (uint32_t)vocab);
	if (l3 == NULL)
		return 0;
	*nfreqs = (size_t)hd / 2;
	return make_freqs(l3, theta, freqs, *nfreqs, err);
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
