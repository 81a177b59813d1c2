/* SPDX-License-Identifier: Apache-2.0 */
/* config.json from GGUF's metadata (llama). */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/ggufconfig-impl.h"

/* A float's shortest decimal, so that 1e-5 does not become 9.99999975e-06 */
static void
put_float(struct peft_buf *b, double v)
{
	char text[40];
	int digits;

	for (digits = 1; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtof(text, NULL) == (float)v)
			break;
	}
	peft_json_putreal(b, strtod(text, NULL));
}

/* rope_freqs.weight holds divisors; find Llama 3's parameters in them. */
static int
put_scaling(struct peft_buf *b, double theta, const float *freqs, size_t n,
    struct peft_err *err)
{
	double factor = 1, want;
	size_t i;

	for (i = 0; i < n; i++)
		factor = (double)freqs[i] > factor ? (double)freqs[i] : factor;
	for (i = 0; i < n; i++) {
		want = (double)peft_llama3_divisor(theta, i, n, factor, 1, 4,
		    8192);
		if (!(fabs((double)freqs[i] - want) <= 1e-4 * factor))
			return peft_seterr(err, "rope_freqs.weight is not "
			    "Llama 3's scaling");
	}
	peft_buf_puts(b, ",\"rope_scaling\":{\"rope_type\":\"llama3\","
	    "\"factor\":");
	peft_json_putreal(b, factor);
	peft_buf_puts(b, ",\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
	    "\"original_max_position_embeddings\":8192}");
	return 0;
}

static int
put_keys(struct peft_buf *b, const struct peft_gguf *g, const char *arch,
    struct peft_heads *heads, uint64_t *hidden, double *theta,
    struct peft_err *err)
{
	const struct peft_gguf_key *k;
	char key[128];
	uint64_t u;
	double f;

	for (k = peft_gguf_keys; k->hf != NULL; k++) {
		peft_gguf_full_key(key, k->gguf, arch);
		if (peft_gguf_find(g, key) == NULL && !k->required)
			continue;
		if (k->type == 'u' ? !peft_gguf_uint(g, key, &u) :
		    !peft_gguf_real(g, key, &f))
			return peft_seterr(err, "the key %s is missing or no "
			    "number", key);
		peft_buf_printf(b, ",\"%s\":", k->hf);
		if (k->type == 'f') {
			put_float(b, f);
			if (strcmp(k->hf, "rope_theta") == 0)
				*theta = f;
			continue;
		}
		if (u == 0 || u > INT32_MAX)
			return peft_seterr(err, "the key %s is %llu, not in "
			    "[1, %d]", key, (unsigned long long)u, INT32_MAX);
		peft_buf_printf(b, "%llu", (unsigned long long)u);
		if (strcmp(k->hf, "num_attention_heads") == 0)
			heads->heads = heads->kv_heads = (size_t)u;
		else if (strcmp(k->hf, "num_key_value_heads") == 0)
			heads->kv_heads = (size_t)u;
		else if (strcmp(k->hf, "hidden_size") == 0)
			*hidden = u;
	}
	return 0;
}

/* A special token's id, into config.json. */
static void
put_token(struct peft_buf *b, const struct peft_gguf *g, const char *key,
    const char *hf)
{
	uint64_t id;

	if (peft_gguf_uint(g, key, &id))
		peft_buf_printf(b, ",\"%s\":%llu", hf,
		    (unsigned long long)id);
}

static void
put_tokens(struct peft_buf *b, const struct peft_gguf *g)
{
	put_token(b, g, "tokenizer.ggml.bos_token_id", "bos_token_id");
	put_token(b, g, "tokenizer.ggml.eos_token_id", "eos_token_id");
	put_token(b, g, "tokenizer.ggml.padding_token_id", "pad_token_id");
}

static bool
has_bias(const struct peft_gguf *g, const char *part)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strstr(g->tensors[i].name, part) != NULL)
			return true;
	return false;
}

/* Settings that these programs do not know must not be there. */
static int
refuse_others(const struct peft_gguf *g, const char *arch,
    struct peft_err *err)
{
	static const char *const bad[] = { "%s.rope.scaling.type",
	    "%s.expert_count", "%s.attention.sliding_window",
	    "%s.attn_logit_softcapping", "%s.rope.scaling.factor" };
	const char *s;
	size_t i, len;
	uint64_t u;
	char key[128];

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		peft_gguf_full_key(key, bad[i], arch);
		if (peft_gguf_find(g, key) == NULL ||
		    (peft_gguf_string(g, key, &s, &len) && len == 4 &&
		    memcmp(s, "none", 4) == 0) ||
		    (peft_gguf_uint(g, key, &u) && u == 0))
			continue;
		return peft_seterr(err, "the key %s is not honoured here",
		    key);
	}
	return 0;
}

static int
put_config(struct peft_buf *b, const struct peft_gguf *g, const char *arch,
    bool tied, const float *freqs, size_t nfreqs, struct peft_heads *heads,
    struct peft_err *err)
{
	uint64_t hidden = 0, hd = 0, vocab = 0;
	const struct peft_gguf_kv *tokens;
	double theta = 10000;
	char key[128];

	peft_buf_puts(b, "{\"architectures\":[\"LlamaForCausalLM\"],"
	    "\"model_type\":\"llama\",\"hidden_act\":\"silu\"");
	if (put_keys(b, g, arch, heads, &hidden, &theta, err) == -1)
		return -1;
	peft_gguf_full_key(key, "%s.rope.dimension_count", arch);
	if (!peft_gguf_uint(g, key, &hd)) {
		peft_gguf_full_key(key, "%s.attention.key_length", arch);
		if (!peft_gguf_uint(g, key, &hd) && heads->heads > 0)
			hd = hidden / heads->heads;
	}
	if (hd == 0 || hd > INT32_MAX)
		return peft_seterr(err, "heads of %llu values (the key %s)",
		    (unsigned long long)hd, key);
	peft_buf_printf(b, ",\"head_dim\":%llu", (unsigned long long)hd);
	tokens = peft_gguf_find(g, "tokenizer.ggml.tokens");
	peft_gguf_full_key(key, "%s.vocab_size", arch);
	if (!peft_gguf_uint(g, key, &vocab) && tokens != NULL)
		vocab = tokens->count;
	if (vocab > INT32_MAX)
		return peft_seterr(err, "a vocabulary of %llu tokens",
		    (unsigned long long)vocab);
	peft_buf_printf(b, ",\"vocab_size\":%llu,\"tie_word_embeddings\":%s,"
	    "\"attention_bias\":%s,\"mlp_bias\":%s", (unsigned long long)vocab,
	    tied ? "true" : "false",
	    has_bias(g, "attn_q.bias") ? "true" : "false",
	    has_bias(g, "ffn_up.bias") ? "true" : "false");
	put_tokens(b, g);
	if (freqs != NULL && put_scaling(b, theta, freqs, nfreqs, err) == -1)
		return -1;
	peft_buf_puts(b, ",\"torch_dtype\":\"float32\"}");
	return 0;
}

/* Indent and sort what was put together, as transformers writes it. */
static int
add_pretty(struct peft_sides *sides, const char *name, struct peft_buf *b,
    struct peft_err *err)
{
	struct peft_buf out = { 0 };
	cJSON *j = b->failed ? NULL : peft_json(b->data, b->len, err);

	if (j == NULL)
		return b->failed ? peft_seterr(err, "%s: no memory", name) : -1;
	peft_json_print(&out, j, 2, true);
	peft_buf_putc(&out, '\n');
	cJSON_Delete(j);
	return peft_sides_add(sides, name, &out, err);
}

int
peft_arch_config(const struct peft_arch *a, const struct peft_gguf *g,
    bool tied, const float *freqs, size_t nfreqs, struct peft_sides *sides,
    struct peft_heads *heads, struct peft_err *err)
{
	const char *arch = "";
	struct peft_buf b = { 0 }, name = { 0 };
	size_t len = 0;
	int r = -1;

	(void)a;
	(void)peft_gguf_string(g, "general.architecture", &arch, &len);
	peft_buf_put(&name, arch, len);
	if (refuse_others(g, name.data, err) == 0 &&
	    put_config(&b, g, name.data, tied, freqs, nfreqs, heads,
	    err) == 0 && add_pretty(sides, "config.json", &b, err) == 0) {
		peft_buf_clear(&b);
		peft_buf_puts(&b, "{\"_from_model_config\":true");
		put_tokens(&b, g);
		peft_buf_putc(&b, '}');
		r = add_pretty(sides, "generation_config.json", &b, err);
	}
	peft_buf_free(&b);
	peft_buf_free(&name);
	return r;
}
