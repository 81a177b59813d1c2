/* SPDX-License-Identifier: Apache-2.0 */
/* Families in GGUF: names of tensors, and the order of rows. */

#include <stdio.h>
#include <string.h>

#include "tensor/ggufmap.h"

struct pair {
	const char	*gguf, *hf;	/* without .weight or .bias */
	char		 heads;		/* 'q' or 'k': interleaved rows */
};

enum { MAXPAIR = 16 };

struct peft_arch {
	const char	*gguf;		/* general.architecture */
	const char	*hf;		/* model_type */
	const char	*hf_layer;	/* before the layer's number */
	struct pair	 whole[MAXPAIR], layer[MAXPAIR];
};

static const struct peft_arch archs[] = {
	{
		.gguf = "llama", .hf = "llama", .hf_layer = "model.layers.",
		.whole = {
			{ "token_embd", "model.embed_tokens", 0 },
			{ "output_norm", "model.norm", 0 },
			{ "output", "lm_head", 0 },
		},
		.layer = {
			{ "attn_norm", "input_layernorm", 0 },
			{ "attn_q", "self_attn.q_proj", 'q' },
			{ "attn_k", "self_attn.k_proj", 'k' },
			{ "attn_v", "self_attn.v_proj", 0 },
			{ "attn_output", "self_attn.o_proj", 0 },
			{ "ffn_norm", "post_attention_layernorm", 0 },
			{ "ffn_gate", "mlp.gate_proj", 0 },
			{ "ffn_up", "mlp.up_proj", 0 },
			{ "ffn_down", "mlp.down_proj", 0 },
		},
	},
};

enum { NARCH = sizeof(archs) / sizeof(archs[0]) };

static const char gguf_layer[] = "blk.";

const struct peft_arch *
peft_arch_of_gguf(const char *name)
{
	size_t i;

	for (i = 0; i < NARCH; i++)
		if (strcmp(archs[i].gguf, name) == 0)
			return &archs[i];
	return NULL;
}

const struct peft_arch *
peft_arch_of_hf(const char *model_type)
{
	size_t i;

	for (i = 0; i < NARCH; i++)
		if (strcmp(archs[i].hf, model_type) == 0)
			return &archs[i];
	return NULL;
}

const char *
peft_arch_names(void)
{
	return "llama";
}

/* "STEM.weight" or "STEM.bias": the stem's length, or 0. */
static size_t
stem(const char *name)
{
	const char *dot = strrchr(name, '.');

	if (dot == NULL || (strcmp(dot, ".weight") != 0 &&
	    strcmp(dot, ".bias") != 0))
		return 0;
	return (size_t)(dot - name);
}

/* Behind prefix and a number with a dot: the rest, and the digits' length. */
static const char *
in_layer(const char *name, const char *prefix, int *digits)
{
	size_t n = strlen(prefix), k;

	if (strncmp(name, prefix, n) != 0)
		return NULL;
	k = strspn(name + n, "0123456789");
	if (k == 0 || k > 6 || name[n + k] != '.' ||
	    (k > 1 && name[n] == '0'))
		return NULL;
	*digits = (int)k;
	return name + n + k + 1;
}

static const struct pair *
find_pair(const struct pair *p, bool hf, const char *s, size_t len)
{
	for (; p->gguf != NULL; p++) {
		const char *t = hf ? p->hf : p->gguf;

		if (strlen(t) == len && memcmp(t, s, len) == 0)
			return p;
	}
	return NULL;
}

/* The table row of a name in either world. */
static const struct pair *
locate(const struct peft_arch *a, const char *name, bool hf,
    const char **number, int *digits)
{
	const char *prefix = hf ? a->hf_layer : gguf_layer, *rest;
	size_t len;

	*digits = 0;
	*number = "";
	if ((rest = in_layer(name, prefix, digits)) != NULL) {
		*number = name + strlen(prefix);
		len = stem(rest);
		return len == 0 ? NULL : find_pair(a->layer, hf, rest, len);
	}
	len = stem(name);
	return len == 0 ? NULL : find_pair(a->whole, hf, name, len);
}

static int
translate(const struct peft_arch *a, const char *name, bool hf, char *buf)
{
	const char *number, *other, *tail = strrchr(name, '.');
	const struct pair *p;
	int digits;

	if ((p = locate(a, name, hf, &number, &digits)) == NULL)
		return -1;
	other = hf ? p->gguf : p->hf;
	if (digits > 0)
		snprintf(buf, 256, "%s%.*s.%s%s", hf ? gguf_layer :
		    a->hf_layer, digits, number, other, tail);
	else
		snprintf(buf, 256, "%s%s", other, tail);
	return 0;
}

int
peft_arch_to_hf(const struct peft_arch *a, const char *name, char *buf)
{
	return translate(a, name, false, buf);
}

int
peft_arch_to_gguf(const struct peft_arch *a, const char *name, char *buf)
{
	return translate(a, name, true, buf);
}

size_t
peft_arch_permuted(const struct peft_arch *a, const char *hf_name,
    const struct peft_heads *h)
{
	const struct pair *p;
	const char *number;
	int digits;

	p = locate(a, hf_name, true, &number, &digits);
	if (p == NULL || p->heads == 0)
		return 0;
	return p->heads == 'q' ? h->heads : h->kv_heads;
}

/* Within a head of n rows, row p * n/2 + j goes to 2 j + p. */
size_t
peft_permute_to_gguf(size_t r, size_t rows, size_t heads)
{
	size_t n = rows / heads, at = r % n;

	return r - at + at % (n / 2) * 2 + at / (n / 2);
}

size_t
peft_permute_to_hf(size_t r, size_t rows, size_t heads)
{
	size_t n = rows / heads, at = r % n;

	return r - at + at % 2 * (n / 2) + at / 2;
}
