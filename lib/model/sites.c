/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for modules of a model. */

#include <stdlib.h>
#include <string.h>

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
