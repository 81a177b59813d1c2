/* SPDX-License-Identifier: Apache-2.0 */
/* What a source hands out. */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tensor/source-impl.h"

void
peft_source_close(struct peft_source *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nwholes; i++) {
		free(s->wholes[i].permuted);
		free(s->wholes[i].tables);
		free(s->wholes[i].name);
	}
	for (i = 0; i < s->ngrafts; i++) {
		free(s->grafts[i].name);
		free(s->grafts[i].zero);
	}
	for (i = 0; i < s->nraws; i++) {
		free(s->raws[i].name);
		free(s->raws[i].copy);
	}
	for (i = 0; i < s->nfiles; i++) {
		struct peft_file *f = &s->files[i];

		if (f->heap)
			free((void *)(uintptr_t)f->map);
		else if (f->map != NULL)
			munmap((void *)(uintptr_t)f->map, f->len);
		free(f->label);
	}
	for (i = 0; i < s->nmeta; i++) {
		free(s->meta[i].key);
		free(s->meta[i].value);
	}
	if (s->opened != NULL)
		fclose(s->opened);
	peft_map_free(&s->raw_index);
	peft_map_free(&s->weight_index);
	peft_sides_free(&s->sides);
	free(s->wholes);
	free(s->raws);
	free(s->files);
	free(s->meta);
	free(s->label);
	free(s);
}

const char *
peft_source_label(const struct peft_source *s)
{
	return s->label;
}

enum peft_kind
peft_source_kind(const struct peft_source *s)
{
	return s->kind;
}

const struct peft_quantcfg *
peft_source_quant(const struct peft_source *s)
{
	return &s->quant;
}

bool
peft_source_is_adapter(const struct peft_source *s)
{
	const char *type = s->kind != PEFT_GGUF ? NULL :
	    peft_source_meta(s, "general.type");

	return (type != NULL && strcmp(type, "adapter") == 0) ||
	    peft_sides_find(&s->sides, "adapter_config.json") != NULL;
}

int
peft_source_sides(const struct peft_source *s, const struct peft_side **sides,
    size_t *n, struct peft_err *err)
{
	if (peft_sides_spell(&s->sides, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	*sides = s->sides.at;
	*n = s->sides.n;
	return 0;
}

const struct peft_side *
peft_source_side(const struct peft_source *s, const char *name)
{
	return peft_sides_find(&s->sides, name);
}

const char *
peft_source_meta(const struct peft_source *s, const char *key)
{
	size_t i;

	for (i = 0; i < s->nmeta; i++)
		if (strcmp(s->meta[i].key, key) == 0)
			return s->meta[i].value;
	return NULL;
}

size_t
peft_source_nmeta(const struct peft_source *s)
{
	return s->nmeta;
}

void
peft_source_meta_at(const struct peft_source *s, size_t i, const char **key,
    const char **value)
{
	*key = s->meta[i].key;
	*value = s->meta[i].value;
}

size_t
peft_source_count(const struct peft_source *s)
{
	return s->nwholes + s->ngrafts;
}

const struct peft_weight *
peft_source_at(const struct peft_source *s, size_t i)
{
	return i < s->nwholes ? &s->wholes[i].w :
	    &s->grafts[i - s->nwholes].w;
}

size_t
peft_source_find(const struct peft_source *s, const char *name)
{
	const size_t *i = peft_map_find(&s->weight_index, name, strlen(name));

	return i == NULL ? SIZE_MAX : *i;
}

void
peft_source_drop(struct peft_source *s, size_t i)
{
	if (peft_source_grafted(s, i))
		return;
	peft_source_give_up(s, &s->wholes[i], false);
	peft_source_drop_pages(s, &s->wholes[i]);
}

int
peft_source_load(struct peft_source *s, size_t i, struct peft_weight *out,
    struct peft_err *err)
{
	struct peft_whole *w = &s->wholes[i];

	if (peft_source_grafted(s, i)) {
		*out = *peft_source_at(s, i);
		return 0;
	}
	if (peft_source_drain(s, err) == -1)
		return -1;
	if (w->w.data == NULL) {
		if (peft_source_assemble(s, w, err) == -1)
			return peft_errprefix(err, "%s", s->label);
		if (w->permuted != NULL)	/* a copy is used from now on */
			peft_source_drop_pages(s, w);
	}
	*out = w->w;
	return 0;
}

/* Raw tensors from the pipe until a weight is complete. */
static int
next_from_pipe(struct peft_source *s, struct peft_err *err)
{
	while (s->next < s->nraws) {
		struct peft_raw *raw = &s->raws[s->next++];
		struct peft_whole *w = &s->wholes[raw->weight];

		if (peft_source_read_pipe(s, raw, err) == -1)
			return -1;
		if (--w->missing == 0) {
			s->current = w;
			return 1;
		}
	}
	return peft_source_end_pipe(s, err);
}

int
peft_source_next(struct peft_source *s, struct peft_weight *out,
    struct peft_err *err)
{
	int r = 1;

	if (s->current != NULL && s->pipe == NULL)
		peft_source_drop_pages(s, s->current);
	if (s->current != NULL)
		peft_source_give_up(s, s->current, true);
	s->current = NULL;
	s->started = true;
	if (s->pipe != NULL)
		r = next_from_pipe(s, err);
	else if (s->next == s->nwholes)
		r = 0;
	else
		s->current = &s->wholes[s->next++];
	if (r != 1)
		return r;
	if (peft_source_assemble(s, s->current, err) == -1)
		return peft_errprefix(err, "%s", s->label);
	*out = s->current->w;
	return 1;
}

int
peft_source_finish(struct peft_source *s, struct peft_err *err)
{
	struct peft_weight w;
	int r = s->pipe != NULL ? 1 : 0;

	while (r == 1)
		r = peft_source_next(s, &w, err);
	return r;
}
