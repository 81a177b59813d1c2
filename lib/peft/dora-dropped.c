/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoRA in training with dropout, which the change of the base's output sees,
 * too: y += (g - 1) W x' + g s B A x', x' = drop(x), so that W x' is a
 * product of its own.
 */

#include <string.h>

#include "math/vec.h"
#include "peft/dora.h"
#include "peft/rows.h"

/* Scratch behind that of the low rank: [T, in], then [T, out]. */
struct room {
	float	*in, *out;
};

static struct room
room_of(const struct peft_module *m, const struct peft_hook_call *c)
{
	float *in = c->scratch + peft_dora_hook.scratch(m, c->T);

	return (struct room){ in, in + c->T * m->site->in };
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return peft_dora_hook.scratch(m, T) + T * (m->site->in +
	    m->site->out);
}

/* W x' + s B A x' is kept, for the gradient of the magnitude. */
static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_dora *d = m->state;
	struct room room = room_of(m, c);
	float *keep = c->saved + c->T * m->rank, *base = room.out;
	size_t out = m->site->out, ld, t, i;
	const struct peft_residual *began = &d->began;
	const float *x;

	if (!peft_drop_on(m, c)) {
		peft_dora_hook.forward(self, c, y, ldy);
		return;
	}
	x = peft_drop(m, c, room.in, &ld);
	peft_site_product(c->cpu, m->site, x, ld, c->T, base, out,
	    c->product);
	if (began->a != NULL) {
		peft_residual_less(m, c->cpu, began, 1, c->T, x, ld,
		    c->scratch, base, out);
		peft_residual_less(m, c->cpu, began, 1, c->T, c->x, c->ldx,
		    c->scratch, y, ldy);
	}
	memcpy(keep, base, c->T * out * sizeof(*keep));
	peft_lowrank_forward(self, c, keep, out);
	for (t = 0; t < c->T; t++, y += ldy, keep += out, base += out)
		for (i = 0; i < out; i++)
			y[i] += d->scale[i] * keep[i] - base[i];
}

static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	const struct peft_module *m = self;
	const struct peft_dora *d = m->state;
	size_t out = m->site->out;
	float *sum = room_of(m, c).out;
	struct peft_rows_back r = { .T = c->T, .n = out, .w = d->back,
	    .v = c->saved + c->T * m->rank, .ldv = out, .g = sum, .dy = dy,
	    .lddy = lddy };

	if (!peft_drop_on(m, c)) {
		peft_dora_hook.output_back(self, c, dy, lddy);
		return;
	}
	memset(sum, 0, out * sizeof(*sum));
	peft_rows_back(c->cpu, &r);
	peft_cpu_vec(c->cpu)->muladd(m->param[PEFT_LORA_MAGNITUDE]->grad, sum,
	    d->inverse, out);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct peft_dora *d = m->state;
	struct room room = room_of(m, c);
	size_t in = m->site->in, out = m->site->out, t, i;

	if (!peft_drop_on(m, c)) {
		peft_dora_hook.backward(self, c, dy, lddy, dx, lddx);
		return;
	}
	for (t = 0; t < c->T; t++)
		for (i = 0; i < out; i++)
			room.out[t * out + i] = dy[t * lddy + i] *
			    d->scale[i];
	peft_lowrank_backward(self, c, room.out, out, dx, lddx);
	if (dx == NULL)
		return;
	for (t = 0; t < c->T; t++)
		for (i = 0; i < out; i++)
			room.out[t * out + i] -= dy[t * lddy + i];
	peft_site_product_back(c->cpu, m->site, room.out, out, c->T, room.in,
	    in, c->product);
	if (d->began.a != NULL) {
		peft_residual_back(m, c->cpu, &d->began, 1, c->T, room.out,
		    out, c->scratch, room.in, in);
		peft_residual_back(m, c->cpu, &d->began, 1, c->T, dy, lddy,
		    c->scratch, dx, lddx);
	}
	peft_drop_back(m, c, room.in, dx, lddx);
}

static size_t
saved(const void *self, size_t T)
{
	return peft_dora_hook.saved(self, T);
}

static const struct peft_hook_ops dropped = {
	.memory = peft_dora_memory, .reads = peft_hook_always,
	.begin = peft_dora_begin, .rows = peft_dora_rows, .saved = saved,
	.scratch = scratch, .forward = forward, .backward = backward,
	.output_back = output_back,
};

const struct peft_hook_ops *
peft_dora_hook_for(const struct peft_module *m)
{
	return m->train && m->dropout > 0 ? &dropped : &peft_dora_hook;
}
