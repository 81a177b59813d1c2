/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for modules of a model, and for weights that are of none. */

#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"
#include "model/site.h"

void
peft_sites_close(struct peft_sites *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->at[i].path);
	free(s->at);
	s->at = NULL;
	s->n = 0;
}

struct peft_site *
peft_sites_find(const struct peft_sites *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->at[i].path, path) == 0)
			return &s->at[i];
	return NULL;
}

const struct peft_site *
peft_stack_part(const struct peft_site *s, size_t i, size_t *row)
{
	bool pairs = s->slot == PEFT_STACK_IN;	/* gate, up; and down */
	size_t each = pairs ? 2 : 1, e = i / each;

	*row = i * s->out / each;
	if (s->kind != PEFT_STACK || e >= s->experts)
		return NULL;
	return s->part + 3 * e + i % each;
}

void
peft_sites_detach(struct peft_sites *s, int adapter)
{
	struct peft_invocation **w = &s->invocations;
	struct peft_scout **c = &s->scouts;
	struct peft_virtual **v = &s->virtuals;
	struct peft_hook **h;
	struct peft_tasks **t = &s->tasks;
	size_t i;

	for (i = 0; i < s->n; i++)
		for (h = &s->at[i].hooks; *h != NULL;)
			if ((*h)->adapter == adapter)
				*h = (*h)->next;
			else
				h = &(*h)->next;
	while (*v != NULL)
		if ((*v)->adapter == adapter)
			*v = (*v)->next;
		else
			v = &(*v)->next;
	while (*t != NULL)
		if ((*t)->adapter == adapter)
			*t = (*t)->next;
		else
			t = &(*t)->next;
	while (*w != NULL)
		if ((*w)->adapter == adapter)
			*w = (*w)->next;
		else
			w = &(*w)->next;
	while (*c != NULL)
		if ((*c)->adapter == adapter)
			*c = (*c)->next;
		else
			c = &(*c)->next;
}

size_t
peft_sites_prompted(const struct peft_sites *s, int adapter)
{
	const struct peft_virtual *v = s->virtuals;
	size_t i, n = 1;		/* the first token is predicted */

	while (v != NULL && v->adapter != adapter)
		v = v->next;
	if (v == NULL)
		return 0;
	for (i = 0; v->labels != NULL && i < v->n; i++)
		n += v->labels[i] != PEFT_IGNORE;
	return n;
}

size_t
peft_sites_virtual(const struct peft_sites *s, int adapter)
{
	const struct peft_virtual *v;
	size_t most = 0;

	for (v = s->virtuals; v != NULL; v = v->next)
		if ((adapter == -1 || v->adapter == adapter) && v->n > most)
			most = v->n;
	return most;
}

/* Buffers that old files carry and that are not weights. */
static bool
is_buffer(const char *name)
{
	static const char *const tails[] = { "rotary_emb.inv_freq",
	    ".attn.bias", ".attn.masked_bias", ".attention.bias",
	    ".attention.masked_bias", ".attn.embed_positions" };
	size_t n = strlen(name), i, k;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		k = strlen(tails[i]);
		if (n >= k && strcmp(name + n - k, tails[i]) == 0)
			return true;
	}
	return false;
}

int
peft_sites_all_used(const struct peft_config *c,
    const struct peft_source *src, const bool *used, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < peft_source_count(src); i++) {
		const char *name = peft_source_at(src, i)->name;

		if (!used[i] && !is_buffer(name) &&
		    !peft_config_unused(c, name))
			return peft_seterr(err, "weight %s is not of this "
			    "model", name);
	}
	return 0;
}
