/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA as llama.cpp reads it (convert_lora_to_gguf.py, llama-adapter.cpp):
 * general.type "adapter", adapter.type "lora", one alpha for all, and of each
 * base tensor NAME.lora_a [r, in] and NAME.lora_b [out, r], whose rows lie as
 * those of the base tensor do in GGUF.  Which base that is only the base can
 * say.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "peft/layout-impl.h"

static const struct peft_arch *
arch_of(const struct peft_sites *sites, struct peft_err *err)
{
	const char *type = sites->config->family->model_type;
	const struct peft_arch *a = peft_arch_of_hf(type);

	if (a == NULL)
		peft_seterr(err, "model_type \"%s\" has no names in GGUF "
		    "here", type);
	return a;
}

static void
hf_name(const struct peft_site *s, char *name, size_t size)
{
	snprintf(name, size, "%s.weight", s->kind == PEFT_HEAD ? s->stem :
	    s->path);
}

static struct peft_order
order(const struct peft_sites *sites, const struct peft_site *s)
{
	const struct peft_config *c = sites->config;
	const struct peft_heads heads = { c->heads, c->kv_heads };
	const struct peft_order none = { 0 };
	struct peft_err err = { 0 };
	const struct peft_arch *arch = arch_of(sites, &err);
	char hf[512];

	hf_name(s, hf, sizeof(hf));
	return arch == NULL ? none : peft_arch_order(arch, hf, &heads);
}

/* Experts, all in one tensor there, have none of their own, and what lies in
 * several tensors has none for all of it. */
static int
stem(const struct peft_sites *sites, const struct peft_site *s, int k,
    struct peft_buf *b, struct peft_err *err)
{
	const struct peft_arch *arch = arch_of(sites, err);
	char hf[512], gguf[256];

	hf_name(s, hf, sizeof(hf));
	if (arch == NULL)
		return -1;
	if (k > 0 || peft_arch_to_gguf(arch, hf, gguf) == -1 ||
	    strchr(gguf, '#') != NULL || order(sites, s).split)
		return 0;
	peft_buf_puts(b, gguf);
	return 1;
}

static bool
says(const struct peft_foreign *f, const char *key, const char *what)
{
	const char *v = peft_source_meta(f->source, key);

	return v != NULL && strcmp(v, what) == 0;
}

/* An alpha of 0 means a scale of 1. */
static int
settings(struct peft_foreign *f, struct peft_err *err)
{
	const char *text = peft_source_meta(f->source, "adapter.lora.alpha");
	double alpha = 0;
	size_t i;

	if (!says(f, "adapter.type", "lora"))
		return peft_seterr(err, "a GGUF adapter that is no LoRA "
		    "(adapter.type)");
	if (text != NULL && !peft_is_number(text, &alpha))
		return peft_seterr(err, "adapter.lora.alpha is no number");
	for (i = 0; i < f->n; i++)
		f->pairs[i].alpha = alpha == 0 ? (double)f->pairs[i].rank :
		    alpha;
	return 0;
}

static int
fits(const struct peft_foreign *f, const struct peft_sites *sites,
    struct peft_err *err)
{
	const struct peft_arch *arch = arch_of(sites, err);

	if (arch == NULL)
		return -1;
	if (!says(f, "general.architecture", peft_arch_gguf(arch)))
		return peft_setfail(err, PEFT_CHECK, "an adapter of another "
		    "architecture than the base's, \"%s\"",
		    peft_arch_gguf(arch));
	return 0;
}

static void
put_pairs(const struct peft_arch *a, const struct peft_layout_out *w,
    struct peft_gguf_out *o)
{
	const char *arch = peft_arch_gguf(a);
	size_t i;

	peft_gguf_put_string(o, "general.architecture", arch, strlen(arch));
	peft_gguf_put_string(o, "general.type", "adapter", 7);
	peft_gguf_put_string(o, "adapter.type", "lora", 4);
	peft_gguf_put_f32(o, "adapter.lora.alpha", (float)w->alpha);
	for (i = 0; w->meta != NULL && w->meta[i] != NULL; i += 2)
		peft_gguf_put_string(o, w->meta[i], w->meta[i + 1],
		    strlen(w->meta[i + 1]));
}

static int
describe(const struct peft_layout *l, const struct peft_layout_out *o,
    struct peft_gguf_tensor *t, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;
	int h, r = 0;

	for (i = 0; r == 0 && i < 2 * o->n; i++) {
		const struct peft_module *m = o->pairs[i / 2].module;
		const struct peft_param *p = m->param[i % 2];

		h = i % 2 == 0 ? PEFT_HALF_A : PEFT_HALF_B;
		peft_buf_clear(&b);
		r = peft_layout_stem(l, o->sites, m->site, &b, err);
		peft_buf_puts(&b, l->tails[h]);
		t[i] = (struct peft_gguf_tensor){ .dtype = PEFT_F32,
		    .ndim = 2, .shape = { p->shape[0], p->shape[1] },
		    .nbytes = p->n * sizeof(float) };
		if (r == 0 && (t[i].name = peft_strdup(b.failed ? "" : b.data,
		    err)) == NULL)
			r = -1;
	}
	peft_buf_free(&b);
	return r;
}

static int
write_all(const struct peft_layout *l, const struct peft_layout_out *o,
    struct peft_gguf_tensor *t, FILE *fp, struct peft_err *err)
{
	struct peft_gguf_out pairs = { 0 };
	const struct peft_arch *arch = arch_of(o->sites, err);
	size_t i;
	int r = arch == NULL ? -1 : describe(l, o, t, err);

	if (r == 0) {
		put_pairs(arch, o, &pairs);
		r = peft_gguf_write(fp, o->path, &pairs, t, 2 * o->n, err);
	}
	for (i = 0; r == 0 && i < 2 * o->n; i++) {
		float *v = peft_layout_values(l, o, o->pairs[i / 2].module,
		    i % 2 == 0 ? PEFT_HALF_A : PEFT_HALF_B, err);

		r = v == NULL ? -1 : peft_fwrite(fp, o->path, v, t[i].nbytes,
		    err);
		if (r == 0)
			r = peft_gguf_pad(fp, o->path, t[i].nbytes, err);
		free(v);
	}
	peft_buf_free(&pairs.kv);
	return r;
}

/* What llama.cpp would take and pass over: its attention by way of something
 * narrow multiplies by the weights alone (models/deepseek2.cpp). */
static int
heeded(const struct peft_layout_out *o, struct peft_err *err)
{
	const struct peft_arch *arch = arch_of(o->sites, err);
	size_t i;

	if (arch == NULL)
		return -1;
	for (i = 0; peft_arch_latent(arch) && i < o->n; i++) {
		const struct peft_site *s = o->pairs[i].module->site;

		if (s->kind == PEFT_LINEAR && (s->slot == PEFT_Q ||
		    s->slot == PEFT_KV_A || s->slot == PEFT_KV_B))
			return peft_setfail(err, PEFT_CHECK, "%s: llama.cpp "
			    "passes over a LoRA of it (in %s it does so for "
			    "q_proj, kv_a_proj_with_mqa and kv_b_proj): merge "
			    "it into a model", s->path, peft_arch_gguf(arch));
	}
	return 0;
}

static int
save(const struct peft_layout *l, const struct peft_layout_out *o,
    struct peft_err *err)
{
	struct peft_gguf_tensor *t = heeded(o, err) == -1 ? NULL :
	    peft_calloc(2 * o->n + 1, sizeof(*t), err);
	struct peft_out *out = t == NULL ? NULL : peft_out_open(o->path,
	    o->force, err);
	size_t i;
	int r = -1;

	if (out != NULL)
		r = write_all(l, o, t, peft_out_fp(out), err);
	if (out != NULL && r == -1)
		peft_out_abort(out);
	else if (out != NULL)
		r = peft_out_commit(out, err);
	for (i = 0; t != NULL && i < 2 * o->n; i++)
		free(t[i].name);
	free(t);
	return r;
}

const struct peft_layout peft_layout_gguf = {
	.name = "gguf", .about = "llama.cpp",
	.tails = { ".lora_a", ".lora_b", NULL, NULL }, .gguf = true,
	.stem = stem, .settings = settings, .fits = fits, .order = order,
	.save = save, .alphas = true,
};
