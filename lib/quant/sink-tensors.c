/* SPDX-License-Identifier: Apache-2.0 */
/* The tensors of a GGUF sink: one a weight, or one for all experts' weights
 * of a kind in a layer. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "quant/sink-impl.h"

/* GGUF knows one to four dimensions, none of them 0; rows that are reordered
 * must divide into pairs within heads. */
static int
check_shape(const struct peft_sink *k, const struct peft_spec *s,
    struct peft_err *err)
{
	struct peft_order o = peft_arch_order(k->arch, s->name, &k->heads);
	int d;

	if (s->ndim < 1 || s->ndim > (o.stacked ? 3 : 4))
		return peft_seterr(err, "weight %s: %d dimensions cannot be "
		    "told in GGUF", s->name, s->ndim);
	for (d = 0; d < s->ndim; d++)
		if (s->shape[d] == 0)
			return peft_seterr(err, "weight %s is empty, which "
			    "GGUF has no way to say", s->name);
	if (o.heads > 0 && s->ndim > 2)
		return peft_seterr(err, "weight %s is not a matrix", s->name);
	if (!peft_order_fits(&o, s->shape[0]))
		return peft_seterr(err, "weight %s: %zu rows do not divide "
		    "into %zu heads", s->name, s->shape[0], o.heads);
	return 0;
}

/* Vectors are always f32 in GGUF. */
static int
check_type(struct peft_spec *s, struct peft_err *err)
{
	const struct peft_dtype_info *info;
	size_t cols = s->shape[s->ndim - 1];

	if (s->ndim == 1)
		s->dtype = PEFT_F32;
	info = &peft_dtypes[s->dtype];
	if (info->ggml < 0)
		return peft_seterr(err, "weight %s: type %s does not exist in "
		    "GGUF", s->name, info->name);
	if (cols % info->block != 0)
		return peft_seterr(err, "weight %s: rows of %zu do not divide "
		    "into blocks of %u (%s)", s->name, cols, info->block,
		    info->name);
	return 0;
}

static size_t
bytes_of(const struct peft_spec *s)
{
	const struct peft_dtype_info *info = &peft_dtypes[s->dtype];
	size_t n = s->shape[s->ndim - 1] / info->block * info->bytes;
	int d;

	for (d = 0; d < s->ndim - 1; d++)
		n *= s->shape[d];
	return n;
}

/* A tensor on its way. */
struct stack {
	size_t	first;		/* weight that it was made for */
	size_t	there;		/* weights in it */
	uint64_t begin;
};

struct tensors {
	struct peft_sink	*k;
	struct peft_gguf_tensor	*t;
	size_t			 n;		/* at most three a weight */
	struct stack		*stacks;	/* [n], of others as well */
	size_t			*of;		/* [weights] its tensor */
	struct peft_map		 by_name;	/* of stacks */
};

static int
add_tensor(struct tensors *to, size_t i, const char *name, bool stacked,
    struct peft_err *err)
{
	const struct peft_spec *s = &to->k->specs[i];
	struct peft_gguf_tensor *t = &to->t[to->n];

	t->dtype = s->dtype;
	t->ndim = s->ndim + stacked;
	memcpy(t->shape + stacked, s->shape, (size_t)s->ndim *
	    sizeof(*s->shape));
	t->nbytes = bytes_of(s);
	to->stacks[to->n].first = i;
	to->of[i] = to->n;
	if ((t->name = peft_strdup(name, err)) == NULL)
		return -1;
	to->n++;
	if (!stacked)
		return 0;
	t->shape[0] = 0;
	return peft_map_add(&to->by_name, name, strlen(name), to->n - 1,
	    err) == -1 ? -1 : 0;
}

/* Queries, keys and values, which GGUF has in tensors of their own, one behind
 * the other. */
static int
add_fused(struct tensors *to, size_t i, char *name, struct peft_err *err)
{
	static const char which[] = "qkv";
	const struct peft_spec *s = &to->k->specs[i];
	const struct peft_heads *h = &to->k->heads;
	size_t head = s->shape[0] / (h->heads + 2 * h->kv_heads), p;
	char *q = strstr(name, "attn_q") + sizeof("attn_") - 1;
	struct peft_gguf_tensor *t;

	for (p = 0; p < 3; p++) {
		*q = which[p];
		if (add_tensor(to, i, name, false, err) == -1)
			return -1;
		t = &to->t[to->n - 1];
		t->shape[0] = head * (p == 0 ? h->heads : h->kv_heads);
		t->nbytes = t->nbytes / s->shape[0] * t->shape[0];
		if (p < 2 && t->nbytes % PEFT_GGUF_ALIGN != 0)
			return peft_seterr(err, "weight %s: its queries, keys "
			    "and values are tensors of their own in GGUF, "
			    "and these do not end at whole %d bytes", s->name,
			    PEFT_GGUF_ALIGN);
	}
	to->of[i] = to->n - 3;
	to->k->more += 2;
	return 0;
}

/* Experts of a layer are alike, for one tensor holds them. */
static int
add_expert(struct tensors *to, size_t i, const char *name,
    struct peft_err *err)
{
	const struct peft_spec *s = &to->k->specs[i], *first;
	size_t e = peft_arch_expert(to->k->arch, s->name), *at;
	struct peft_gguf_tensor *t;

	at = peft_map_find(&to->by_name, name, strlen(name));
	if (at == NULL && add_tensor(to, i, name, true, err) == -1)
		return -1;
	to->of[i] = at == NULL ? to->n - 1 : *at;
	t = &to->t[to->of[i]];
	first = &to->k->specs[to->stacks[to->of[i]].first];
	if (s->dtype != first->dtype)
		return peft_seterr(err, "weight %s is to be %s, %s %s: GGUF "
		    "has a layer's experts in one tensor of one type",
		    s->name, peft_dtypes[s->dtype].name, first->name,
		    peft_dtypes[first->dtype].name);
	if (s->ndim != first->ndim || memcmp(s->shape, first->shape,
	    (size_t)s->ndim * sizeof(*s->shape)) != 0)
		return peft_seterr(err, "weight %s has not the shape of %s, "
		    "which GGUF has in the same tensor", s->name,
		    first->name);
	to->stacks[to->of[i]].there++;
	if (t->shape[0] <= e)
		t->shape[0] = e + 1;
	return 0;
}

static int
add_weight(struct tensors *to, size_t i, struct peft_err *err)
{
	struct peft_sink *k = to->k;
	struct peft_spec *s = &k->specs[i];
	struct peft_order o = peft_arch_order(k->arch, s->name, &k->heads);
	char name[256];

	if (peft_arch_to_gguf(k->arch, s->name, name) == -1)
		return peft_seterr(err, "weight %s has no name in GGUF",
		    s->name);
	if (!s->turned && o.turned && peft_sink_turn(k, i, err) == -1)
		return -1;
	if (check_shape(k, s, err) == -1 || check_type(s, err) == -1)
		return -1;
	return o.split ? add_fused(to, i, name, err) : o.stacked ?
	    add_expert(to, i, name, err) :
	    add_tensor(to, i, name, false, err);
}

static int
check_stacks(struct tensors *to, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < to->n; i++) {
		struct peft_gguf_tensor *t = &to->t[i];

		if (to->stacks[i].there == 0)
			continue;
		if (to->stacks[i].there != t->shape[0])
			return peft_seterr(err, "of the %zu experts whose "
			    "weights GGUF has as %s only %zu are there",
			    t->shape[0], t->name, to->stacks[i].there);
		t->nbytes *= t->shape[0];
	}
	return 0;
}

/* Where each weight goes, from the first one on. */
static void
place_all(struct tensors *to)
{
	struct peft_sink *k = to->k;
	size_t i, e, all;
	uint64_t at = 0;

	for (i = 0; i < to->n; i++) {
		to->stacks[i].begin = at;
		at += to->t[i].nbytes + (PEFT_GGUF_ALIGN - to->t[i].nbytes %
		    PEFT_GGUF_ALIGN) % PEFT_GGUF_ALIGN;
	}
	k->gguf_bytes = at;
	for (i = 0; i < k->n; i++) {
		const struct stack *s = &to->stacks[to->of[i]];
		const struct peft_gguf_tensor *t = &to->t[to->of[i]];

		all = s->there == 0 ? 1 : t->shape[0];
		e = s->there == 0 ? 0 : peft_arch_expert(k->arch,
		    k->specs[i].name);
		k->places[i].begin = s->begin + t->nbytes / all * e;
		k->places[i].whole = e + 1 == all ? t->nbytes : 0;
		for (e = 1; e < 3 && to->of[i] + e < to->n &&
		    to->stacks[to->of[i] + e].first == i; e++)
			k->places[i].whole += t[e].nbytes;
	}
}

int
peft_sink_tensors(struct peft_sink *k, struct peft_gguf_tensor *t, size_t *n,
    struct peft_err *err)
{
	struct tensors to = { .k = k, .t = t };
	size_t i;
	int r = -1;

	to.stacks = peft_calloc(3 * k->n + 1, sizeof(*to.stacks), err);
	to.of = peft_calloc(k->n + 1, sizeof(*to.of), err);
	free(k->places);
	k->more = 0;
	k->places = peft_calloc(k->n + 1, sizeof(*k->places), err);
	if (to.stacks != NULL && to.of != NULL && k->places != NULL)
		r = 0;
	for (i = 0; r == 0 && i < k->n; i++)
		r = add_weight(&to, i, err);
	*n = to.n;
	if (r == 0 && (r = check_stacks(&to, err)) == 0)
		place_all(&to);
	peft_map_free(&to.by_name);
	free(to.stacks);
	free(to.of);
	return r;
}

int
peft_sink_seek(struct peft_sink *k, struct peft_err *err)
{
	uint64_t at = k->data_at + k->places[k->next].begin;

	/* a seek flushes, so that one to where it is costs a write */
	if ((uint64_t)ftello(k->fp) == at || fseeko(k->fp, (off_t)at,
	    SEEK_SET) == 0)
		return 0;
	return peft_seterrno(err, "%s", k->label);
}
