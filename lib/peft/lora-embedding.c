/* SPDX-License-Identifier: Apache-2.0 */
/* LoRA on an embedding: row(id) += s B A[:, id]. */

#include "peft/lora.h"
#include "peft/row.h"

void
peft_lora_embedding_row(const struct peft_module *m, size_t id, float s,
    float *row)
{
	size_t r = m->rank, vocab = m->site->in, i, k;
	const float *a = m->param[PEFT_LORA_A]->value + id;
	const float *b = m->param[PEFT_LORA_B]->value;

	for (i = 0; i < m->site->out; i++) {
		float sum = 0;

		for (k = 0; k < r; k++)
			sum += b[i * r + k] * a[k * vocab];
		row[i] += s * sum;
	}
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t t;

	for (t = 0; t < c->T; t++)
		if (c->ids[t] >= 0)
			peft_lora_embedding_row(m, (size_t)c->ids[t],
			    m->scale * m->weight, y + t * ldy);
}

void
peft_lora_embedding_row_back(const struct peft_module *m, size_t id, float s,
    const float *dy)
{
	size_t r = m->rank, vocab = m->site->in, i, k;
	const float *a = m->param[PEFT_LORA_A]->value + id;
	const float *b = m->param[PEFT_LORA_B]->value;
	float *ga = m->param[PEFT_LORA_A]->grad + id;
	float *gb = m->param[PEFT_LORA_B]->grad;

	for (i = 0; i < m->site->out; i++)
		for (k = 0; k < r; k++) {
			float g = s * dy[i];

			gb[i * r + k] += g * a[k * vocab];
			ga[k * vocab] += g * b[i * r + k];
		}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t t;

	(void)dx;
	(void)lddx;
	for (t = 0; m->train && t < c->T; t++)
		if (c->ids[t] >= 0)
			peft_lora_embedding_row_back(m, (size_t)c->ids[t],
			    m->scale * m->weight, dy + t * lddy);
}

const struct peft_hook_ops peft_lora_embedding_hook = {
	.forward = forward, .backward = backward,
};

int
peft_lora_embedding_merge(const struct peft_module *m, size_t first, size_t n,
    float weight, float *rows)
{
	size_t i;

	for (i = 0; i < n; i++)
		peft_lora_embedding_row(m, first + i, m->scale * weight,
		    rows + i * m->site->out);
	return 0;
}
