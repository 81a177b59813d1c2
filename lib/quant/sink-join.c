/* SPDX-License-Identifier: Apache-2.0 */
/* Experts on their way into a folder of a family whose files have all of a
 * layer in one tensor (tensor/source-experts.c takes them apart again). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quant/sink-impl.h"

/* What a weight's name says: PATH.experts.EXPERT.gate_proj.weight */
struct name {
	size_t		 path;		/* its length, without .experts */
	size_t		 expert, half, each;
	bool		 bias;
};

static const struct { const char *word; size_t half, each; } words[] = {
	{ "gate_proj.", 0, 2 }, { "up_proj.", 1, 2 }, { "down_proj.", 0, 1 },
};

static bool
read_name(const char *s, struct name *n)
{
	static const char experts[] = ".experts.";
	const char *at = strstr(s, experts);
	char *end;
	size_t i, k;

	if (at == NULL)
		return false;
	n->path = (size_t)(at - s);
	at += sizeof(experts) - 1;
	n->expert = strtoul(at, &end, 10);
	if (end == at || *end != '.')
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		k = strlen(words[i].word);
		if (strncmp(end + 1, words[i].word, k) != 0)
			continue;
		n->half = words[i].half;
		n->each = words[i].each;
		n->bias = strcmp(end + 1 + k, "bias") == 0;
		return n->bias || strcmp(end + 1 + k, "weight") == 0;
	}
	return false;
}

/* Could spec i be the m-th of the tensor that spec `first' begins? */
static bool
continues(const struct peft_sink *k, size_t first, size_t i, size_t m)
{
	const struct peft_spec *a = &k->specs[first], *b = &k->specs[i];
	struct name p, q;

	return read_name(a->name, &p) && read_name(b->name, &q) &&
	    q.path == p.path && strncmp(a->name, b->name, p.path) == 0 &&
	    q.each == p.each && q.bias == p.bias && q.half == m % p.each &&
	    q.expert == m / p.each && a->dtype == b->dtype &&
	    (a->dtype == PEFT_F32 || a->dtype == PEFT_F16 ||
	    a->dtype == PEFT_BF16) && a->ndim == (p.bias ? 1 : 2) &&
	    a->ndim == b->ndim && memcmp(a->shape, b->shape,
	    (size_t)a->ndim * sizeof(*a->shape)) == 0;
}

static bool
is_joined_family(const struct peft_sink *k)
{
	const struct peft_side *side = peft_sides_find(&k->sides,
	    "config.json");
	const struct peft_arch *a = NULL;
	const char *type = NULL;
	struct peft_err none;
	cJSON *j;

	if (k->kind != PEFT_OUT_FOLDER || side == NULL ||
	    (j = peft_json(side->data, side->len, &none)) == NULL)
		return false;	/* who reads the family says what is wrong */
	if (peft_json_str(j, "model_type", &type, &none) == 1)
		a = peft_arch_of_hf(type);
	cJSON_Delete(j);
	return a != NULL && peft_arch_joined(a);
}

/* Weights that follow each other expert by expert are joined; others keep
 * names of their own. */
int
peft_sink_join(struct peft_sink *k, struct peft_err *err)
{
	size_t i, n;
	struct name p;

	k->joint = peft_calloc(k->n + 1, sizeof(*k->joint), err);
	if (k->joint == NULL)
		return -1;
	if (!is_joined_family(k))
		return 0;
	for (i = 0; i < k->n; i += n > 0 ? n : 1) {
		for (n = 0; i + n < k->n && continues(k, i, i + n, n); n++)
			k->joint[i + n] = (struct peft_joint){ .first = i,
			    .at = n };
		if (n == 0)
			continue;
		(void)read_name(k->specs[i].name, &p);
		if (n % p.each != 0)	/* a gate without its up */
			k->joint[i + --n] = (struct peft_joint){ 0 };
		k->joint[i].n = n;
		for (; n > 0 && k->joint[i + n - 1].each == 0; n--)
			k->joint[i + n - 1].each = p.each;
		n = k->joint[i].n;
	}
	return 0;
}

/* What a safetensors file says of the tensor that spec i begins: shape has
 * room for three. */
void
peft_sink_joined(const struct peft_sink *k, size_t i, char name[512],
    size_t *shape)
{
	const struct peft_spec *s = &k->specs[i];
	const struct peft_joint *j = &k->joint[i];
	struct name p;

	(void)read_name(s->name, &p);
	snprintf(name, 512, "%.*s.experts.%s_proj%s", (int)p.path, s->name,
	    j->each == 2 ? "gate_up" : "down", p.bias ? "_bias" : "");
	shape[0] = j->n / j->each;
	shape[p.bias ? 1 : 2] = s->shape[0] * j->each;
	if (!p.bias)
		shape[1] = s->shape[1];
}

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct peft_slab *slab = ctx;

	(void)err;
	memcpy(dst, slab->at + first * slab->cols, n * slab->cols *
	    sizeof(*dst));
	return 0;
}

/* Rows of a weight [out, in] as columns of the slab [in, each out]. */
static int
fill(struct peft_slab *slab, const struct peft_spec *s,
    const struct peft_joint *j, const struct peft_rows *rows,
    struct peft_err *err)
{
	size_t out = s->ndim == 1 ? 1 : s->shape[0];
	size_t in = s->shape[s->ndim - 1], r, c;
	float *row = peft_calloc(in, sizeof(*row), err);
	int ok = row == NULL ? -1 : 0;

	for (r = 0; ok == 0 && r < out; r++) {
		ok = rows->get(rows->ctx, r, 1, row, err);
		for (c = 0; ok == 0 && c < in; c++)
			slab->at[s->ndim == 1 ? c * j->each + j->at % j->each :
			    c * slab->cols + r * j->each + j->at % j->each] =
			    row[c];
	}
	free(row);
	return ok;
}

int
peft_sink_put_joined(struct peft_sink *k, const struct peft_rows *rows,
    struct peft_err *err)
{
	const struct peft_joint *j = &k->joint[k->next];
	const struct peft_spec *s = &k->specs[k->next];
	struct peft_slab *slab = &k->slab;
	size_t in = s->ndim == 1 ? 1 : s->shape[1];
	struct peft_spec whole = *s;
	struct peft_rows made = { .get = get, .ctx = slab, .shared = true };
	int r;

	if (j->at % j->each == 0) {
		free(slab->at);
		slab->cols = s->shape[0] * j->each;
		slab->at = peft_calloc(in * slab->cols, sizeof(*slab->at),
		    err);
		if (slab->at == NULL)
			return -1;
	}
	if (fill(slab, s, j, rows, err) == -1)
		return -1;
	if (j->at % j->each + 1 < j->each)
		return 0;
	whole.ndim = 2;
	whole.shape[0] = in;
	whole.shape[1] = slab->cols;
	r = peft_sink_encode(k, &whole, &made, err);
	free(slab->at);
	slab->at = NULL;
	return r;
}
