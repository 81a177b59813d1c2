/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a split GGUF. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/source-parts.h"

struct split {
	uint64_t	no, count, tensors;
};

static int
read_split(const struct peft_gguf *g, struct split *sp, struct peft_err *err)
{
	static const char *const keys[] = { "split.no", "split.count",
	    "split.tensors.count" };
	uint64_t *const out[] = { &sp->no, &sp->count, &sp->tensors };
	size_t i;

	for (i = 0; i < 3; i++)
		if (!peft_gguf_uint(g, keys[i], out[i]) ||
		    *out[i] > INT32_MAX)
			return peft_seterr(err, "%s is missing or no number",
			    keys[i]);
	if (sp->count == 0 || sp->count > 65535 || sp->no >= sp->count)
		return peft_seterr(err, "split.no is %llu, split.count %llu",
		    (unsigned long long)sp->no, (unsigned long long)sp->count);
	return 0;
}

/* The name of part `no' from that of part `own'; NULL if that is not named
 * as parts are. */
static char *
part_name(const char *label, const struct split *own, uint64_t no,
    struct peft_err *err)
{
	enum { TAIL = sizeof("-00001-of-00001.gguf") - 1 };
	size_t n = strlen(label);
	struct peft_buf b = { 0 };
	char tail[64];

	snprintf(tail, sizeof(tail), "-%05llu-of-%05llu.gguf",
	    (unsigned long long)own->no + 1, (unsigned long long)own->count);
	if (n <= TAIL || strcmp(label + n - TAIL, tail) != 0) {
		peft_seterr(err, "is part %llu of %llu of a split GGUF, but "
		    "its name does not end in %s",
		    (unsigned long long)own->no + 1,
		    (unsigned long long)own->count, tail);
		return NULL;
	}
	peft_buf_put(&b, label, n - TAIL);
	peft_buf_printf(&b, "-%05llu-of-%05llu.gguf",
	    (unsigned long long)no + 1, (unsigned long long)own->count);
	if (b.failed)
		peft_seterr(err, "no memory for names");
	return b.failed ? NULL : b.data;
}

/* What another part tells of the model must be what the first does. */
static int
same_metadata(const struct peft_gguf *first, const struct peft_gguf *g,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < g->nkv; i++) {
		const struct peft_gguf_kv *kv = &g->kv[i], *its;

		if (strncmp(kv->key, "split.", 6) == 0 ||
		    strcmp(kv->key, "general.alignment") == 0)
			continue;
		its = peft_gguf_find(first, kv->key);
		if (its == NULL || its->type != kv->type ||
		    its->nbytes != kv->nbytes ||
		    memcmp(its->value, kv->value, kv->nbytes) != 0)
			return peft_seterr(err, "is of another model than part "
			    "1: key %s", kv->key);
	}
	return 0;
}

static int
check_part(const struct peft_gguf *g, const struct split *own, uint64_t no,
    struct peft_err *err)
{
	struct split sp = { 0 };

	if (read_split(g, &sp, err) == -1)
		return -1;
	if (sp.no != no || sp.count != own->count)
		return peft_seterr(err, "is part %llu of %llu, not %llu of %llu",
		    (unsigned long long)sp.no + 1,
		    (unsigned long long)sp.count, (unsigned long long)no + 1,
		    (unsigned long long)own->count);
	if (sp.tensors != own->tensors)
		return peft_seterr(err, "is of another model: split.tensors."
		    "count is %llu, not %llu", (unsigned long long)sp.tensors,
		    (unsigned long long)own->tensors);
	return 0;
}

/* Part `no', which is in another file than the one that was named. */
static int
open_part(struct peft_source *s, const char *label, const struct split *own,
    uint64_t no, struct peft_gguf_part *part, struct peft_err *err)
{
	char *path = part_name(label, own, no, err);
	const struct peft_file *f;
	int r = -1;

	if (path == NULL)
		return -1;
	if (peft_source_map_file(s, path, err) == -1)
		peft_errprefix(err, "part %llu of %llu",
		    (unsigned long long)no + 1,
		    (unsigned long long)own->count);
	else {
		part->file = s->nfiles - 1;
		f = &s->files[part->file];
		r = peft_gguf_parse(&part->g, f->map, f->len, err);
		if (r == 0)
			r = check_part(&part->g, own, no, err);
		if (r == -1)
			peft_errprefix(err, "%s", path);
	}
	free(path);
	return r;
}

/* All parts; part[own->no] is there. */
static int
open_others(struct peft_source *s, const struct split *own,
    struct peft_gguf_part *parts, struct peft_err *err)
{
	char *label = peft_strdup(s->files[parts[own->no].file].label, err);
	uint64_t tensors = parts[own->no].g.n, i;
	int r = label == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < own->count; i++) {
		if (i != own->no) {
			r = open_part(s, label, own, i, &parts[i], err);
			tensors += r == 0 ? parts[i].g.n : 0;
		}
		if (r == 0 && i > 0 && (r = same_metadata(&parts[0].g,
		    &parts[i].g, err)) == -1)
			peft_errprefix(err, "%s",
			    s->files[parts[i].file].label);
	}
	if (r == 0 && tensors != own->tensors)
		r = peft_seterr(err, "its parts have %llu tensors in all, "
		    "split.tensors.count is %llu", (unsigned long long)tensors,
		    (unsigned long long)own->tensors);
	free(label);
	return r;
}

static void
free_parts(struct peft_gguf_part *parts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		peft_gguf_free(&parts[i].g);
	free(parts);
}

struct peft_gguf_part *
peft_parts_open(struct peft_source *s, size_t file, size_t *n,
    struct peft_err *err)
{
	const struct peft_file *f = &s->files[file];
	struct split own = { .count = 1 };
	uint64_t count = 0;
	struct peft_gguf_part *parts;
	struct peft_gguf g;

	if (peft_gguf_parse(&g, f->map, f->len, err) == -1)
		return NULL;
	/* files that were joined again say 0 */
	if ((peft_gguf_find(&g, "split.count") != NULL &&
	    (!peft_gguf_uint(&g, "split.count", &count) || count > 1) &&
	    read_split(&g, &own, err) == -1) ||
	    (own.count > 1 && f->heap && peft_seterr(err, "is part %llu of "
	    "%llu of a split GGUF, which a pipe cannot hold: name the file",
	    (unsigned long long)own.no + 1,
	    (unsigned long long)own.count) == -1) ||
	    (parts = peft_calloc((size_t)own.count, sizeof(*parts),
	    err)) == NULL) {
		peft_gguf_free(&g);
		return NULL;
	}
	*n = (size_t)own.count;
	parts[own.no].g = g;
	parts[own.no].file = file;
	if (own.count > 1 && open_others(s, &own, parts, err) == -1) {
		free_parts(parts, *n);
		return NULL;
	}
	return parts;
}
