/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that a source does not hold, put beside those it does. */

#include <stdlib.h>
#include <string.h>

#include "tensor/source-impl.h"

int
peft_source_graft(struct peft_source *s, const char *name, size_t rows,
    size_t cols, struct peft_err *err)
{
	struct peft_graft *g;
	size_t shape[] = { rows, cols };

	if (peft_source_find(s, name) != SIZE_MAX)
		return peft_seterr(err, "%s: weight %s is there already",
		    s->label, name);
	if (s->ngrafts == PEFT_NGRAFT)
		return peft_seterr(err, "%s: no room for %s", s->label, name);
	g = &s->grafts[s->ngrafts];
	*g = (struct peft_graft){ .w = { .dtype = PEFT_F32 } };
	if (peft_weight_set_shape(&g->w, rows > 0 ? 2 : 1,
	    rows > 0 ? shape : shape + 1, err) == -1 ||
	    (g->name = peft_strdup(name, err)) == NULL)
		return -1;
	g->w.name = g->name;
	g->w.nbytes = g->w.nelem * sizeof(float);
	if ((g->zero = peft_calloc(g->w.nelem, sizeof(float), err)) == NULL ||
	    peft_map_add(&s->weight_index, g->name, strlen(g->name),
	    s->nwholes + s->ngrafts, err) == -1) {
		free(g->name);
		free(g->zero);
		return -1;
	}
	g->w.data = g->zero;
	s->ngrafts++;
	return 0;
}

bool
peft_source_grafted(const struct peft_source *s, size_t i)
{
	return i >= s->nwholes;
}
