/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are GGUF files. */

#include <stdlib.h>
#include <string.h>

#include "tensor/source-parts.h"

static const char freqs_name[] = "rope_freqs.weight";

/* In which part it is goes to *file. */
static const struct peft_gguf_tensor *
find_tensor(const struct peft_gguf_part *parts, size_t n, const char *name,
    size_t *file)
{
	size_t i, k;

	for (k = 0; k < n; k++)
		for (i = 0; i < parts[k].g.n; i++)
			if (strcmp(parts[k].g.tensors[i].name, name) == 0) {
				*file = parts[k].file;
				return &parts[k].g.tensors[i];
			}
	return NULL;
}

static int
add_meta(struct peft_source *s, const struct peft_gguf *g,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < g->nkv; i++) {
		peft_buf_clear(&b);
		peft_gguf_print(&g->kv[i], &b);
		r = peft_source_add_meta(s, g->kv[i].key,
		    b.data == NULL ? "" : b.data, err);
	}
	peft_buf_free(&b);
	return r;
}

static const struct peft_arch *
arch_of(const struct peft_gguf *g, struct peft_err *err)
{
	const struct peft_arch *a;
	struct peft_buf name = { 0 };
	const char *s;
	size_t len;

	if (peft_gguf_string(g, "general.type", &s, &len) &&
	    (len != 5 || memcmp(s, "model", 5) != 0)) {
		peft_seterr(err, "holds no model but a GGUF %.*s", (int)len,
		    s);
		return NULL;
	}
	if (!peft_gguf_string(g, "general.architecture", &s, &len)) {
		peft_seterr(err, "general.architecture is missing");
		return NULL;
	}
	peft_buf_put(&name, s, len);
	a = name.failed ? NULL : peft_arch_of_gguf(name.data);
	if (a == NULL)
		peft_seterr(err, "architecture %s is not known (known: %s)",
		    name.failed ? "?" : name.data, peft_arch_names());
	peft_buf_free(&name);
	return a;
}

static int
add_tensors(struct peft_source *s, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_heads *heads, size_t file,
    struct peft_err *err)
{
	char name[256];
	size_t i;

	for (i = 0; i < g->n; i++) {
		const struct peft_gguf_tensor *t = &g->tensors[i];
		struct peft_raw raw = { .name = name, .dtype = t->dtype,
		    .ndim = t->ndim, .file = file, .at = t->begin,
		    .nbytes = t->nbytes, .weight = PEFT_NONE };

		if (strcmp(t->name, freqs_name) == 0)
			continue;	/* told in config.json */
		if (peft_arch_to_hf(a, t->name, name) == -1)
			return peft_seterr(err, "tensor %s is not of this "
			    "architecture", t->name);
		memcpy(raw.shape, t->shape, sizeof(raw.shape));
		raw.heads = peft_arch_permuted(a, name, heads);
		if (raw.heads > 0 && (t->shape[0] % raw.heads != 0 ||
		    t->shape[0] / raw.heads % 2 != 0))
			return peft_seterr(err, "tensor %s: %zu rows do not "
			    "divide into %zu heads", t->name, t->shape[0],
			    raw.heads);
		if (raw.heads > 0 && (t->ndim > 2 ||
		    raw.nbytes % t->shape[0] != 0))
			return peft_seterr(err, "tensor %s is neither a matrix "
			    "nor a vector of plain numbers", t->name);
		if (peft_source_add_raw(s, &raw, err) == -1)
			return -1;
	}
	return 0;
}

/* The metadata is the first part's. */
static int
convert(struct peft_source *s, const struct peft_gguf_part *parts,
    size_t nparts, struct peft_err *err)
{
	const struct peft_gguf *g = &parts[0].g;
	const struct peft_arch *a = arch_of(g, err);
	const struct peft_gguf_tensor *f;
	struct peft_heads heads = { 0 };
	float *freqs = NULL;
	const char *why;
	size_t n = 0, file = 0, k;
	bool tied = find_tensor(parts, nparts, "output.weight", &file) == NULL;
	int r;

	s->gguf_file = parts[0].file;
	if (a == NULL || add_meta(s, g, err) == -1)
		return -1;
	if ((f = find_tensor(parts, nparts, freqs_name, &file)) != NULL) {
		n = f->shape[0];
		if (f->dtype != PEFT_F32 || f->ndim != 1)
			return peft_seterr(err, "%s is not a list of f32",
			    freqs_name);
		if ((freqs = peft_calloc(n, sizeof(*freqs), err)) == NULL)
			return -1;
		memcpy(freqs, s->files[file].map + f->begin, f->nbytes);
	}
	r = peft_arch_config(a, g, tied, freqs, n, &s->sides, &heads, err);
	free(freqs);
	if (r == -1 || peft_vocab_sides(g, &s->sides, &why, err) == -1)
		return -1;
	if (why != NULL && peft_source_add_meta(s, "peft.no_tokenizer", why,
	    err) == -1)
		return -1;
	for (k = 0; r == 0 && k < nparts; k++)
		r = add_tensors(s, &parts[k].g, a, &heads, parts[k].file, err);
	return r;
}

int
peft_source_open_gguf(struct peft_source *s, size_t file,
    struct peft_err *err)
{
	struct peft_gguf_part *parts;
	size_t n, i;
	int r;

	if ((parts = peft_parts_open(s, file, &n, err)) == NULL)
		return -1;
	r = convert(s, parts, n, err);
	for (i = 0; i < n; i++)
		peft_gguf_free(&parts[i].g);
	free(parts);
	return r;
}
