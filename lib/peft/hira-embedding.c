/* SPDX-License-Identifier: Apache-2.0 */
/* HiRA on an embedding: row(id) += W[id] o (B A[:, id]), whose factors lie as
 * LoRA's do there. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/hira.h"
#include "peft/lora.h"
#include "quant/quant.h"

/* A row of the base's, and one to work on. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	(void)T;
	return 2 * m->site->out;
}

static const float *
base_row(const struct peft_module *m, const struct peft_hook_call *c,
    size_t id)
{
	peft_decode(m->site->w, id * m->site->out, m->site->out, c->scratch);
	return c->scratch;
}

/* row += weight * w o (B A[:, id]); work has room for a row. */
static void
add(const struct peft_module *m, size_t id, float weight, const float *w,
    float *work, float *row)
{
	size_t dim = m->site->out, i;

	memset(work, 0, dim * sizeof(*work));
	peft_lora_embedding_row(m, id, weight, work);
	for (i = 0; i < dim; i++)
		row[i] += w[i] * work[i];
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t dim = m->site->out, t;

	for (t = 0; t < c->T; t++)
		if (c->ids[t] >= 0)
			add(m, (size_t)c->ids[t], m->weight, base_row(m, c,
			    (size_t)c->ids[t]), c->scratch + dim, y + t * ldy);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t dim = m->site->out, t, i;
	float *g = c->scratch + dim;

	(void)dx;
	(void)lddx;
	for (t = 0; m->train && t < c->T; t++, dy += lddy) {
		const float *w;

		if (c->ids[t] < 0)
			continue;
		w = base_row(m, c, (size_t)c->ids[t]);
		for (i = 0; i < dim; i++)
			g[i] = dy[i] * w[i];
		peft_lora_embedding_row_back(m, (size_t)c->ids[t], m->weight,
		    g);
	}
}

const struct peft_hook_ops peft_hira_embedding_hook = {
	.scratch = scratch, .forward = forward, .backward = backward,
};

int
peft_hira_embedding_merge(const struct peft_module *m, size_t first, size_t n,
    float weight, float *rows, struct peft_err *err)
{
	size_t dim = m->site->out, i;
	float *work = peft_calloc(2 * dim, sizeof(*work), err);

	for (i = 0; work != NULL && i < n; i++, rows += dim) {
		memcpy(work, rows, dim * sizeof(*work));
		add(m, first + i, weight, work, work + dim, rows);
	}
	free(work);
	return work == NULL ? -1 : 0;
}
