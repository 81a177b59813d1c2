/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are GGUF files. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/source-parts.h"

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
	char names[400];
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
	a = name.failed ? NULL : peft_arch_of_gguf(g, name.data);
	peft_arch_names(false, names, sizeof(names));
	if (a == NULL)
		peft_seterr(err, "architecture %s is not known (known: %s)",
		    name.failed ? "?" : name.data, names);
	peft_buf_free(&name);
	return a;
}

/* A stack of all experts of a layer: each is a weight of its own. */
static int
add_stack(struct peft_source *s, const struct peft_gguf_tensor *t,
    const char *name, struct peft_raw *raw, struct peft_err *err)
{
	const char *hash = strchr(name, '#'), *tail = strrchr(name, '.');
	const int ndim = strcmp(tail, ".bias") == 0 ? 2 : 3;
	char one[300];
	size_t e;

	if (t->ndim != ndim || t->shape[0] == 0 || t->shape[0] > 1 << 12)
		return peft_seterr(err, "tensor %s is no stack of experts",
		    t->name);
	raw->name = one;
	raw->ndim = ndim - 1;
	raw->shape[0] = t->shape[1];
	raw->shape[1] = t->shape[2];
	raw->nbytes = t->nbytes / t->shape[0];
	for (e = 0; e < t->shape[0]; e++) {
		snprintf(one, sizeof(one), "%.*s%zu%s", (int)(hash - name),
		    name, e, hash + 1);
		raw->at = t->begin + e * raw->nbytes;
		if (peft_source_add_raw(s, raw, err) == -1)
			return -1;
	}
	return 0;
}

static int
add_tensor(struct peft_source *s, const struct peft_gguf_tensor *t,
    const struct peft_arch *a, const struct peft_heads *heads, size_t file,
    struct peft_err *err)
{
	char name[256];
	struct peft_raw raw = { .name = name, .dtype = t->dtype,
	    .ndim = t->ndim, .file = file, .at = t->begin,
	    .nbytes = t->nbytes, .weight = PEFT_NONE };

	if (peft_arch_latent(a) && peft_latent_half(t->name, name) != NULL) {
		memcpy(raw.shape, t->shape, sizeof(raw.shape));
		s->remade = true;
		return peft_source_add_raw(s, &raw, err);
	}
	if (peft_arch_to_hf(a, t->name, name) == -1)
		return peft_seterr(err, "tensor %s is not of this "
		    "architecture", t->name);
	memcpy(raw.shape, t->shape, sizeof(raw.shape));
	raw.order = peft_arch_order(a, name, heads);
	if (!peft_order_fits(&raw.order, t->shape[0]))
		return peft_seterr(err, "tensor %s: %zu rows do not divide "
		    "into %zu heads", t->name, t->shape[0], raw.order.heads);
	if (raw.order.heads > 0 && (t->ndim > 2 ||
	    raw.nbytes % t->shape[0] != 0))
		return peft_seterr(err, "tensor %s is neither a matrix nor a "
		    "vector of plain numbers", t->name);
	if (strchr(name, '#') != NULL)
		return add_stack(s, t, name, &raw, err);
	if (raw.order.plus_one && t->dtype != PEFT_F32)
		return peft_seterr(err, "tensor %s is not of f32", t->name);
	return peft_source_add_raw(s, &raw, err);
}

/* Tensors that config.json tells of instead. */
static bool
is_told(const char *name)
{
	int i;

	for (i = 0; i < PEFT_NDIV; i++)
		if (strcmp(name, peft_rope_names[i]) == 0)
			return true;
	return false;
}

static int
add_tensors(struct peft_source *s, const struct peft_gguf *g,
    const struct peft_arch *a, const struct peft_heads *heads, size_t file,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (!is_told(g->tensors[i].name) && add_tensor(s,
		    &g->tensors[i], a, heads, file, err) == -1)
			return -1;
	return 0;
}

static int
read_rope(const struct peft_source *s, const struct peft_gguf_part *parts,
    size_t nparts, struct peft_rope_tensors *to, struct peft_err *err)
{
	const struct peft_gguf_tensor *t;
	size_t file = 0;
	int i;

	for (i = 0; i < PEFT_NDIV; i++) {
		t = find_tensor(parts, nparts, peft_rope_names[i], &file);
		if (t == NULL)
			continue;
		if (t->dtype != PEFT_F32 || t->ndim != 1)
			return peft_seterr(err, "%s is not a list of f32",
			    t->name);
		if (to->n != 0 && to->n != t->shape[0])
			return peft_seterr(err, "%s holds %zu values, another "
			    "list of its kind %zu", t->name, t->shape[0],
			    to->n);
		to->n = t->shape[0];
		to->at[i] = peft_calloc(to->n, sizeof(float), err);
		if (to->at[i] == NULL)
			return -1;
		memcpy(to->at[i], s->files[file].map + t->begin, t->nbytes);
	}
	return 0;
}

/* llama.cpp's LoRA: of which model its tensors are only the model can say, so
 * they keep their names. */
static int
add_adapter(struct peft_source *s, const struct peft_gguf_part *part,
    struct peft_err *err)
{
	size_t i;

	s->gguf_file = part->file;
	for (i = 0; i < part->g.n; i++) {
		const struct peft_gguf_tensor *t = &part->g.tensors[i];
		struct peft_raw raw = { .name = t->name, .dtype = t->dtype,
		    .ndim = t->ndim, .file = part->file, .at = t->begin,
		    .nbytes = t->nbytes, .weight = PEFT_NONE };

		memcpy(raw.shape, t->shape, sizeof(raw.shape));
		if (peft_source_add_raw(s, &raw, err) == -1)
			return -1;
	}
	return add_meta(s, &part->g, err);
}

static bool
is_adapter(const struct peft_gguf *g)
{
	const char *s;
	size_t len;

	return peft_gguf_string(g, "general.type", &s, &len) && len == 7 &&
	    memcmp(s, "adapter", 7) == 0;
}

static int
add_vocab(struct peft_source *s, const struct peft_gguf *g,
    struct peft_err *err)
{
	const char *why, *note;

	if (peft_vocab_sides(g, &s->sides, &why, &note, err) == -1)
		return -1;
	if (why != NULL && peft_source_add_meta(s, "peft.no_tokenizer", why,
	    err) == -1)
		return -1;
	return note == NULL ? 0 : peft_source_add_meta(s,
	    "peft.tokenizer_note", note, err);
}

/* Tokenizers need nothing that depends on the family. */
static int
add_sides(struct peft_source *s, const struct peft_gguf_part *part,
    struct peft_err *err)
{
	s->gguf_file = part->file;
	return add_meta(s, &part->g, err) == -1 ? -1 : add_vocab(s, &part->g,
	    err);
}

/* The metadata is the first part's. */
static int
convert(struct peft_source *s, const struct peft_gguf_part *parts,
    size_t nparts, struct peft_err *err)
{
	const struct peft_gguf *g = &parts[0].g;
	const struct peft_arch *a = arch_of(g, err);
	struct peft_rope_tensors rope = { 0 };
	struct peft_heads heads = { 0 };
	size_t file = 0, k;
	bool tied = find_tensor(parts, nparts, "output.weight", &file) == NULL;
	int r;

	s->gguf_file = parts[0].file;
	s->arch = a;
	if (a == NULL || add_meta(s, g, err) == -1)
		return -1;
	r = read_rope(s, parts, nparts, &rope, err);
	if (r == 0)
		r = peft_arch_config(a, g, tied, &rope, &s->sides, &heads,
		    err);
	peft_rope_tensors_free(&rope);
	if (r == -1 || add_vocab(s, g, err) == -1)
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
	if (s->sides_only)
		r = add_sides(s, &parts[0], err);
	else
		r = n == 1 && is_adapter(&parts[0].g) ? add_adapter(s,
		    &parts[0], err) : convert(s, parts, n, err);
	for (i = 0; i < n; i++)
		peft_gguf_free(&parts[i].g);
	free(parts);
	return r;
}
