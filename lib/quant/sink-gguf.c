/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks that are GGUF files. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quant/sink-impl.h"

/* llama.cpp's general.file_type (llama.h, enum llama_ftype) of the type that
 * most weights have; of its mixes, the one with the fewest others. */
static const struct {
	enum peft_dtype	dtype;
	uint32_t	number;
} file_types[] = {
	{ PEFT_F32, 0 }, { PEFT_F16, 1 }, { PEFT_Q4_0, 2 }, { PEFT_Q4_1, 3 },
	{ PEFT_Q8_0, 7 }, { PEFT_Q5_0, 8 }, { PEFT_Q5_1, 9 },
	{ PEFT_Q2_K, 10 }, { PEFT_Q3_K, 11 }, { PEFT_Q4_K, 14 },
	{ PEFT_Q5_K, 16 }, { PEFT_Q6_K, 18 }, { PEFT_IQ4_NL, 25 },
	{ PEFT_IQ4_XS, 30 }, { PEFT_BF16, 32 }, { PEFT_TQ1_0, 36 },
	{ PEFT_TQ2_0, 37 }, { PEFT_MXFP4, 38 },
	{ PEFT_IQ2_XXS, 19 }, { PEFT_IQ2_XS, 20 }, { PEFT_IQ3_XXS, 23 },
	{ PEFT_IQ1_S, 24 }, { PEFT_IQ3_S, 26 }, { PEFT_IQ2_S, 28 },
	{ PEFT_IQ1_M, 31 },
};

static enum peft_dtype
commonest(const struct peft_sink *k)
{
	size_t sum[PEFT_NDTYPE] = { 0 }, i;
	int t, best = PEFT_F32;

	for (i = 0; i < k->n; i++)
		if (k->specs[i].ndim > 1)
			sum[k->specs[i].dtype] += k->specs[i].shape[0] *
			    k->specs[i].shape[1];
	for (t = 0; t < PEFT_NDTYPE; t++)
		if (sum[t] > sum[best])
			best = t;
	return best;
}

/* What the types of the weights are called as a whole. */
static void
put_types(const struct peft_sink *k, struct peft_gguf_out *o)
{
	enum peft_dtype t = commonest(k);
	size_t i;

	if (k->opt.file_type != NULL)
		peft_gguf_put_u32(o, "general.file_type",
		    k->opt.file_type->file_type);
	for (i = 0; k->opt.file_type == NULL && i < sizeof(file_types) /
	    sizeof(file_types[0]); i++)
		if (file_types[i].dtype == t)
			peft_gguf_put_u32(o, "general.file_type",
			    file_types[i].number);
	if (peft_dtypes[t].block > 1)
		peft_gguf_put_u32(o, "general.quantization_version", 2);
}

static void
put_weighed(const struct peft_weighed *w, struct peft_gguf_out *o)
{
	if (w == NULL)
		return;
	peft_gguf_put_string(o, "quantize.imatrix.file", w->file,
	    strlen(w->file));
	if (w->dataset != NULL)
		peft_gguf_put_string(o, "quantize.imatrix.dataset",
		    w->dataset, strlen(w->dataset));
	peft_gguf_put_u32(o, "quantize.imatrix.entries_count",
	    (uint32_t)w->entries);
	if (w->chunks > 0)
		peft_gguf_put_u32(o, "quantize.imatrix.chunks_count",
		    w->chunks);
}

/* The family, by config.json's model_type. */
static int
find_arch(struct peft_sink *k, const struct peft_side *config,
    struct peft_buf *name, struct peft_err *err)
{
	cJSON *j = peft_json(config->data, config->len, err);
	const char *type = "";
	char names[400];
	int r;

	if (j == NULL)
		return peft_errprefix(err, "config.json");
	r = peft_json_str(j, "model_type", &type, err);
	peft_buf_puts(name, type);
	cJSON_Delete(j);
	if (r == -1)
		return -1;
	if ((k->arch = peft_arch_of_hf(type = name->data)) != NULL)
		return 0;
	if (strcmp(type, "opt") == 0 || strcmp(type, "gptj") == 0)
		return peft_seterr(err, "model_type \"%s\" cannot be told in "
		    "GGUF: llama.cpp computes no such model", type);
	peft_arch_names(true, names, sizeof(names));
	return peft_seterr(err, "model_type \"%s\" cannot be told in GGUF here "
	    "(known: %s)", type, names);
}

static size_t
vocab_rows(const struct peft_sink *k)
{
	char name[256];
	size_t i;

	for (i = 0; i < k->n; i++)
		if (peft_arch_to_gguf(k->arch, k->specs[i].name, name) == 0 &&
		    strcmp(name, "token_embd.weight") == 0)
			return k->specs[i].shape[0];
	return 0;
}

/* From the sides; what the family's keys say is needed in any case. */
static int
put_sides(struct peft_sink *k, const struct peft_side *config,
    struct peft_gguf_out *o, struct peft_rope_tensors *rope,
    struct peft_err *err)
{
	struct peft_buf arch = { 0 };
	int r = -1;

	if (find_arch(k, config, &arch, err) == 0) {
		const char *name = peft_arch_gguf(k->arch);

		peft_gguf_put_string(o, "general.architecture", name,
		    strlen(name));
		peft_gguf_put_string(o, "general.type", "model", 5);
		put_types(k, o);
		r = peft_arch_metadata(k->arch, config, o, &k->heads, rope,
		    err);
	}
	peft_buf_free(&arch);
	return r;
}

static int
put_metadata(struct peft_sink *k, struct peft_gguf_out *o,
    struct peft_rope_tensors *rope, struct peft_err *err)
{
	const struct peft_side *config = peft_sides_find(&k->sides,
	    "config.json");
	const struct peft_side *tok = peft_sides_find(&k->sides,
	    "tokenizer.json");
	struct peft_gguf_out carried = { 0 };
	int r = 1;

	if (config == NULL)
		return peft_seterr(err, "there is no config.json: GGUF cannot "
		    "be written without one");
	if (put_sides(k, config, o, rope, err) == -1)
		return -1;
	if (k->opt.origin != NULL)
		r = peft_source_pairs(k->opt.origin, k->opt.same_types,
		    &carried, err);
	if (r == 0) {
		peft_buf_free(&o->kv);
		*o = carried;
		if (!k->opt.same_types)
			put_types(k, o);
		put_weighed(k->opt.weighed, o);
		return o->kv.failed ? peft_seterr(err, "no memory") : 0;
	}
	peft_buf_free(&carried.kv);
	put_weighed(k->opt.weighed, o);
	if (r == 1 && tok == NULL)	/* llama.cpp's word for there is none */
		peft_gguf_put_string(o, "tokenizer.ggml.model", "none", 4);
	if (r == 1 && tok != NULL)
		r = peft_vocab_metadata(tok, peft_sides_find(&k->sides,
		    "tokenizer_config.json"), peft_sides_find(&k->sides,
		    "chat_template.jinja"), vocab_rows(k), o, err);
	return r == -1 ? -1 : 0;
}

/* Rope's divisors, which are tensors in GGUF, come first. */
static int
describe_rope(struct peft_gguf_tensor *t, const struct peft_rope_tensors *r,
    size_t *n, struct peft_err *err)
{
	int i;

	for (i = 0, *n = 0; i < PEFT_NDIV; i++) {
		if (r->at[i] == NULL)
			continue;
		t[*n] = (struct peft_gguf_tensor){ .dtype = PEFT_F32,
		    .ndim = 1, .shape = { r->n },
		    .nbytes = r->n * sizeof(float),
		    .name = peft_strdup(peft_rope_names[i], err) };
		if (t[(*n)++].name == NULL)
			return -1;
	}
	return 0;
}

static int
write_rope(struct peft_sink *k, const struct peft_rope_tensors *r,
    struct peft_err *err)
{
	size_t nbytes = r->n * sizeof(float);
	int i;

	for (i = 0; i < PEFT_NDIV; i++)
		if (r->at[i] != NULL && (peft_sink_write(k, r->at[i], nbytes,
		    err) == -1 || peft_gguf_pad(k->fp, k->label, nbytes,
		    err) == -1))
			return -1;
	return 0;
}

int
peft_sink_open_gguf(struct peft_sink *k, struct peft_err *err)
{
	struct peft_rope_tensors rope = { 0 };
	struct peft_gguf_out o = { 0 };
	struct peft_gguf_tensor *t;
	size_t n = 0, more = 0, i;
	int r = -1;

	if ((t = peft_calloc(3 * k->n + PEFT_NDIV, sizeof(*t), err)) == NULL)
		return -1;
	if (put_metadata(k, &o, &rope, err) == -1)
		peft_sink_blame(k, err);
	else if (describe_rope(t, &rope, &n, err) == 0 &&
	    peft_sink_tensors(k, t + n, &more, err) == 0) {
		r = peft_gguf_write(k->fp, k->label, &o, t, n + more, err);
		if (r == 0)
			r = write_rope(k, &rope, err);
		k->data_at = (uint64_t)ftello(k->fp);
	}
	for (i = 0; i < n + more; i++)
		free(t[i].name);
	free(t);
	peft_rope_tensors_free(&rope);
	peft_buf_free(&o.kv);
	return r;
}
