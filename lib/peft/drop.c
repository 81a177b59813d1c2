/* SPDX-License-Identifier: Apache-2.0 */
/* Dropout of an adapter's input: 16 bits decide an element, and they are a
 * function of the module, the record, the position and the step; and of parts
 * of the adapter itself. */

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

/* The i-th number of a module's step. */
static double
number(const struct peft_module *m, const struct peft_hook_call *c, size_t i)
{
	return peft_rng_uniform(m->rng, UINT64_MAX, c->step << 24 | i);
}

bool
peft_drop_all(const struct peft_module *m, const struct peft_hook_call *c)
{
	return c->train && m->drop_all > 0 && number(m, c, (1 << 24) - 1) <
	    m->drop_all;
}

bool
peft_drop_rows(const struct peft_module *m, const struct peft_hook_call *c,
    float *keep, size_t n)
{
	size_t kept = 0, i;

	if (!c->train || m->drop_rows == 0)
		return false;
	for (i = 0; i < n; i++) {
		keep[i] = number(m, c, i) >= m->drop_rows;
		kept += keep[i] > 0;
	}
	for (i = 0; m->drop_scaled && i < n; i++)
		keep[i] *= kept == 0 ? 0 : (float)n / (float)kept;
	return true;
}

size_t
peft_drop_blocks(const struct peft_module *m, const struct peft_hook_call *c,
    size_t n)
{
	return c->train ? (size_t)(m->drop_blocks * (double)n) : 0;
}

bool
peft_drop_block(const struct peft_module *m, const struct peft_hook_call *c,
    size_t i, size_t n, size_t *left)
{
	bool drop = *left > 0 && number(m, c, i) * (double)(n - i) <
	    (double)*left;

	*left -= drop;
	return drop;
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
		struct peft_module *m = &a->modules[i];

		had |= m->dropout > 0 || m->drop_all > 0 ||
		    m->drop_rows > 0 || m->drop_blocks > 0;
		m->dropout = m->drop_all = m->drop_rows = 0;
		m->drop_blocks = 0;
	}
	if (had || a->method->draws || !peft_adapter_drops(a))
		return 0;
	return peft_seterr(err, "%s: its dropout cannot be left out; make it 0 "
	    "in adapter_config.json", a->method->type);
}
