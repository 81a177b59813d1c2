/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make-model --shape NAME [--layers N] [-s SEED] [-t TYPE] [--double-quant]
 * -o OUT: a model of the real sizes and of random weights, for benches that
 * want size and no sense.  Weights are made row by row as they are written,
 * so a model of any size takes little memory; the same options give the same
 * bytes.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "quant/sink.h"

struct shape {
	const char	*name;
	size_t		 hidden, layers, heads, kv, head, inner, vocab;
	bool		 tied;
	double		 theta;
};

/* Llama 3.2 1B (without its scaling of frequencies), Llama 2 7B,
 * SmolLM2 135M. */
static const struct shape shapes[] = {
	{ "llama-1b", 2048, 16, 32, 8, 64, 8192, 128256, true, 500000 },
	{ "llama-7b", 4096, 32, 32, 32, 128, 11008, 32000, false, 10000 },
	{ "smollm2", 576, 30, 9, 3, 64, 1536, 49152, true, 100000 },
	{ 0 }
};

static const char usage[] = "usage: make-model "
    "--shape llama-1b|llama-7b|smollm2 [--layers N] [-s SEED] [-t TYPE] "
    "[--double-quant] -o OUT\n";

struct list {
	struct peft_spec	*at;
	size_t			 n, cap;
	enum peft_dtype		 type;
	bool			 nested;
};

static void
die(const char *what)
{
	fprintf(stderr, "make-model: %s\n", what);
	exit(2);
}

/* rows x cols; rows 0: a vector, which stays a float */
static void
add(struct list *l, size_t layer, const char *name, size_t rows, size_t cols)
{
	struct peft_err err = { 0 };
	struct peft_spec *s = peft_grow(l->at, l->n, &l->cap, sizeof(*s),
	    &err);
	struct peft_buf b = { 0 };

	if (s == NULL)
		die(err.msg);
	l->at = s;
	s += l->n++;
	*s = (struct peft_spec){ .dtype = l->type, .ndim = rows > 0 ? 2 : 1,
	    .shape = { rows > 0 ? rows : cols, rows > 0 ? cols : 0 },
	    .blocksize = 64, .orig = PEFT_BF16 };
	/* 4-bit types and blocks are for the matrices of the layers */
	if (rows == 0 || (layer == SIZE_MAX && (l->type == PEFT_NF4 ||
	    l->type == PEFT_FP4)))
		s->dtype = rows == 0 && peft_dtypes[l->type].ggml > 1 &&
		    l->type != PEFT_BF16 ? PEFT_F32 : l->type == PEFT_F32 ?
		    PEFT_F32 : PEFT_BF16;
	s->nested = l->nested && s->dtype == l->type;
	if (layer == SIZE_MAX)
		peft_buf_printf(&b, "%s.weight", name);
	else
		peft_buf_printf(&b, "model.layers.%zu.%s.weight", layer, name);
	if (b.failed)
		die("no memory");
	s->name = b.data;
}

static void
add_all(struct list *l, const struct shape *s)
{
	size_t q = s->heads * s->head, kv = s->kv * s->head, i;

	add(l, SIZE_MAX, "model.embed_tokens", s->vocab, s->hidden);
	for (i = 0; i < s->layers; i++) {
		add(l, i, "input_layernorm", 0, s->hidden);
		add(l, i, "self_attn.q_proj", q, s->hidden);
		add(l, i, "self_attn.k_proj", kv, s->hidden);
		add(l, i, "self_attn.v_proj", kv, s->hidden);
		add(l, i, "self_attn.o_proj", s->hidden, q);
		add(l, i, "post_attention_layernorm", 0, s->hidden);
		add(l, i, "mlp.gate_proj", s->inner, s->hidden);
		add(l, i, "mlp.up_proj", s->inner, s->hidden);
		add(l, i, "mlp.down_proj", s->hidden, s->inner);
	}
	add(l, SIZE_MAX, "model.norm", 0, s->hidden);
	if (!s->tied)
		add(l, SIZE_MAX, "lm_head", s->vocab, s->hidden);
}

static void
config(const struct shape *s, struct peft_buf *b)
{
	peft_buf_printf(b, "{\"architectures\": [\"LlamaForCausalLM\"], "
	    "\"model_type\": \"llama\", \"hidden_size\": %zu, "
	    "\"intermediate_size\": %zu, \"num_hidden_layers\": %zu, "
	    "\"num_attention_heads\": %zu, \"num_key_value_heads\": %zu, "
	    "\"head_dim\": %zu, \"vocab_size\": %zu, ", s->hidden, s->inner,
	    s->layers, s->heads, s->kv, s->head, s->vocab);
	peft_buf_printf(b, "\"hidden_act\": \"silu\", "
	    "\"max_position_embeddings\": 8192, \"rms_norm_eps\": 1e-05, "
	    "\"rope_theta\": %.1f, \"bos_token_id\": 1, \"eos_token_id\": 2, "
	    "\"attention_bias\": false, \"mlp_bias\": false, "
	    "\"tie_word_embeddings\": %s, \"torch_dtype\": \"bfloat16\"}\n",
	    s->theta, s->tied ? "true" : "false");
}

struct rows {
	uint64_t	 key;
	size_t		 cols;
	float		 mean, scale;
};

/* Two values of each 64 bits (splitmix64): sums of four bytes are near
 * enough to a normal distribution; of variance 4 (256^2 - 1) / 12. */
static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct rows *r = ctx;
	uint64_t at = (uint64_t)first * ((r->cols + 1) / 2), z;
	size_t i, j;
	int v[2], k;

	(void)err;
	for (i = 0; i < n; i++, dst += r->cols)
		for (j = 0; j < r->cols; j += 2) {
			z = r->key + 0x9e3779b97f4a7c15u * ++at;
			z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
			z = (z ^ z >> 27) * 0x94d049bb133111ebu;
			z ^= z >> 31;
			z = (z & 0x00ff00ff00ff00ffu) +
			    (z >> 8 & 0x00ff00ff00ff00ffu);
			for (k = 0; k < 2; k++)
				v[k] = (int)(z >> 32 * k & 0x1ff) +
				    (int)(z >> (32 * k + 16) & 0x1ff) - 510;
			dst[j] = r->mean + r->scale * (float)v[0];
			if (j + 1 < r->cols)
				dst[j + 1] = r->mean + r->scale * (float)v[1];
		}
	return 0;
}

static int
put_all(struct peft_sink *k, const struct list *l, uint64_t seed,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct peft_spec *s = &l->at[i];
		struct rows r = { .key = (seed << 32) + (i << 16),
		    .cols = s->shape[s->ndim - 1], .mean = s->ndim == 1,
		    .scale = 0.02f / 147.8f };
		struct peft_rows rows = { .get = get, .ctx = &r };

		r.key *= 0xd6e8feb86659fd93u;
		if (peft_sink_put(k, &rows, err) == -1)
			return -1;
	}
	return 0;
}

static void
parse(int argc, char **argv, struct shape *shape, struct list *l,
    struct peft_sinkopt *o, uint64_t *seed)
{
	static const struct option longs[] = {
		{ "shape", required_argument, NULL, 'S' },
		{ "layers", required_argument, NULL, 'L' },
		{ "type", required_argument, NULL, 't' },
		{ "double-quant", no_argument, NULL, 'D' },
		{ "output", required_argument, NULL, 'o' },
		{ 0 } };
	const struct shape *s = NULL;
	size_t layers = 0;
	int ch;

	while ((ch = getopt_long(argc, argv, "s:t:o:", longs, NULL)) != -1)
		switch (ch) {
		case 'S':
			for (s = shapes; s->name != NULL &&
			    strcmp(s->name, optarg) != 0; s++)
				;
			break;
		case 'L': layers = strtoul(optarg, NULL, 10); break;
		case 's': *seed = strtoul(optarg, NULL, 10); break;
		case 't': l->type = peft_dtype_of_name(optarg); break;
		case 'o': o->path = optarg; break;
		case 'D': l->nested = true; break;
		}
	if (s == NULL || s->name == NULL || o->path == NULL ||
	    l->type == PEFT_NDTYPE) {
		fputs(usage, stderr);
		exit(1);
	}
	*shape = *s;
	shape->layers = layers > 0 ? layers : s->layers;
}

int
main(int argc, char **argv)
{
	struct peft_sinkopt o = { .kind = "model" };
	struct list l = { .type = PEFT_BF16 };
	struct peft_err err = { 0 };
	struct peft_side side = { .name = "config.json" };
	struct peft_buf text = { 0 };
	struct peft_sink *k;
	struct shape shape;
	uint64_t seed = 0;
	size_t i;

	parse(argc, argv, &shape, &l, &o, &seed);
	add_all(&l, &shape);
	config(&shape, &text);
	side.data = text.data;
	side.len = text.len;
	if ((k = peft_sink_open(&o, l.at, l.n, &side, 1, &err)) == NULL)
		die(err.msg);
	if (put_all(k, &l, seed, &err) == -1) {
		peft_sink_abort(k);
		die(err.msg);
	}
	if (peft_sink_commit(k, &err) == -1)
		die(err.msg);
	for (i = 0; i < l.n; i++)
		free((char *)(uintptr_t)l.at[i].name);
	free(l.at);
	peft_buf_free(&text);
	return 0;
}
