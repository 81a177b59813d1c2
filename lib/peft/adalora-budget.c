/* SPDX-License-Identifier: Apache-2.0 */
/* AdaLoRA's training: the penalty that keeps A and B orthogonal, and the
 * budget of ranks. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/adalora.h"

/* The adapter's memory: importances of all trained values, then of the
 * module's triplets, then which of these are left. */
struct memory {
	size_t	 triplets;
	float	*smooth, *unsure;	/* [ngrads] Ibar and U */
	float	*score, *sorted;	/* [triplets] */
	bool	*left;			/* [triplets] */
	bool	 masked;
	float	 data[];
};

/* q [r, r] = P P^T - I where P [r, n] has strides; its norm. */
static double
gram(const float *p, size_t r, size_t n, size_t row, size_t col, double *q)
{
	double sum = 0;
	size_t i, j, k;

	for (i = 0; i < r; i++)
		for (j = 0; j < r; j++) {
			double d = i == j ? -1 : 0;

			for (k = 0; k < n; k++)
				d += (double)p[i * row + k * col] *
				    p[j * row + k * col];
			q[i * r + j] = d;
			sum += d * d;
		}
	return sqrt(sum);
}

/* g += c 2 Q P / |Q| */
static void
gram_back(const float *p, size_t r, size_t n, size_t row, size_t col,
    const double *q, double c, float *g)
{
	size_t i, j, k;

	for (i = 0; i < r; i++)
		for (j = 0; j < r; j++) {
			double f = c * q[i * r + j];

			for (k = 0; k < n; k++)
				g[i * row + k * col] += (float)(f *
				    p[j * row + k * col]);
		}
}

double
peft_adalora_penalty(struct peft_adapter *a)
{
	const struct peft_adalora *l = a->settings;
	size_t i, count = 2 * a->nsites;
	double sum = 0, norm, c = l->orthogonal / (double)count;
	double *q = calloc((size_t)(l->init_r * l->init_r), sizeof(*q));
	int part;

	for (i = 0; q != NULL && l->orthogonal > 0 && i < a->nsites; i++)
		for (part = PEFT_ADA_A; part <= PEFT_ADA_B; part++) {
			struct peft_module *m = &a->modules[i];
			struct peft_param *p = m->param[part];
			size_t r = m->rank, n = part == PEFT_ADA_A ?
			    m->site->in : m->site->out;
			size_t row = part == PEFT_ADA_A ? n : 1;
			size_t col = part == PEFT_ADA_A ? 1 : r;

			norm = gram(p->value, r, n, row, col, q);
			sum += norm;
			if (norm > 0)
				gram_back(p->value, r, n, row, col, q,
				    2 * c / norm, p->grad);
		}
	free(q);
	return c * sum;
}

static struct memory *
memory_of(struct peft_adapter *a)
{
	const struct peft_adalora *l = a->settings;
	size_t n = a->nsites * (size_t)l->init_r;
	struct memory *s = a->memory;

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s) + (2 * a->ngrads + 2 * n) * sizeof(float) +
	    n);
	if (s == NULL)
		return NULL;
	s->triplets = n;
	s->smooth = s->data;
	s->unsure = s->smooth + a->ngrads;
	s->score = s->unsure + a->ngrads;
	s->sorted = s->score + n;
	s->left = (bool *)(s->sorted + n);
	a->memory = s;
	return s;
}

static void
importances(struct peft_adapter *a, struct memory *s, float gscale)
{
	const struct peft_adalora *l = a->settings;
	float b1 = (float)l->beta1, b2 = (float)l->beta2;
	size_t i;

	for (i = 0; i < a->ngrads; i++) {
		float now = fabsf(a->values[i] * a->grads[i] *
		    gscale);

		s->smooth[i] = b1 * s->smooth[i] + (1 - b1) * now;
		s->unsure[i] = b2 * s->unsure[i] + (1 - b2) *
		    fabsf(now - s->smooth[i]);
	}
}

/* The mean importance of n values with a stride. */
static double
mean(const struct peft_adapter *a, const struct memory *s,
    const struct peft_param *p, size_t first, size_t stride, size_t n)
{
	size_t base = (size_t)(p->value - a->values) + first, i;
	double sum = 0;

	for (i = 0; i < n; i++)
		sum += (double)s->smooth[base + i * stride] *
		    s->unsure[base + i * stride];
	return sum / (double)n;
}

static int
by_size(const void *pa, const void *pb)
{
	float a = *(const float *)pa, b = *(const float *)pb;

	return (a > b) - (a < b);
}

/* E of the triplets of least importance becomes 0. */
static void
mask_to(struct peft_adapter *a, struct memory *s, int64_t budget)
{
	const struct peft_adalora *l = a->settings;
	size_t i, k, r = (size_t)l->init_r, n = 0;
	int64_t cut;

	for (i = 0; i < a->nsites; i++) {
		const struct peft_module *m = &a->modules[i];

		for (k = 0; k < r; k++)
			s->score[n++] = (float)(mean(a, s,
			    m->param[PEFT_ADA_E], k, 1, 1) + mean(a, s,
			    m->param[PEFT_ADA_A], k * m->site->in, 1,
			    m->site->in) + mean(a, s, m->param[PEFT_ADA_B],
			    k, r, m->site->out));
	}
	cut = (int64_t)s->triplets - budget;
	if (cut < 1)
		return;
	memcpy(s->sorted, s->score, n * sizeof(*s->sorted));
	qsort(s->sorted, n, sizeof(*s->sorted), by_size);
	for (n = 0, i = 0; i < a->nsites; i++)
		for (k = 0; k < r; k++, n++) {
			s->left[n] = s->score[n] > s->sorted[cut - 1];
			if (!s->left[n])
				a->modules[i].param[PEFT_ADA_E]->value[k] = 0;
		}
	s->masked = true;
}

static void
mask_again(struct peft_adapter *a, const struct memory *s)
{
	const struct peft_adalora *l = a->settings;
	size_t i, k, n = 0;

	for (i = 0; s->masked && i < a->nsites; i++)
		for (k = 0; k < (size_t)l->init_r; k++)
			if (!s->left[n++])
				a->modules[i].param[PEFT_ADA_E]->value[k] = 0;
}

/* Triplets at step t, between tinit and the end. */
static int64_t
budget_at(const struct peft_adapter *a, int64_t t)
{
	const struct peft_adalora *l = a->settings;
	double from = (double)a->nsites * (double)l->init_r;
	double to = (double)a->nsites * (double)l->target_r;
	double left = 1 - (double)(t - l->tinit) /
	    (double)(l->total - l->tfinal - l->tinit);

	return (int64_t)((from - to) * left * left * left + to);
}

void
peft_adalora_stepped(struct peft_adapter *a, size_t step, double gscale)
{
	const struct peft_adalora *l = a->settings;
	struct memory *s = memory_of(a);
	int64_t t = (int64_t)step, end = l->total - l->tfinal;

	if (s == NULL || l->ranks != NULL || l->total == 0)
		return;			/* ranks are given already */
	if (t > end && s->masked) {
		mask_again(a, s);
		return;
	}
	if (t < end)
		importances(a, s, (float)gscale);
	if (t >= end)		/* above: it was resumed behind it */
		mask_to(a, s, (int64_t)a->nsites * l->target_r);
	else if (t > l->tinit && t % l->every == 0)
		mask_to(a, s, budget_at(a, t));
}

/* Which are left at the end is a function of these. */
float *
peft_adalora_kept(struct peft_adapter *a, int i, const char **name)
{
	struct memory *s = memory_of(a);

	*name = i == 0 ? "importance" : "uncertainty";
	return s == NULL || i > 1 ? NULL : i == 0 ? s->smooth : s->unsure;
}

/* Keep the rows (or columns) of a tensor that are left. */
static void
keep(struct peft_param *p, bool columns, const bool *left, size_t r)
{
	size_t cols = p->shape[1], i, k, n = 0;

	for (i = 0; i < p->shape[0]; i++)
		for (k = 0; k < cols; k++)
			if (left[columns ? k : i])
				p->value[n++] = p->value[i * cols + k];
	for (k = 0, i = 0; i < r; i++)
		k += left[i];
	p->shape[columns ? 1 : 0] = k;
	p->n = n;
}

int
peft_adalora_finish(struct peft_adapter *a, struct peft_err *err)
{
	const struct peft_adalora *l = a->settings;
	const struct memory *s = a->memory;
	cJSON *ranks, *list;
	struct peft_buf b = { 0 };
	size_t i, k, r = (size_t)l->init_r;

	if (s == NULL || !s->masked)
		return 0;
	if ((ranks = cJSON_CreateObject()) == NULL)
		return peft_seterr(err, "no memory for rank_pattern");
	for (i = 0; i < a->nsites; i++) {
		struct peft_module *m = &a->modules[i];
		const bool *left = s->left + i * r;

		peft_buf_clear(&b);
		peft_buf_printf(&b, "%s.lora_E", m->site->path);
		list = cJSON_AddArrayToObject(ranks, b.failed ? "?" : b.data);
		for (k = 0; k < r; k++)
			cJSON_AddItemToArray(list, cJSON_CreateBool(left[k]));
		keep(m->param[PEFT_ADA_A], false, left, r);
		keep(m->param[PEFT_ADA_E], false, left, r);
		keep(m->param[PEFT_ADA_B], true, left, r);
	}
	peft_buf_free(&b);
	peft_json_set(a->config, "rank_pattern", ranks);
	return 0;
}
