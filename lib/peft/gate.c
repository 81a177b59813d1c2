/* SPDX-License-Identifier: Apache-2.0 */
/* A number between 0 and 1 for each sequence. */

#include <math.h>

#include "math/vec.h"
#include "peft/gate.h"

/* The rows from `first' on that are of the same sequence end here.  Virtual
 * tokens, which the library's gates do not see, are among them. */
static size_t
end_of(const struct peft_hook_call *c, size_t first)
{
	size_t t = first;

	while (t < c->T && c->ident[t] >> 32 == c->ident[first] >> 32 &&
	    (t == first || c->ident[t] > c->ident[t - 1]))
		t++;
	return t;
}

static bool
is_seen(const struct peft_hook_call *c, size_t t)
{
	return c->ids[t] >= 0;
}

static float
one(const struct peft_gate *g, const float *x)
{
	size_t in = g->w->shape[1];
	float z = g->b->value[g->out] + peft_vec_best()->dot(x,
	    g->w->value + g->out * in, in);

	return 1 / (1 + expf(-z));
}

void
peft_gate(const struct peft_gate *g, const struct peft_hook_call *c,
    const float *x, size_t ldx, float *out)
{
	size_t t, i, end, n;

	for (t = 0; t < c->T; t = end) {
		double sum = 0;

		end = end_of(c, t);
		for (n = 0, i = t; i < end; i++)
			if (is_seen(c, i)) {
				sum += one(g, x + i * ldx);
				n++;
			}
		for (i = t; i < end; i++)
			out[i] = (float)(sum / (double)(n > 0 ? n : 1));
	}
}

void
peft_gate_back(const struct peft_gate *g, const struct peft_hook_call *c,
    const float *x, size_t ldx, float *dg, float *dx, size_t lddx)
{
	const struct peft_vec *v = peft_vec_best();
	size_t in = g->w->shape[1], at = g->out * in, t, i, end, n;
	float s, d;

	for (t = 0; t < c->T; t = end) {
		double sum = 0;

		end = end_of(c, t);
		for (n = 0, i = t; i < end; i++) {
			sum += dg[i];
			n += is_seen(c, i);
		}
		for (i = t; i < end; i++) {
			if (!is_seen(c, i))
				continue;
			s = one(g, x + i * ldx);
			d = (float)(sum / (double)n) * s * (1 - s);
			if (g->w->grad != NULL) {
				v->axpy(g->w->grad + at, d, x + i * ldx, in);
				g->b->grad[g->out] += d;
			}
			if (dx != NULL)
				v->axpy(dx + i * lddx, d, g->w->value + at,
				    in);
		}
	}
}
