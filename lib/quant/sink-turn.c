/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that one container has turned over, or 1 more, against another. */

#include <stdlib.h>
#include <string.h>

#include "quant/quant.h"
#include "quant/sink-impl.h"

struct remade {
	struct peft_rows	 from;
	size_t			 rows, cols;	/* of what is handed out */
	float			*whole;		/* NULL: 1 is added */
};

int
peft_sink_turn(struct peft_sink *k, size_t i, struct peft_err *err)
{
	struct peft_spec *s = &k->specs[i];
	size_t rows = s->shape[0];

	if (s->ndim != 2)
		return peft_seterr(err, "weight %s is not a matrix", s->name);
	s->shape[0] = s->shape[1];
	s->shape[1] = rows;
	k->turn[i] = true;
	return 0;
}

int
peft_sink_turn_all(struct peft_sink *k, struct peft_err *err)
{
	const struct peft_side *config = peft_sides_find(&k->sides,
	    "config.json");
	const struct peft_arch *a = config == NULL ? NULL :
	    peft_arch_of_config(config);
	const struct peft_heads one = { 1, 1 };
	bool over;
	size_t i;

	for (i = 0; i < k->n && k->kind != PEFT_OUT_GGUF; i++) {
		over = a != NULL && peft_is_coded(k->specs[i].dtype) &&
		    peft_arch_order(a, k->specs[i].name, &one).turned;
		if (k->specs[i].turned != over &&
		    peft_sink_turn(k, i, err) == -1)
			return -1;
	}
	return 0;
}

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	struct remade *m = ctx;
	size_t i;

	if (m->whole != NULL) {
		memcpy(dst, m->whole + first * m->cols, n * m->cols *
		    sizeof(*dst));
		return 0;
	}
	if (m->from.get(m->from.ctx, first, n, dst, err) == -1)
		return -1;
	for (i = 0; i < n * m->cols; i++)
		dst[i] += 1;
	return 0;
}

static int
turn(struct remade *m, struct peft_err *err)
{
	float *row = peft_calloc(m->rows, sizeof(*row), err);
	size_t r, c;
	int ok = row == NULL ? -1 : 0;

	m->whole = peft_calloc(m->rows * m->cols, sizeof(*m->whole), err);
	for (c = 0; ok == 0 && m->whole != NULL && c < m->cols; c++) {
		ok = m->from.get(m->from.ctx, c, 1, row, err);
		for (r = 0; ok == 0 && r < m->rows; r++)
			m->whole[r * m->cols + c] = row[r];
	}
	free(row);
	return m->whole == NULL ? -1 : ok;
}

int
peft_sink_remake(struct peft_sink *k, size_t i, const struct peft_rows *rows,
    struct peft_rows *made, struct peft_err *err)
{
	const struct peft_spec *s = &k->specs[i];
	bool more = k->kind == PEFT_OUT_GGUF &&
	    peft_arch_order(k->arch, s->name, &k->heads).plus_one;
	struct remade *m;

	*made = *rows;
	if (!k->turn[i] && !more)
		return 0;
	if ((m = peft_calloc(1, sizeof(*m), err)) == NULL)
		return -1;
	*m = (struct remade){ .from = *rows, .rows = s->shape[0],
	    .cols = s->shape[s->ndim - 1] };
	*made = (struct peft_rows){ .get = get, .ctx = m };
	if (!k->turn[i] || turn(m, err) == 0)
		return 0;
	peft_sink_remade_free(made);
	return -1;
}

void
peft_sink_remade_free(struct peft_rows *r)
{
	if (r->get != get)
		return;
	free(((struct remade *)r->ctx)->whole);
	free(r->ctx);
	r->get = NULL;
}
