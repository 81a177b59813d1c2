/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout of an adapter's input: 16 bits decide an element, and they are a
 * function of the module, the record, the position and the step. */

#include "peft/lowrank.h"

struct drop {
	const struct peft_module	*m;
	const struct peft_hook_call	*call;
	float		*out;		/* [T, in] */
	const float	*g;		/* backward: the gradient behind drop */
	float		*dx;
	size_t		 lddx;
};

static void
drop_row(void *ctx, size_t t, int thread)
{
	const struct drop *d = ctx;
	const struct peft_hook_call *c = d->call;
	double p = d->m->dropout;
	unsigned limit = (unsigned)(p * 65536);
	float keep = (float)(1 / (1 - p));
	size_t n = d->m->site->in, i;
	uint64_t bits = 0;

	(void)thread;
	for (i = 0; i < n; i++, bits >>= 16) {
		if (i % 4 == 0)
			bits = peft_rng_u64(d->m->rng, c->ident[t],
			    c->step << 24 | i / 4);
		if (d->g == NULL)
			d->out[t * n + i] = (bits & 0xffff) < limit ? 0 :
			    c->x[t * c->ldx + i] * keep;
		else if ((bits & 0xffff) >= limit)
			d->dx[t * d->lddx + i] += d->g[t * n + i] * keep;
	}
}

bool
peft_drop_on(const struct peft_module *m, const struct peft_hook_call *c)
{
	return c->train && m->dropout > 0;
}

const float *
peft_drop(const struct peft_module *m, const struct peft_hook_call *c,
    float *room, size_t *ld)
{
	struct drop d = { .m = m, .call = c, .out = room };

	*ld = c->ldx;
	if (!peft_drop_on(m, c))
		return c->x;
	*ld = m->site->in;
	peft_cpu_run(c->cpu, c->T, drop_row, &d);
	return room;
}

void
peft_drop_back(const struct peft_module *m, const struct peft_hook_call *c,
    const float *g, float *dx, size_t lddx)
{
	struct drop d = { .m = m, .call = c, .g = g, .dx = dx, .lddx = lddx };

	peft_cpu_run(c->cpu, c->T, drop_row, &d);
}

int
peft_adapter_still(struct peft_adapter *a, struct peft_err *err)
{
	bool had = false;
	size_t i;

	for (i = 0; i < a->nexperts; i++)
		if (peft_adapter_still(a->experts[i], err) == -1)
			return -1;

	for (i = 0; i < a->nmodules; i++) {
		had |= a->modules[i].dropout > 0;
		a->modules[i].dropout = 0;
	}
	return had || !peft_adapter_drops(a) ? 0 : peft_seterr(err, "%s: its "
	    "dropout cannot be left out; make it 0 in adapter_config.json",
	    a->method->type);
}
