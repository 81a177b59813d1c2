/* SPDX-License-Identifier: Apache-2.0 */
/* llama.cpp's LoRA files: which base they are of only the base can say, by
 * its names and the order of its rows. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "merge/lora.h"
#include "quant/quant.h"
#include "tensor/ggufmap.h"

enum { MOST_BYTES = 1 << 30 };

struct reader {
	struct peft_buf		 bytes;
	struct peft_gguf	 g;
	const struct peft_sites	*sites;
	const struct peft_arch	*arch;
	struct peft_heads	 heads;
	double			 alpha;
	bool			*taken;		/* [sites] */
	size_t			 rank, used;	/* used: tensors */
};

bool
peft_lora_is_gguf(const char *path)
{
	char magic[4] = "";
	FILE *fp = strcmp(path, "-") == 0 ? NULL : fopen(path, "rb");
	bool is = fp != NULL && fread(magic, 1, 4, fp) == 4 &&
	    memcmp(magic, "GGUF", 4) == 0;

	if (fp != NULL)
		fclose(fp);
	return is;
}

static bool
says(const struct peft_gguf *g, const char *key, const char *what)
{
	const char *s;
	size_t n;

	return peft_gguf_string(g, key, &s, &n) && n == strlen(what) &&
	    memcmp(s, what, n) == 0;
}

static int
check_file(struct reader *k, struct peft_err *err)
{
	const char *arch;

	if (!says(&k->g, "general.type", "adapter") ||
	    !says(&k->g, "adapter.type", "lora"))
		return peft_seterr(err, "a GGUF that is no LoRA adapter "
		    "(general.type, adapter.type)");
	k->arch = peft_arch_of_hf(k->sites->config->family->model_type);
	if (k->arch == NULL)
		return peft_seterr(err, "model_type \"%s\" has no names in "
		    "GGUF here", k->sites->config->family->model_type);
	arch = peft_arch_gguf(k->arch);
	if (!says(&k->g, "general.architecture", arch))
		return peft_setfail(err, PEFT_CHECK, "an adapter of another "
		    "architecture than the base's, \"%s\"", arch);
	k->alpha = 0;
	if (peft_gguf_find(&k->g, "adapter.lora.alpha") != NULL &&
	    (!peft_gguf_real(&k->g, "adapter.lora.alpha", &k->alpha) ||
	    !isfinite(k->alpha)))
		return peft_seterr(err, "adapter.lora.alpha is no number");
	return 0;
}

static const struct peft_gguf_tensor *
find(const struct reader *k, const struct peft_site *s, const char *tail)
{
	char hf[512], gguf[256], name[300];
	size_t i;

	snprintf(hf, sizeof(hf), "%s.weight", s->path);
	if (peft_arch_to_gguf(k->arch, hf, gguf) == -1 ||
	    peft_arch_order(k->arch, hf, &k->heads).split)
		return NULL;
	snprintf(name, sizeof(name), "%s.%s", gguf, tail);
	for (i = 0; i < k->g.n; i++)
		if (strcmp(k->g.tensors[i].name, name) == 0)
			return &k->g.tensors[i];
	return NULL;
}

/* Which sites have a part, and that it is whole and fits. */
static int
look(struct reader *k, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < k->sites->n; i++) {
		const struct peft_site *s = &k->sites->at[i];
		const struct peft_gguf_tensor *a, *b;

		if (s->kind != PEFT_LINEAR)
			continue;
		a = find(k, s, "lora_a");
		b = find(k, s, "lora_b");
		if (a == NULL && b == NULL)
			continue;
		if (a == NULL || b == NULL)
			return peft_setfail(err, PEFT_CHECK, "%s has one half "
			    "only, %s", s->path, a != NULL ? a->name : b->name);
		if (a->ndim != 2 || b->ndim != 2 || a->shape[1] != s->in ||
		    b->shape[0] != s->out || a->shape[0] != b->shape[1])
			return peft_setfail(err, PEFT_CHECK, "%s and %s do not "
			    "fit %s, [%zu, %zu]", a->name, b->name, s->path,
			    s->out, s->in);
		if (!peft_can_decode(a->dtype) || !peft_can_decode(b->dtype))
			return peft_seterr(err, "%s is of a type that cannot "
			    "be computed with", a->name);
		k->taken[i] = true;
		k->used += 2;
		k->rank = a->shape[0] > k->rank ? a->shape[0] : k->rank;
	}
	return 0;
}

/* The first that fits nothing: norms, embeddings, other models'. */
static int
all_used(const struct reader *k, struct peft_err *err)
{
	size_t i, j;

	for (i = 0; k->used < k->g.n && i < k->g.n; i++) {
		const struct peft_gguf_tensor *t = &k->g.tensors[i];
		bool met = false;

		for (j = 0; j < k->sites->n && !met; j++)
			met = k->taken[j] &&
			    (find(k, &k->sites->at[j], "lora_a") == t ||
			    find(k, &k->sites->at[j], "lora_b") == t);
		if (!met)
			return peft_setfail(err, PEFT_CHECK, "tensor %s fits "
			    "no linear layer of this model", t->name);
	}
	return k->used > 0 ? 0 : peft_seterr(err, "holds no tensors");
}

static float *
decode(const struct reader *k, const struct peft_gguf_tensor *t,
    struct peft_err *err)
{
	struct peft_weight w = { .name = t->name, .dtype = t->dtype,
	    .ndim = 2, .shape = { t->shape[0], t->shape[1] },
	    .rows = t->shape[0], .cols = t->shape[1],
	    .nelem = t->shape[0] * t->shape[1], .nbytes = t->nbytes,
	    .data = k->bytes.data + t->begin };
	float *v = peft_calloc(w.nelem + 1, sizeof(*v), err);
	size_t i;

	if (v == NULL)
		return NULL;
	peft_decode(&w, 0, w.nelem, v);
	for (i = 0; i < w.nelem; i++)
		if (!isfinite(v[i])) {
			peft_setfail(err, PEFT_NUMERIC, "tensor %s holds NaN "
			    "or Inf", t->name);
			free(v);
			return NULL;
		}
	return v;
}

/* A as it is; B's rows as Hugging Face has them, times the scale. */
static int
take(const struct reader *k, const struct peft_site *s,
    struct peft_adapter *adapter, struct peft_err *err)
{
	const struct peft_gguf_tensor *t = find(k, s, "lora_a");
	float *a = peft_lora_factor(adapter, s, 0, err);
	float *b = peft_lora_factor(adapter, s, 1, err);
	float *va = decode(k, t, err), *vb = NULL;
	size_t r = t->shape[0], i, j, from;
	struct peft_order order;
	char hf[512];
	float scale = k->alpha == 0 ? 1 : (float)(k->alpha / (double)r);

	if (va != NULL)
		vb = decode(k, find(k, s, "lora_b"), err);
	if (a == NULL || b == NULL || vb == NULL) {
		free(va);
		return -1;
	}
	snprintf(hf, sizeof(hf), "%s.weight", s->path);
	order = peft_arch_order(k->arch, hf, &k->heads);
	memset(a, 0, k->rank * s->in * sizeof(*a));
	memcpy(a, va, r * s->in * sizeof(*a));
	memset(b, 0, s->out * k->rank * sizeof(*b));
	for (i = 0; i < s->out; i++) {
		from = order.heads > 0 ? peft_permute_to_gguf(i, s->out,
		    &order) : i;
		for (j = 0; j < r; j++)
			b[i * k->rank + j] = scale * vb[from * r + j];
	}
	free(va);
	free(vb);
	return 0;
}

static struct peft_adapter *
make(struct reader *k, struct peft_err *err)
{
	cJSON *config = peft_lora_config(k->sites, k->taken, k->rank, NULL);
	struct peft_adapter *a = peft_adapter_new(config, k->sites, 0, err);
	size_t i;
	int r = a == NULL ? -1 : 0;

	cJSON_Delete(config);
	for (i = 0; r == 0 && i < k->sites->n; i++)
		if (k->taken[i])
			r = take(k, &k->sites->at[i], a, err);
	if (r == 0)
		return a;
	peft_adapter_close(a);
	return NULL;
}

struct peft_adapter *
peft_lora_open_gguf(const char *path, const struct peft_sites *sites,
    struct peft_err *err)
{
	const struct peft_config *c = sites->config;
	struct reader k = { .sites = sites,
	    .heads = { c->heads, c->kv_heads } };
	struct peft_adapter *a = NULL;

	k.taken = peft_calloc(sites->n + 1, sizeof(*k.taken), err);
	if (k.taken != NULL &&
	    peft_in_slurp(path, MOST_BYTES, &k.bytes, err) == 0) {
		if (peft_gguf_parse(&k.g, (const uint8_t *)k.bytes.data,
		    k.bytes.len, err) == 0) {
			if (check_file(&k, err) == 0 && look(&k, err) == 0 &&
			    all_used(&k, err) == 0)
				a = make(&k, err);
			peft_gguf_free(&k.g);
		}
		if (a == NULL)
			peft_errprefix(err, "%s", path);
	}
	peft_buf_free(&k.bytes);
	free(k.taken);
	return a;
}
