/* SPDX-License-Identifier: Apache-2.0 */
/* config.json from GGUF's metadata. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

const struct peft_gguf_key peft_gguf_keys[] = {
	{ "%s.context_length", "max_position_embeddings", 'u', true },
	{ "%s.embedding_length", "hidden_size", 'u', true },
	{ "%s.block_count", "num_hidden_layers", 'u', true },
	{ "%s.feed_forward_length", "intermediate_size", 'u', true },
	{ "%s.attention.head_count", "num_attention_heads", 'u', true },
	{ "%s.attention.head_count_kv", "num_key_value_heads", 'u', false },
	{ NULL, NULL, 0, false }
};

void
peft_gguf_full_key(char *buf, const char *fmt, const char *arch)
{
	snprintf(buf, 128, "%s%s", arch, strchr(fmt, '.'));
}

bool
peft_gguf_arch_real(const struct peft_arch *a, const struct peft_gguf *g,
    const char *key, double *v)
{
	char full[128];

	peft_gguf_full_key(full, key, a->gguf);
	return peft_gguf_real(g, full, v);
}

void
peft_gguf_put_short(struct peft_buf *b, double v)
{
	char text[40];
	int digits;

	for (digits = 1; digits <= 9; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtof(text, NULL) == (float)v)
			break;
	}
	peft_json_putreal(b, v = strtod(text, NULL));
	if (v == rint(v) && fabs(v) < 1e15)
		peft_buf_puts(b, ".0");
}

/* A whole number above 0 that must be there, or may be. */
static int
get_whole(const struct peft_gguf *g, const char *key, bool required,
    uint64_t *u, struct peft_err *err)
{
	if (peft_gguf_find(g, key) == NULL && !required)
		return 0;
	if (!peft_gguf_uint(g, key, u))
		return peft_seterr(err, "the key %s is missing or no "
		    "number", key);
	if (*u == 0 || *u > INT32_MAX)
		return peft_seterr(err, "the key %s is %llu, not in [1, %d]",
		    key, (unsigned long long)*u, INT32_MAX);
	return 1;
}

static int
put_keys(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, struct peft_heads *heads, uint64_t *hidden,
    struct peft_err *err)
{
	const struct peft_gguf_key *k;
	const char *hf;
	char key[128];
	uint64_t u;
	int r;

	for (k = peft_gguf_keys; k->hf != NULL; k++) {
		peft_gguf_full_key(key, k->gguf, a->gguf);
		if ((r = get_whole(g, key, k->required, &u, err)) == -1)
			return -1;
		if (r == 0)
			continue;
		if ((hf = peft_arch_alias(a, k->hf)) != NULL)
			peft_buf_printf(b, ",\"%s\":%llu", hf,
			    (unsigned long long)u);
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

/* Three widths; the file says others, too, where attention is over what is
 * narrow. */
static int
put_latent(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, uint64_t rope, struct peft_err *err)
{
	static const char *const keys[][2] = {
		{ "%s.attention.key_length_mla", "%s.attention.key_length" },
		{ "%s.attention.value_length_mla", "%s.attention.value_length" }
	};
	uint64_t v[2] = { 0 };
	char key[128];
	int i;

	for (i = 0; i < 2; i++) {
		peft_gguf_full_key(key, keys[i][0], a->gguf);
		if (peft_gguf_find(g, key) == NULL)
			peft_gguf_full_key(key, keys[i][1], a->gguf);
		if (get_whole(g, key, true, &v[i], err) == -1)
			return -1;
	}
	if (rope == 0 || v[0] <= rope)
		return peft_seterr(err, "heads of %llu values, of which %llu "
		    "are turned", (unsigned long long)v[0],
		    (unsigned long long)rope);
	peft_buf_printf(b, ",\"qk_nope_head_dim\":%llu,\"qk_rope_head_dim\""
	    ":%llu,\"v_head_dim\":%llu", (unsigned long long)(v[0] - rope),
	    (unsigned long long)rope, (unsigned long long)v[1]);
	return 0;
}

/* What a head holds, and what of it is turned. */
static int
put_heads(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_heads *heads,
    uint64_t hidden, uint64_t *dim, struct peft_err *err)
{
	char key[128];
	uint64_t hd = 0, rope = 0;
	bool llama = strcmp(a->hf, "llama") == 0;

	peft_gguf_full_key(key, "%s.rope.dimension_count", a->gguf);
	(void)peft_gguf_uint(g, key, &rope);
	if (a->latent)
		return put_latent(b, g, a, rope, err);
	peft_gguf_full_key(key, "%s.attention.key_length", a->gguf);
	if (!peft_gguf_uint(g, key, &hd))
		hd = llama && rope > 0 ? rope : heads->heads > 0 ? hidden /
		    heads->heads : 0;
	if (hd == 0 || hd > INT32_MAX)
		return peft_seterr(err, "heads of %llu values (the key %s)",
		    (unsigned long long)hd, key);
	*dim = hd;
	/* where it is not said, it is what follows, or the family's own */
	if (llama || a->head_dim > 0 || hd * heads->heads != hidden)
		peft_buf_printf(b, ",\"head_dim\":%llu",
		    (unsigned long long)hd);
	if (rope == 0 || a->norope || (rope == hd && a->partial == 0))
		return 0;
	peft_buf_printf(b, ",\"%s\":", peft_arch_alias(a,
	    "partial_rotary_factor"));
	peft_gguf_put_short(b, (double)rope / (double)hd);
	return 0;
}

static int
put_norms(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, struct peft_err *err)
{
	double eps;

	if (a->eps == NULL)
		return 0;
	if (!peft_gguf_arch_real(a, g, a->layernorm ?
	    "%s.attention.layer_norm_epsilon" :
	    "%s.attention.layer_norm_rms_epsilon", &eps))
		return peft_seterr(err, "the key %s.attention.layer_norm_%s"
		    "epsilon is missing or no number", a->gguf, a->layernorm ?
		    "" : "rms_");
	peft_buf_printf(b, ",\"%s\":", a->eps);
	peft_gguf_put_short(b, eps);
	return 0;
}

static int
put_config(struct peft_buf *b, const struct peft_gguf *g,
    const struct peft_arch *a, bool tied, const struct peft_rope_tensors *t,
    struct peft_heads *heads, struct peft_err *err)
{
	uint64_t hidden = 0, dim = 0, vocab = 0;
	const struct peft_gguf_kv *tokens;
	char key[128];

	peft_buf_printf(b, "{\"architectures\":[\"%s\"],\"model_type\":"
	    "\"%s\"%s", a->class, a->hf, strcmp(a->hf, "llama") == 0 ?
	    ",\"hidden_act\":\"silu\"" : "");
	if (put_keys(b, g, a, heads, &hidden, err) == -1 ||
	    put_norms(b, g, a, err) == -1 ||
	    put_heads(b, g, a, heads, hidden, &dim, err) == -1)
		return -1;
	if (peft_gguf_get_own(b, g, a, heads, hidden, dim, err) == -1)
		return -1;
	tokens = peft_gguf_find(g, "tokenizer.ggml.tokens");
	peft_gguf_full_key(key, "%s.vocab_size", a->gguf);
	if (!peft_gguf_uint(g, key, &vocab) && tokens != NULL)
		vocab = tokens->count;
	if (vocab > INT32_MAX)
		return peft_seterr(err, "a vocabulary of %llu tokens",
		    (unsigned long long)vocab);
	peft_buf_printf(b, ",\"vocab_size\":%llu,\"tie_word_embeddings\":%s%s",
	    (unsigned long long)vocab, tied ? "true" : "false",
	    a->extra == NULL ? "" : a->extra);
	put_tokens(b, g);
	if (peft_gguf_get_rope(a, g, b, t, err) == -1)
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
    bool tied, const struct peft_rope_tensors *t, struct peft_sides *sides,
    struct peft_heads *heads, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r = -1;

	if (peft_gguf_refuse_others(g, a, err) == 0 &&
	    put_config(&b, g, a, tied, t, heads, err) == 0 &&
	    add_pretty(sides, "config.json", &b, err) == 0) {
		peft_buf_clear(&b);
		peft_buf_puts(&b, "{\"_from_model_config\":true");
		put_tokens(&b, g);
		peft_buf_putc(&b, '}');
		r = add_pretty(sides, "generation_config.json", &b, err);
	}
	peft_buf_free(&b);
	return r;
}
