/* SPDX-License-Identifier: Apache-2.0 */
/* Caches of keys and values, one a sequence. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/net-impl.h"

struct peft_kv *
peft_kv_open(const struct peft_net *net, size_t n, struct peft_err *err)
{
	struct peft_kv *kv;
	size_t floats;

	if ((kv = peft_calloc(1, sizeof(*kv), err)) == NULL)
		return NULL;
	kv->layers = net->config.layers;
	kv->kdim = net->config.kv_heads * net->config.head_dim;
	kv->vdim = net->config.kv_heads * net->config.v_dim;
	n += peft_sites_virtual(&net->sites, -1);
	kv->cap = n;
	if (__builtin_mul_overflow(kv->layers * (kv->kdim + kv->vdim),
	    n, &floats) ||
	    (kv->data = peft_calloc(floats, sizeof(float), err)) == NULL) {
		peft_seterr(err, "no memory for a cache of %zu tokens", n);
		peft_kv_close(kv);
		return NULL;
	}
	return kv;
}

void
peft_kv_close(struct peft_kv *kv)
{
	if (kv == NULL)
		return;
	free(kv->data);
	free(kv);
}

size_t
peft_kv_len(const struct peft_kv *kv)
{
	return kv->len - kv->virtuals;
}

void
peft_kv_cut(struct peft_kv *kv, size_t len)
{
	if (len == 0)
		kv->len = kv->virtuals = 0;
	else if (len + kv->virtuals < kv->len)
		kv->len = len + kv->virtuals;
	if (kv->invoked > kv->len)
		kv->invoked = 0;
}

int
peft_kv_copy(struct peft_kv *dst, const struct peft_kv *src,
    struct peft_err *err)
{
	size_t dim = src->kdim + src->vdim, i;

	if (src->len > dst->cap || src->kdim != dst->kdim ||
	    src->vdim != dst->vdim || src->layers != dst->layers)
		return peft_seterr(err, "a cache of %zu tokens does not fit "
		    "into one for %zu", src->len, dst->cap);
	for (i = 0; i < src->layers; i++) {
		const float *from = src->data + i * src->cap * dim;
		float *to = dst->data + i * dst->cap * dim;

		memcpy(to, from, src->len * src->kdim * sizeof(float));
		memcpy(to + dst->cap * dst->kdim, from +
		    src->cap * src->kdim, src->len * src->vdim *
		    sizeof(float));
	}
	dst->len = src->len;
	dst->virtuals = src->virtuals;
	dst->invoked = src->invoked;
	return 0;
}
