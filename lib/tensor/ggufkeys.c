/* SPDX-License-Identifier: Apache-2.0 */
/* What only some families say in GGUF's metadata, for config.json. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

static bool
has_tensor(const struct peft_gguf *g, const char *part)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strstr(g->tensors[i].name, part) != NULL)
			return true;
	return false;
}

/* A key of the family's own. */
static int
put_own(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_gguf_key *k,
    struct peft_err *err)
{
	bool there;
	char key[128];
	uint64_t u = 0;
	double f;

	if (k->type == 't') {
		peft_buf_printf(b, ",\"%s\":%s", k->hf,
		    has_tensor(g, k->gguf) ? "true" : "false");
		return 0;
	}
	if (k->type == 's')
		return 0;
	if (k->type == 'T' || k->type == 'F') {
		peft_buf_printf(b, ",\"%s\":%s", k->hf, k->type == 'T' ?
		    "true" : "false");
		return 0;
	}
	peft_gguf_full_key(key, k->gguf, a->gguf);
	there = peft_gguf_find(g, key) != NULL;
	if (!there && k->required)
		return peft_seterr(err, "the key %s is missing or no "
		    "number", key);
	if (k->type == 'f') {
		if (there && !peft_gguf_real(g, key, &f))
			return peft_seterr(err, "the key %s is no number",
			    key);
		/* what the class has otherwise is not 0 */
		peft_buf_printf(b, ",\"%s\":", k->hf);
		if (there && f != 0)
			peft_gguf_put_short(b, f);
		else
			peft_buf_puts(b, "null");
		return 0;
	}
	if (there && !peft_gguf_uint(g, key, &u))
		return peft_seterr(err, "the key %s is no number", key);
	if (k->type == 'u' && u == 0)
		peft_buf_printf(b, ",\"%s\":null", k->hf);
	else if (k->type == 'u')
		peft_buf_printf(b, ",\"%s\":%llu", k->hf,
		    (unsigned long long)u);
	else if (there)
		peft_buf_printf(b, ",\"%s\":%s", k->hf, u != 0 ? "true" :
		    "false");
	return 0;
}

/* Settings that the family's row does not know must not be there. */
int
peft_gguf_refuse_others(const struct peft_gguf *g, const struct peft_arch *a,
    struct peft_err *err)
{
	static const char *const watched[] = { "%s.expert_count",
	    "%s.attention.sliding_window", "%s.attn_logit_softcapping",
	    "%s.final_logit_softcapping", "%s.embedding_scale",
	    "%s.residual_scale", "%s.logit_scale", "%s.attention.clamp_kqv",
	    "%s.attention.max_alibi_bias", "%s.expert_shared_count",
	    "%s.leading_dense_block_count", "%s.expert_weights_scale" };
	const struct peft_gguf_key *k;
	bool mpt = strcmp(a->hf, "mpt") == 0;
	char key[128];
	size_t i;
	double v;

	for (i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		for (k = a->keys; k->hf != NULL; k++)
			if (strcmp(k->gguf, watched[i]) == 0)
				break;
		peft_gguf_full_key(key, watched[i], a->gguf);
		if (k->hf != NULL || (mpt && strstr(watched[i],
		    ".attention.") != NULL) ||
		    peft_gguf_find(g, key) == NULL ||
		    (peft_gguf_real(g, key, &v) && v == 0))
			continue;
		return peft_seterr(err, "the key %s is not honoured here",
		    key);
	}
	return 0;
}

void
peft_gguf_put_about(struct peft_buf *b, const char *key, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.6g", v);
	peft_buf_printf(b, ",\"%s\":", key);
	peft_json_putreal(b, strtod(text, NULL));
}

/* Where the file says nothing, llama.cpp has what MiniCPM 1B and 2B have. */
static void
put_minicpm(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, double layers, double hidden)
{
	double emb = 12, residual = 1.4 / sqrt(layers), logit = hidden / 256;

	(void)peft_gguf_arch_real(a, g, "%s.embedding_scale", &emb);
	(void)peft_gguf_arch_real(a, g, "%s.residual_scale", &residual);
	(void)peft_gguf_arch_real(a, g, "%s.logit_scale", &logit);
	peft_gguf_put_about(b, "scale_emb", emb);
	peft_gguf_put_about(b, "scale_depth", residual * sqrt(layers));
	peft_gguf_put_about(b, "dim_model_base", logit > 0 ? hidden / logit : 0);
}

/* What only some families have. */
static void
put_special(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_heads *heads,
    uint64_t hidden, uint64_t dim)
{
	bool gemma2 = strcmp(a->hf, "gemma2") == 0, mpt = strcmp(a->hf,
	    "mpt") == 0, falcon = strcmp(a->hf, "falcon") == 0;
	double v, layers = 0, q = (double)dim;

	(void)peft_gguf_arch_real(a, g, "%s.block_count", &layers);
	if (strcmp(a->hf, "minicpm") == 0)
		put_minicpm(b, g, a, layers, (double)hidden);
	if (gemma2 || strcmp(a->hf, "gemma3_text") == 0) {
		/* llama.cpp knows the largest by its layers */
		if (layers == (gemma2 ? 46 : 62))
			q = (double)(hidden / heads->heads);
		if (peft_gguf_arch_real(a, g, "%s.attention.scale", &v) &&
		    v > 0)
			q = rint(1 / (v * v) * 1e4) / 1e4;
		peft_buf_puts(b, ",\"query_pre_attn_scalar\":");
		peft_json_putreal(b, q);
	}
	if (falcon && a->extra == NULL)
		peft_buf_puts(b, heads->kv_heads > 1 ?
		    ",\"new_decoder_architecture\":true,"
		    "\"num_ln_in_parallel_attn\":1" : ",\"multi_query\":true");
	if (!mpt)
		return;
	peft_buf_puts(b, ",\"attn_config\":{\"alibi\":true");
	if (peft_gguf_arch_real(a, g, "%s.attention.max_alibi_bias", &v)) {
		peft_buf_puts(b, ",\"alibi_bias_max\":");
		peft_json_putreal(b, v);
	}
	if (peft_gguf_arch_real(a, g, "%s.attention.clamp_kqv", &v) && v > 0) {
		peft_buf_puts(b, ",\"clip_qkv\":");
		peft_gguf_put_short(b, v);
	}
	peft_buf_puts(b, "}");
}

int
peft_gguf_get_own(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_heads *heads,
    uint64_t hidden, uint64_t dim, struct peft_err *err)
{
	const struct peft_gguf_key *k;

	for (k = a->keys; k->hf != NULL; k++)
		if (put_own(b, g, a, k, err) == -1)
			return -1;
	put_special(b, g, a, heads, hidden, dim);
	return 0;
}
