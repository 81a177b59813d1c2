/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA as llama.cpp reads it (convert_lora_to_gguf.py, llama-adapter.cpp):
 * general.type "adapter", adapter.type "lora", and of each base tensor
 * NAME.lora_a [r, in] and NAME.lora_b [out, r], whose rows lie as those of
 * the base tensor do in GGUF.
 */

#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "merge/lora.h"
#include "tensor/ggufmap.h"

struct writer {
	const struct peft_lora_gguf	*o;
	const struct peft_arch		*arch;
	struct peft_heads		 heads;
	struct peft_gguf_tensor		*t;
	size_t				 n;
};

static void
hf_name(const struct peft_site *s, char *name, size_t size)
{
	snprintf(name, size, "%s.weight", s->path);
}

static int
describe(struct writer *w, const struct peft_site *s, struct peft_err *err)
{
	static const char *const tails[] = { "lora_a", "lora_b" };
	char hf[512], gguf[256], name[300];
	size_t r = w->o->rank;
	int k;

	hf_name(s, hf, sizeof(hf));
	if (peft_arch_to_gguf(w->arch, hf, gguf) == -1 ||
	    strchr(gguf, '#') != NULL || peft_arch_order(w->arch, hf,
	    &w->heads).split)
		return peft_seterr(err, "weight %s has no name in GGUF", hf);
	for (k = 0; k < 2; k++) {
		struct peft_gguf_tensor *t = &w->t[w->n];

		snprintf(name, sizeof(name), "%s.%s", gguf, tails[k]);
		*t = (struct peft_gguf_tensor){ .dtype = PEFT_F32, .ndim = 2,
		    .shape = { k == 0 ? r : s->out, k == 0 ? s->in : r } };
		t->nbytes = t->shape[0] * t->shape[1] * sizeof(float);
		if ((t->name = peft_strdup(name, err)) == NULL)
			return -1;
		w->n++;
	}
	return 0;
}

static int
put(FILE *fp, const char *label, const float *v, size_t n,
    struct peft_err *err)
{
	if (peft_fwrite(fp, label, v, n * sizeof(*v), err) == -1)
		return -1;
	return peft_gguf_pad(fp, label, n * sizeof(*v), err);
}

/* B's rows in the order of the base's. */
static int
put_site(const struct writer *w, const struct peft_site *s, FILE *fp,
    const char *label, struct peft_err *err)
{
	const float *a = peft_lora_factor(w->o->adapter, s, 0, err);
	const float *b = peft_lora_factor(w->o->adapter, s, 1, err);
	size_t r = w->o->rank, i, to;
	struct peft_order order;
	char hf[512];
	float *v;
	int st;

	if (a == NULL || b == NULL ||
	    (v = peft_calloc(s->out * r, sizeof(*v), err)) == NULL)
		return -1;
	hf_name(s, hf, sizeof(hf));
	order = peft_arch_order(w->arch, hf, &w->heads);
	for (i = 0; i < s->out; i++) {
		to = order.heads > 0 ? peft_permute_to_gguf(i, s->out,
		    &order) : i;
		memcpy(v + to * r, b + i * r, r * sizeof(*v));
	}
	st = put(fp, label, a, r * s->in, err);
	if (st == 0)
		st = put(fp, label, v, s->out * r, err);
	free(v);
	return st;
}

static void
put_pairs(const struct writer *w, struct peft_gguf_out *o)
{
	const char *arch = peft_arch_gguf(w->arch);

	peft_gguf_put_string(o, "general.architecture", arch, strlen(arch));
	peft_gguf_put_string(o, "general.type", "adapter", 7);
	peft_gguf_put_string(o, "adapter.type", "lora", 4);
	/* the scale is alpha over rank: 1 */
	peft_gguf_put_f32(o, "adapter.lora.alpha", (float)w->o->rank);
}

static int
write_all(struct writer *w, FILE *fp, const char *label,
    struct peft_err *err)
{
	const struct peft_sites *sites = w->o->sites;
	struct peft_gguf_out pairs = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sites->n; i++)
		if (w->o->taken[i])
			r = describe(w, &sites->at[i], err);
	put_pairs(w, &pairs);
	if (r == 0)
		r = peft_gguf_write(fp, label, &pairs, w->t, w->n, err);
	for (i = 0; r == 0 && i < sites->n; i++)
		if (w->o->taken[i])
			r = put_site(w, &sites->at[i], fp, label, err);
	peft_buf_free(&pairs.kv);
	return r;
}

int
peft_lora_save_gguf(const struct peft_lora_gguf *o, const char *path,
    bool force, struct peft_err *err)
{
	const struct peft_config *c = o->sites->config;
	struct writer w = { .o = o,
	    .arch = peft_arch_of_hf(c->family->model_type),
	    .heads = { c->heads, c->kv_heads } };
	struct peft_out *out;
	size_t i;
	int r = -1;

	if (w.arch == NULL)
		return peft_seterr(err, "model_type \"%s\" cannot be told in "
		    "GGUF here", c->family->model_type);
	w.t = peft_calloc(2 * o->sites->n + 1, sizeof(*w.t), err);
	out = w.t == NULL ? NULL : peft_out_open(path, force, err);
	if (out != NULL)
		r = write_all(&w, peft_out_fp(out), path, err);
	if (out != NULL && r == -1)
		peft_out_abort(out);
	else if (out != NULL)
		r = peft_out_commit(out, err);
	for (i = 0; i < w.n; i++)
		free(w.t[i].name);
	free(w.t);
	return r;
}
