/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary positions in config.json, from GGUF's metadata. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

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

const char *const peft_rope_names[PEFT_NDIV] = {
	"rope_freqs.weight", "rope_factors_long.weight",
	"rope_factors_short.weight",
};

void
peft_rope_tensors_free(struct peft_rope_tensors *t)
{
	int i;

	for (i = 0; i < PEFT_NDIV; i++)
		free(t->at[i]);
	memset(t, 0, sizeof(*t));
}

double
peft_longrope_factor(double factor, double orig)
{
	return factor > 1 ? sqrt(1 + log(factor) / log(orig)) : 1;
}

/* Are the divisors those of this original length? */
static bool
is_llama3(double theta, const float *freqs, size_t n, double factor,
    double orig)
{
	double want;
	size_t i;

	for (i = 0; i < n; i++) {
		want = (double)peft_llama3_divisor(theta, i, n, factor, 1, 4,
		    orig);
		if (!(fabs((double)freqs[i] - want) <= 1e-4 * factor))
			return false;
	}
	return true;
}

/* rope_freqs.weight holds divisors; find Llama 3's parameters in them: its
 * original length is 8192, or some other power of two. */
static int
get_llama3(struct peft_buf *b, double theta, const float *freqs, size_t n,
    struct peft_err *err)
{
	double factor = 1, orig = 8192;
	size_t i;

	for (i = 0; i < n; i++)
		factor = (double)freqs[i] > factor ? (double)freqs[i] : factor;
	for (i = 4; i < 24 && !is_llama3(theta, freqs, n, factor, orig); i++)
		orig = (double)((size_t)1 << i);
	if (i == 24)
		return peft_seterr(err, "rope_freqs.weight is not Llama 3's "
		    "scaling");
	peft_buf_puts(b, ",\"rope_scaling\":{\"rope_type\":\"llama3\","
	    "\"factor\":");
	peft_gguf_put_short(b, factor);
	peft_buf_printf(b, ",\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
	    "\"original_max_position_embeddings\":%.0f}", orig);
	return 0;
}

static void
get_real(const struct peft_arch *a, const struct peft_gguf *g,
    struct peft_buf *b, const char *key, const char *hf)
{
	double v;

	if (!peft_gguf_arch_real(a, g, key, &v))
		return;
	peft_buf_printf(b, ",\"%s\":", hf);
	peft_gguf_put_short(b, v);
}

static void
get_yarn(const struct peft_arch *a, const struct peft_gguf *g,
    struct peft_buf *b)
{
	double factor = 1, v;

	if (peft_gguf_arch_real(a, g,
	    "%s.rope.scaling.original_context_length", &v))
		peft_buf_printf(b, ",\"original_max_position_embeddings\":%.0f",
		    v);
	get_real(a, g, b, "%s.rope.scaling.yarn_beta_fast", "beta_fast");
	get_real(a, g, b, "%s.rope.scaling.yarn_beta_slow", "beta_slow");
	if (a->unrounded)
		peft_buf_puts(b, ",\"truncate\":false");
	(void)peft_gguf_arch_real(a, g, "%s.rope.scaling.factor", &factor);
	if (peft_gguf_arch_real(a, g, "%s.rope.scaling.attn_factor", &v))
		peft_gguf_put_about(b, "attention_factor", v * (0.1 *
		    log(factor) + 1));
	if (a->latent && peft_gguf_arch_real(a, g,
	    "%s.rope.scaling.yarn_log_multiplier", &v)) {
		peft_gguf_put_about(b, "mscale", v * 10);
		peft_gguf_put_about(b, "mscale_all_dim", v * 10);
	}
}

static int
get_scaling(const struct peft_arch *a, const struct peft_gguf *g,
    struct peft_buf *b, struct peft_err *err)
{
	const char *type = "linear";
	char key[128];
	size_t len = 6;
	double v;
	bool yarn, known;

	peft_gguf_full_key(key, "%s.rope.scaling.type", a->gguf);
	known = peft_gguf_string(g, key, &type, &len);
	yarn = len == 4 && memcmp(type, "yarn", 4) == 0;
	if ((len == 4 && memcmp(type, "none", 4) == 0) || (!known &&
	    (!peft_gguf_arch_real(a, g, "%s.rope.scaling.factor", &v) ||
	    v == 0 || v == 1)))
		return 0;
	if (!yarn && (len != 6 || memcmp(type, "linear", 6) != 0))
		return peft_seterr(err, "the key %s is \"%.*s\", which is not "
		    "honoured here", key, (int)len, type);
	peft_buf_printf(b, ",\"rope_scaling\":{\"rope_type\":\"%.*s\"",
	    (int)len, type);
	get_real(a, g, b, "%s.rope.scaling.factor", "factor");
	if (yarn)
		get_yarn(a, g, b);
	peft_buf_puts(b, "}");
	return 0;
}

static void
put_list(struct peft_buf *b, const char *key, const float *x, size_t n)
{
	size_t i;

	peft_buf_printf(b, ",\"%s\":[", key);
	for (i = 0; i < n; i++) {
		peft_buf_puts(b, i > 0 ? "," : "");
		peft_gguf_put_short(b, (double)x[i]);
	}
	peft_buf_puts(b, "]");
}

static int
get_longrope(const struct peft_arch *a, const struct peft_gguf *g,
    struct peft_buf *b, const struct peft_rope_tensors *t,
    struct peft_err *err)
{
	double orig, context = 0, f;

	if (t->at[PEFT_DIV_LONG] == NULL || t->at[PEFT_DIV_SHORT] == NULL)
		return peft_seterr(err, "one of %s and %s is missing",
		    peft_rope_names[PEFT_DIV_LONG],
		    peft_rope_names[PEFT_DIV_SHORT]);
	if (!peft_gguf_arch_real(a, g,
	    "%s.rope.scaling.original_context_length", &orig))
		return peft_seterr(err, "the key "
		    "%s.rope.scaling.original_context_length is missing",
		    a->gguf);
	peft_buf_printf(b, ",\"original_max_position_embeddings\":%.0f"
	    ",\"rope_scaling\":{\"type\":\"longrope\"", orig);
	put_list(b, "long_factor", t->at[PEFT_DIV_LONG], t->n);
	put_list(b, "short_factor", t->at[PEFT_DIV_SHORT], t->n);
	(void)peft_gguf_arch_real(a, g, "%s.context_length", &context);
	if (peft_gguf_arch_real(a, g, "%s.rope.scaling.attn_factor", &f) &&
	    fabs(f - peft_longrope_factor(context / orig, orig)) > 1e-6)
		get_real(a, g, b, "%s.rope.scaling.attn_factor",
		    "attention_factor");
	peft_buf_puts(b, "}");
	return 0;
}

int
peft_gguf_get_rope(const struct peft_arch *a, const struct peft_gguf *g,
    struct peft_buf *b, const struct peft_rope_tensors *t,
    struct peft_err *err)
{
	double theta = a->theta > 0 ? a->theta : 10000, local = a->local;

	if (a->norope)
		return 0;
	if (peft_gguf_arch_real(a, g, "%s.rope.freq_base", &theta) ||
	    a->theta > 0) {
		peft_buf_printf(b, ",\"%s\":",
		    peft_arch_alias(a, "rope_theta"));
		peft_gguf_put_short(b, theta);
	}
	if (a->local > 0) {	/* what llama.cpp has where no key says */
		(void)peft_gguf_arch_real(a, g, "%s.rope.freq_base_swa",
		    &local);
		peft_buf_puts(b, ",\"rope_local_base_freq\":");
		peft_gguf_put_short(b, local);
	}
	if (t->at[PEFT_DIV_FREQS] != NULL)
		return get_llama3(b, theta, t->at[PEFT_DIV_FREQS], t->n, err);
	if (t->at[PEFT_DIV_LONG] != NULL || t->at[PEFT_DIV_SHORT] != NULL)
		return get_longrope(a, g, b, t, err);
	return get_scaling(a, g, b, err);
}
