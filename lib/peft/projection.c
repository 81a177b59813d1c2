/* SPDX-License-Identifier: Apache-2.0 */
/* Two layers that make virtual tokens' keys and values. */

#include <string.h>

#include "math/vec.h"
#include "peft/projection.h"

enum { EMBED = PEFT_PROJECT_EMBED, W1 = PEFT_PROJECT_W1,
	B1 = PEFT_PROJECT_B1, W2 = PEFT_PROJECT_W2, B2 = PEFT_PROJECT_B2 };

static size_t
hidden_floats(const struct peft_module *m)
{
	return m->param[W1] == NULL ? 0 : m->own[PEFT_VIRTUAL_N] *
	    m->param[W1]->shape[0];
}

/* What is behind the gradient: the hidden layer before and behind the
 * function, and its gradient; the embedding's. */
int
peft_projection_prepare(struct peft_module *m, struct peft_err *err)
{
	return peft_virtual_prepare(m, m->param[W1] == NULL ? 0 :
	    3 * hidden_floats(m) + m->param[EMBED]->n, err);
}

void
peft_projection_begin(struct peft_module *m, struct peft_cpu *cpu,
    peft_nonlinear *f)
{
	size_t n = m->own[PEFT_VIRTUAL_N], k = hidden_floats(m), i;
	float *u, *h;

	if (m->param[W1] == NULL || !peft_module_stale(m))
		return;
	u = peft_virtual_extra(m);
	h = u + k;
	peft_layer(cpu, m->param[W1], m->param[B1], m->param[EMBED]->value,
	    n, u);
	for (i = 0; i < k; i++)
		h[i] = f(u[i], NULL);
	peft_layer(cpu, m->param[W2], m->param[B2], h, n,
	    m->param[PEFT_PROMPT]->value);
	memset(peft_virtual_gradient(m), 0, m->param[PEFT_PROMPT]->n *
	    sizeof(float));
}

void
peft_projection_end(struct peft_module *m, struct peft_cpu *cpu,
    peft_nonlinear *f)
{
	size_t n = m->own[PEFT_VIRTUAL_N], k = hidden_floats(m), i;
	float *u, *h, *dh, d;

	if (m->param[W1] == NULL || !m->train)
		return;
	u = peft_virtual_extra(m);
	h = u + k;
	dh = h + k;
	peft_layer_back(cpu, m->param[W2], m->param[B2], h, n,
	    peft_virtual_gradient(m), dh);
	for (i = 0; i < k; i++) {
		(void)f(u[i], &d);
		dh[i] *= d;
	}
	peft_layer_back(cpu, m->param[W1], m->param[B1],
	    m->param[EMBED]->value, n, dh, dh + k);
	peft_vec_best()->add(m->param[EMBED]->grad, dh + k,
	    m->param[EMBED]->n);
}
