/* SPDX-License-Identifier: Apache-2.0 */
/* First values of LoRA that are functions of the base's weight. */

#include <stdlib.h>
#include <string.h>

#include "math/lapack.h"
#include "peft/dora.h"

/* Random rows that are orthogonal to each other, A's to B's: of an orthogonal
 * matrix [r, r] the even rows make A, the odd ones B. */
static int
orthogonal(struct peft_module *m, struct peft_err *err)
{
	size_t r = m->rank, half = r / 2, i, j, k, n;
	float *q = peft_calloc(3 * r * r, sizeof(*q), err);
	struct peft_rng rng = peft_rng_key(m->adapter->seed,
	    m->param[PEFT_LORA_A]->name);
	float *a = m->param[PEFT_LORA_A]->value;
	float *b = m->param[PEFT_LORA_B]->value;
	int ret = -1;

	if (q == NULL)
		return -1;
	peft_init_normal(rng, q + r * r, r * r, 1);
	if (r % 2 != 0)
		peft_seterr(err, "orthogonal needs an even rank, not %zu", r);
	else
		ret = peft_qr(q + r * r, r, r, q, q + 2 * r * r, err);
	for (n = m->site->in, i = 0; ret == 0 && i < n * r; i++)
		for (a[i] = 0, j = i % n, k = 0; k < half; k++)
			a[i] += 0.1f * q[2 * k * r + i / n] *
			    (float)peft_rng_normal(rng, 1, j * half + k);
	for (n = m->site->out, i = 0; ret == 0 && i < n * r; i++)
		for (b[i] = 0, j = i / r, k = 0; k < half; k++)
			b[i] += 0.1f * q[(2 * k + 1) * r + i % r] *
			    (float)peft_rng_normal(rng, 2, j * half + k);
	free(q);
	return ret;
}

static int
from_weight(struct peft_module *m, bool dora, struct peft_err *err)
{
	float *w = peft_module_weight(m, err);
	int r = 0;

	if (w == NULL)
		return -1;
	if (dora)
		peft_dora_norms(m, w, m->param[PEFT_LORA_MAGNITUDE]->value);
	else
		r = peft_residual_factors(m, w, m->param[PEFT_LORA_A]->value,
		    m->param[PEFT_LORA_B]->value, err);
	free(w);
	return r;
}

int
peft_lora_start(struct peft_module *m, struct peft_err *err)
{
	const struct peft_lora *l = m->settings;

	if (l->start >= PEFT_LORA_EVA && !m->adapter->from_data)
		return peft_seterr(err, "init_lora_weights: adapters that "
		    "begin so are begun from records or with PEFT, and go on "
		    "here (--init)");
	if (m->site->kind == PEFT_EMBEDDING)
		return l->dora ? peft_dora_embedding_start(m, err) : 0;
	if (l->start == PEFT_LORA_ORTHOGONAL && orthogonal(m, err) == -1)
		return -1;
	/* before a part of the weight goes into A and B: then it is B A that
	 * is nothing, and the norms are those of the whole weight */
	if (l->dora && from_weight(m, true, err) == -1)
		return -1;
	return l->start == PEFT_LORA_PISSA || l->start == PEFT_LORA_OLORA ?
	    from_weight(m, false, err) : 0;
}
