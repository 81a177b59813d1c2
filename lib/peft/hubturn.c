/* SPDX-License-Identifier: Apache-2.0 */
/* What the ways between PEFT's adapters and the adapters library's share. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "model/rope.h"
#include "peft/hub.h"

int
peft_hub_move(const struct peft_adapter *from, struct peft_adapter *to,
    const struct peft_sites *sites, const struct peft_site *(*place)(
    const struct peft_sites *, const struct peft_module *), int parts,
    float times, struct peft_err *err)
{
	size_t i;
	int k;

	if (from->nmodules != to->nmodules)
		return peft_setfail(err, PEFT_CHECK, "it has %zu modules, and "
		    "%zu would be there", from->nmodules, to->nmodules);
	for (i = 0; i < from->nmodules; i++) {
		const struct peft_module *m = &from->modules[i], *t;
		const struct peft_site *s = place == NULL ? m->site :
		    place(sites, m);

		if (s == NULL || (t = peft_module_at(to, s)) == NULL)
			return peft_setfail(err, PEFT_CHECK, "%s has no place "
			    "there", m->site->path);
		for (k = 0; k < parts; k++) {
			struct peft_param *p = t->param[k];

			if (p->n != m->param[k]->n)
				return peft_setfail(err, PEFT_CHECK, "%s and "
				    "%s differ in size", m->param[k]->name,
				    p->name);
			memcpy(p->value, m->param[k]->value, p->n *
			    sizeof(*p->value));
			if (k == parts - 1 && times != 1)
				peft_vec_best()->scale(p->value, times, p->n);
		}
	}
	return 0;
}

/* Ways of stretching that turn by the same angle from any position to the
 * next, and stretch nothing else. */
static int
check_rope(const struct peft_config *c, struct peft_err *err)
{
	enum peft_rope_kind kind = c->rope[0].kind;

	if (c->t.norope)
		return peft_setfail(err, PEFT_CHECK, "the positions of this "
		    "model are no rotation, and PEFT counts prefixes among "
		    "them, the adapters library does not: no prefix is the "
		    "same in both");
	if (kind != PEFT_ROPE_DEFAULT && kind != PEFT_ROPE_LINEAR &&
	    kind != PEFT_ROPE_LLAMA3)
		return peft_setfail(err, PEFT_CHECK, "this model's rotation "
		    "is stretched with the length (rope_scaling): no prefix "
		    "is the same in PEFT and in the adapters library");
	return c->t.interleaved || c->window > 0 || c->rope_at > 0 ?
	    peft_setfail(err, PEFT_CHECK, "prefixes are not turned here for "
	    "the rotation of this model") : 0;
}

int
peft_hub_turn(const struct peft_config *c, float *values, size_t n, int by,
    struct peft_err *err)
{
	size_t half = c->rope_dim / 2, dim = c->head_dim, i, h;
	size_t heads = c->kv_heads, rows = n * c->layers;
	float *angle;

	if (check_rope(c, err) == -1 ||
	    (angle = peft_calloc(2 * half + 1, sizeof(*angle), err)) == NULL)
		return -1;
	peft_rope_table(c, 0, 0, (size_t)abs(by), 1, angle, angle + half);
	for (i = 0; i < rows; i++)
		for (h = 0; h < heads; h++)
			peft_vec_best()->rope(values + (2 * i * heads + h) *
			    dim, angle, angle + half, half, by < 0 ? -1 : 1);
	free(angle);
	return 0;
}
