/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DeepSeek's kv_b_proj, which newer GGUF files have in two tensors, for
 * attention over what is narrow (llama.cpp's converter): of each head the
 * rows that widen keys, turned over, [heads, rank, keys]; and those of values
 * as they are, [heads, values, rank].  Here they are one weight again
 * [heads x (keys + values), rank]: of plain numbers; blocks cannot be turned
 * over, and stay as they are for who decodes them (PEFT_KVB).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/source-impl.h"

static const char keys[] = ".kv_b_proj.k_b", values[] = ".kv_b_proj.v_b";

/* Both names are as long as the weight's own, without ".weight". */
const char *
peft_latent_half(const char *gguf_name, char buf[256])
{
	static const struct { const char *tail, *hf; } halves[] = {
		{ ".attn_k_b.weight", keys }, { ".attn_v_b.weight", values } };
	size_t n = strlen(gguf_name), i, k, digits;

	if (strncmp(gguf_name, "blk.", 4) != 0)
		return NULL;
	digits = strspn(gguf_name + 4, "0123456789");
	for (i = 0; i < 2; i++) {
		k = strlen(halves[i].tail);
		if (digits == 0 || digits > 6 || n != 4 + digits + k ||
		    strcmp(gguf_name + n - k, halves[i].tail) != 0)
			continue;
		snprintf(buf, 256, "model.layers.%.*s.self_attn%s",
		    (int)digits, gguf_name + 4, halves[i].hf);
		return buf;
	}
	return NULL;
}

/* Does the raw tensor's name end so?  The raw tensor that has another end is
 * *other. */
static bool
is_half(const struct peft_source *s, size_t i, const char *tail,
    const char *others, size_t *other)
{
	const char *name = s->raws[i].name;
	size_t n = strlen(name), k = strlen(tail);
	char base[256];

	if (n <= k || n - k >= sizeof(base) || s->kind != PEFT_GGUF ||
	    strcmp(name + n - k, tail) != 0)
		return false;
	memcpy(base, name, n - k);
	base[n - k] = '\0';
	*other = peft_source_find_raw(s, base, others);
	return true;
}

bool
peft_latent_is_second(const struct peft_source *s, size_t i)
{
	size_t first;

	return is_half(s, i, values, keys, &first) && first != PEFT_NONE;
}

int
peft_latent_make(struct peft_source *s, size_t i, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *k = &s->raws[i], *v;
	struct peft_buf b = { 0 };
	size_t second, shape[2];

	if (!is_half(s, i, keys, values, &second) &&
	    !is_half(s, i, values, keys, &second))
		return 0;
	if (second == PEFT_NONE)
		return peft_seterr(err, "of %.*s one half alone is there",
		    (int)(strrchr(k->name, '.') - k->name), k->name);
	v = &s->raws[second];
	if (k->ndim != 3 || v->ndim != 3 || k->nbytes == 0 ||
	    v->nbytes == 0 || k->shape[0] != v->shape[0] ||
	    k->shape[1] != v->shape[2])
		return peft_seterr(err, "%s and %s are not the halves of one "
		    "weight", k->name, v->name);
	peft_buf_printf(&b, "%.*s.weight", (int)(strlen(k->name) -
	    strlen(strrchr(k->name, '.'))), k->name);
	if (b.failed)
		return peft_seterr(err, "no memory for names");
	w->name = b.data;
	w->w.name = w->name;
	w->part[PEFT_SECOND] = second;
	w->w.dtype = k->dtype == v->dtype && peft_dtypes[k->dtype].block ==
	    1 ? k->dtype : PEFT_KVB;
	w->w.nbytes = k->nbytes + v->nbytes;
	if (w->w.dtype == PEFT_KVB)
		w->w.scales.kvb = (struct peft_kvb){ .heads = k->shape[0],
		    .keys = k->shape[2], .first = k->nbytes,
		    .type = { k->dtype, v->dtype } };
	shape[0] = k->shape[0] * (k->shape[2] + v->shape[1]);
	shape[1] = k->shape[1];
	return peft_weight_set_shape(&w->w, 2, shape, err) == -1 ? -1 : 1;
}

/* Plain numbers, head by head. */
static void
join(uint8_t *to, const uint8_t *k, const uint8_t *v, size_t heads,
    size_t nkeys, size_t nvalues, size_t rank, size_t size)
{
	size_t h, i, c;

	for (h = 0; h < heads; h++) {
		for (i = 0; i < nkeys; i++)
			for (c = 0; c < rank; c++, to += size)
				memcpy(to, k + ((h * rank + c) * nkeys + i) *
				    size, size);
		memcpy(to, v + h * nvalues * rank * size, nvalues * rank *
		    size);
		to += nvalues * rank * size;
	}
}

int
peft_latent_join(const struct peft_source *s, struct peft_whole *w,
    const void *const p[PEFT_NPART], struct peft_err *err)
{
	const struct peft_raw *k = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *v = &s->raws[w->part[PEFT_SECOND]];
	size_t n = k->nbytes;

	if (w->permuted == NULL &&
	    (w->permuted = malloc(w->w.nbytes)) == NULL)
		return peft_seterr(err, "weight %s: no memory for %zu bytes",
		    w->w.name, w->w.nbytes);
	w->w.data = w->permuted;
	if (w->w.dtype != PEFT_KVB) {
		join(w->permuted, p[PEFT_DATA], p[PEFT_SECOND], k->shape[0],
		    k->shape[2], v->shape[1], k->shape[1],
		    peft_dtypes[k->dtype].bytes);
		return 0;
	}
	memcpy(w->permuted, p[PEFT_DATA], n);
	memcpy(w->permuted + n, p[PEFT_SECOND], w->w.nbytes - n);
	return 0;
}
