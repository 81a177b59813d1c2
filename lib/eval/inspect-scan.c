/* SPDX-License-Identifier: Apache-2.0 */
/* Every value of every weight: what is not finite, how large the rest is. */

#include <math.h>
#include <stdlib.h>

#include "eval/inspect-impl.h"
#include "math/pool.h"
#include "quant/quant.h"

enum { PIECE = 4096 * 16 };

/* Of one weight; sums over the finite values. */
struct stats {
	struct peft_weight	w;
	size_t			nan, inf;
	double			sum, square, max;
};

struct job {
	struct stats	*stats;
	float		*piece;		/* [threads, PIECE] */
};

static void
add_piece(struct stats *s, const float *x, size_t n)
{
	double sum = 0, square = 0, max = s->max;
	size_t i;

	for (i = 0; i < n; i++) {
		double v = (double)x[i];

		if (isnan(x[i]))
			s->nan++;
		else if (isinf(x[i]))
			s->inf++;
		else {
			sum += v;
			square += v * v;
			max = fabs(v) > max ? fabs(v) : max;
		}
	}
	s->sum += sum;
	s->square += square;
	s->max = max;
}

static void
scan_weight(void *ctx, size_t i, int thread)
{
	const struct job *job = ctx;
	float *x = job->piece + (size_t)thread * PIECE;
	struct stats *s = &job->stats[i];
	size_t at, n;

	if (!peft_can_decode(s->w.dtype))
		return;
	for (at = 0; at < s->w.nelem; at += n) {
		n = s->w.nelem - at < PIECE ? s->w.nelem - at : PIECE;
		peft_decode(&s->w, at, n, x);
		add_piece(s, x, n);
	}
}

static void
add_stats(cJSON *t, const struct stats *s)
{
	double n = (double)(s->w.nelem - s->nan - s->inf);

	if (t == NULL || !peft_can_decode(s->w.dtype))
		return;
	cJSON_AddNumberToObject(t, "nan", (double)s->nan);
	cJSON_AddNumberToObject(t, "inf", (double)s->inf);
	peft_inspect_real(t, "mean", n > 0 ? s->sum / n : 0);
	peft_inspect_real(t, "rms", n > 0 ? sqrt(s->square / n) : 0);
	peft_inspect_real(t, "max", s->max);
}

static int
run(struct job *job, size_t n, int threads, struct peft_err *err)
{
	struct peft_pool *pool = peft_pool_open(threads, err);

	if (pool == NULL)
		return -1;
	peft_pool_run(pool, n, scan_weight, job);
	peft_pool_close(pool);
	return 0;
}

int
peft_inspect_scan(cJSON *j, struct peft_source *s, int threads, size_t *bad,
    struct peft_err *err)
{
	size_t n = peft_source_count(s), i;
	const cJSON *tensors = peft_json_get(j, "tensors");
	cJSON *t = tensors == NULL ? NULL : tensors->child;
	struct job job = { peft_calloc(n + 1, sizeof(*job.stats), err),
	    peft_calloc((size_t)threads * PIECE, sizeof(float), err) };
	int r = job.stats == NULL || job.piece == NULL ? -1 : 0;

	*bad = 0;
	for (i = 0; r == 0 && i < n; i++)
		r = peft_source_load(s, i, &job.stats[i].w, err);
	if (r == 0)
		r = run(&job, n, threads, err);
	for (i = 0; r == 0 && i < n; i++) {
		*bad += job.stats[i].nan + job.stats[i].inf;
		add_stats(t, &job.stats[i]);
		t = t == NULL ? NULL : t->next;
	}
	if (r == 0)
		cJSON_AddNumberToObject(j, "not_finite", (double)*bad);
	free(job.stats);
	free(job.piece);
	return r;
}
