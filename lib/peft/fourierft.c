/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FourierFT (Gao et al. 2024): the change of a weight is the real part of the
 * inverse 2-D Fourier transform of a spectrum that has n_frequency values at
 * places drawn by torch's generator from a seed; scaled.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/fft.h"
#include "peft/dense.h"
#include "peft/target.h"
#include "peft/torch.h"

enum { SPECTRUM };

struct fourier {
	int64_t		 n, seed;
	double		 scaling;
	bool		 zero;			/* init_weights */
	const cJSON	*pattern;
};

#define AT(field)	offsetof(struct fourier, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("n_frequency", "1000", AT(n), 1, 1 << 28),
	PEFT_SET_INT("random_loc_seed", "777", AT(seed), 0, UINT32_MAX),
	PEFT_SET("scaling", "150.0", peft_set_real, AT(scaling)),
	PEFT_SET("init_weights", "false", peft_set_bool, AT(zero)),
	PEFT_SET("n_frequency_pattern", "{}", peft_set_pattern, AT(pattern)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct fourier *f = settings;
	size_t all = m->site->in * m->site->out;
	double n;

	if (peft_pattern_below(f->pattern, m->site->path, (double)f->n, &n,
	    err) == -1)
		return -1;
	if (!(n >= 1) || n != floor(n) || n > (double)all)
		return peft_seterr(err, "n_frequency %g is not in 1 .. %zu",
		    n, all);
	m->scale = (float)(f->scaling / (double)all);
	out[SPECTRUM] = peft_shape1("fourierft_spectrum", (size_t)n);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct fourier *f = settings;

	(void)m;
	(void)part;
	peft_init_normal(rng, value, n, f->zero ? 0 : 1);
}

/* State: the places in the spectrum. */
static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return m->param[SPECTRUM]->n * sizeof(uint64_t);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct fourier *f = m->settings;
	struct peft_torch t;

	(void)base;
	if ((m->state = peft_calloc(1, memory(m), err)) == NULL)
		return -1;
	peft_torch_seed(&t, (uint32_t)f->seed);
	if (peft_torch_randperm(&t, m->site->in * m->site->out, m->state,
	    m->param[SPECTRUM]->n) == -1)
		return peft_seterr(err, "no memory for its frequencies");
	return 0;
}

/* The frequency k's column, and its turn at row o. */
static size_t
turn(const struct peft_module *m, size_t k, size_t o, double *c, double *s)
{
	uint64_t at = ((const uint64_t *)m->state)[k];
	size_t row = (size_t)(at / m->site->in), out = m->site->out;
	double a = 2 * 3.14159265358979323846 * (double)(row * o % out) /
	    (double)out;

	*c = cos(a);
	*s = sin(a);
	return (size_t)(at % m->site->in);
}

/* Without memory nothing is right, and not finite says so. */
static double *
room(const struct peft_module *m, struct peft_fft *f, float *y, size_t n)
{
	double *x = calloc(2 * m->site->in, sizeof(*x));

	if (x != NULL && peft_fft_open(f, m->site->in) == 0)
		return x;
	free(x);
	peft_init_const(y, n, NAN);
	return NULL;
}

/* Columns first: that is a sum over the few that are not zero. */
static void
rows_of(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	size_t in = m->site->in, o, k, i;
	struct peft_fft f;
	double *x = room(m, &f, delta, n * in), c, s;

	(void)w;
	if (x == NULL)
		return;
	for (o = first; o < first + n; o++, delta += in) {
		memset(x, 0, 2 * in * sizeof(*x));
		for (k = 0; k < m->param[SPECTRUM]->n; k++) {
			double v = m->param[SPECTRUM]->value[k];

			i = turn(m, k, o, &c, &s);
			x[2 * i] += v * c;
			x[2 * i + 1] += v * s;
		}
		peft_fft_run(&f, x, 1);
		for (i = 0; i < in; i++)
			delta[i] += m->scale * (float)x[2 * i];
	}
	peft_fft_close(&f);
	free(x);
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	float *grad = m->param[SPECTRUM]->grad;
	size_t in = m->site->in, o, k, i;
	struct peft_fft f;
	double *x = room(m, &f, grad, 1), c, s;

	(void)w;
	if (x == NULL)
		return;
	for (o = first; o < first + n; o++, g += in) {
		for (i = 0; i < in; i++) {
			x[2 * i] = g[i];
			x[2 * i + 1] = 0;
		}
		peft_fft_run(&f, x, 1);
		for (k = 0; k < m->param[SPECTRUM]->n; k++) {
			i = turn(m, k, o, &c, &s);
			grad[k] += m->scale * (float)(x[2 * i] * c -
			    x[2 * i + 1] * s);
		}
	}
	peft_fft_close(&f);
	free(x);
}

static const struct peft_dense_ops ops = { NULL, rows_of, back };

const struct peft_method peft_fourierft = {
	.type = "FOURIERFT", .name = "fourierft",
	.keys = keys, .size = sizeof(struct fourier),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .prepare = prepare, .hook = &peft_dense_hook, .ops = &ops,
	.changes = peft_weight_changes, .merge = peft_dense_merge,
};
