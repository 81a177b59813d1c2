/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CorDA (Yang et al. 2024) as PEFT has it: of W C = U S V^T, C the covariance
 * of the inputs, the adapter begins as U S V^T C^-1 of the largest singular
 * values (ipm: what this data needs) or of the smallest (kpm: what it does
 * not).
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/eigen.h"
#include "math/lapack.h"
#include "peft/begin.h"
#include "peft/lora.h"

struct sum {
	struct peft_probe	*probe;
	struct peft_cpu		*cpu;
	struct peft_err		*err;
	double			*c;	/* [in, in] below the diagonal */
	double			*x;	/* [longest, in] */
	size_t			 samples;
	bool			 failed;
};

struct corda {
	struct peft_probes	 probes;
	struct sum		*sum;	/* [probes.n], of the first of equals */
	double			*x;	/* shared by them */
	int			 kpm;		/* which of methods */
};

static const char *const methods[] = { "ipm", "kpm", NULL };

static const struct peft_setting keys[] = {
	PEFT_SET_OFF("cache_file", "null"),
	PEFT_SET_OFF("covariance_file", "null"),
	PEFT_SET_OFF("use_float16_for_covariance", "false"),
	PEFT_SET_LATER("prune_temporary_fields", "true"),
	PEFT_SET_LATER("verbose", "false"),
	PEFT_SET_WORD("corda_method", "\"ipm\"", peft_set_word, 0, methods),
	PEFT_SET_END
};

/* A sample, divided by its largest entry. */
static void
look(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct sum *s = self;
	size_t d = s->probe->site->in, t, i;
	double top = -INFINITY;

	(void)y;
	(void)ldy;
	for (t = 0; t < c->T; t++)
		for (i = 0; i < d; i++)
			top = fmax(top, (double)c->x[t * c->ldx + i]);
	for (t = 0; t < c->T; t++)
		for (i = 0; i < d; i++)
			s->x[t * d + i] = (double)c->x[t * c->ldx + i] /
			    fabs(top);
	if (top == 0)
		s->failed = peft_setfail(s->err, PEFT_NUMERIC, "corda: the "
		    "largest input of %s is 0", s->probe->site->path) == -1;
	else
		s->failed |= peft_gram_add(s->cpu, s->x, c->T, d, s->c,
		    s->err) == -1;
	s->samples++;
}

static const struct peft_hook_ops looking = { .forward = look };

static size_t
sums_bytes(const struct corda *k, size_t rows)
{
	const struct peft_probes *p = &k->probes;
	size_t i, sums = 0, most = 0, widest = 0;

	for (i = 0; i < p->n; i++) {
		size_t in = p->at[i].site->in, out = p->at[i].site->out, n;

		sums += p->at[i].same == i ? in * in * sizeof(double) : 0;
		n = (2 * in * in + 2 * out * in + (in < out ? in : out) *
		    (1 + out + in)) * sizeof(float) +
		    4 * in * in * sizeof(double);
		most = n > most ? n : most;
		widest = in > widest ? in : widest;
	}
	return sums + rows * widest * sizeof(double) + most;
}

static int
open_sums(struct corda *k, struct peft_err *err)
{
	const struct peft_calibration *data = k->probes.data;
	size_t i, longest = 0, widest = 0;

	for (i = 0; i < data->n; i++)
		longest = data->seqs[i].n > longest ? data->seqs[i].n :
		    longest;
	for (i = 0; i < k->probes.n; i++)
		widest = k->probes.at[i].site->in > widest ?
		    k->probes.at[i].site->in : widest;
	if (peft_probes_need(&k->probes, 1, false, sums_bytes(k, longest),
	    err) == -1)
		return -1;
	k->x = peft_calloc(longest * widest, sizeof(*k->x), err);
	k->sum = peft_calloc(k->probes.n + 1, sizeof(*k->sum), err);
	if (k->x == NULL || k->sum == NULL)
		return -1;
	for (i = 0; i < k->probes.n; i++) {
		struct peft_probe *p = &k->probes.at[i];
		struct sum *s = &k->sum[i];

		if (p->same != i)
			continue;
		*s = (struct sum){ .probe = p, .err = err, .x = k->x,
		    .cpu = peft_net_cpu(k->probes.net) };
		s->c = peft_calloc(p->site->in * p->site->in, sizeof(*s->c),
		    err);
		if (s->c == NULL)
			return -1;
		peft_probe_listen(p, &looking, s);
	}
	return 0;
}

static int
pass(struct corda *k, struct peft_err *err)
{
	const struct peft_calibration *data = k->probes.data;
	size_t n = data->most < data->n ? data->most : data->n, i;

	while (n-- > 0) {
		if (peft_probes_pass(&k->probes, 1, false, err) == -1)
			return -1;
		for (i = 0; i < k->probes.n; i++)
			if (k->sum[i].failed)
				return -1;
	}
	for (i = 0; i < k->probes.n; i++)
		peft_probe_stop(&k->probes.at[i]);
	return 0;
}

/* c[d, d] as f32, with a hundredth of its mean diagonal added there, and its
 * inverse. */
static int
covariance(const struct sum *s, float *c, float *inverse,
    struct peft_err *err)
{
	size_t d = s->probe->site->in, i, j;
	double *g = peft_calloc(2 * d * d, sizeof(*g), err), mean = 0;
	int r;

	if (g == NULL)
		return -1;
	for (i = 0; i < d; i++)
		for (j = 0; j <= i; j++)
			g[i * d + j] = g[j * d + i] = s->c[i * d + j] /
			    (double)s->samples;
	for (i = 0; i < d; i++)
		mean += g[i * d + i] / (double)d;
	for (i = 0; i < d; i++)
		g[i * d + i] += 0.01 * mean;
	r = peft_inverse(s->cpu, g, d, g + d * d, err);
	for (i = 0; r == 0 && i < d * d; i++) {
		c[i] = (float)g[i];
		inverse[i] = (float)g[d * d + i];
	}
	free(g);
	return r;
}

struct parts {
	float	*c, *inverse;	/* [in, in] */
	float	*wc;		/* [out, in] */
	float	*s, *u, *vt;	/* [k], [out, k], [k, in] */
};

static void
set_factors(struct peft_module *m, bool kpm, struct peft_cpu *cpu,
    const struct parts *p)
{
	size_t in = m->site->in, out = m->site->out, r = m->rank, j, i;
	size_t k = in < out ? in : out, first = kpm ? k - r : 0;
	float *a = m->param[PEFT_LORA_A]->value;
	float *b = m->param[PEFT_LORA_B]->value;

	peft_gemm(cpu, PEFT_N, PEFT_N, r, in, in, 1, p->vt + first * in, in,
	    p->inverse, in, 0, a, in);
	for (j = 0; j < r; j++) {
		float root = sqrtf(p->s[first + j] / m->scale);

		for (i = 0; i < in; i++)
			a[j * in + i] *= root;
		for (i = 0; i < out; i++)
			b[i * r + j] = root * p->u[i * k + first + j];
	}
}

static int
factors(struct peft_module *m, const struct sum *s, bool kpm,
    struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out;
	size_t k = in < out ? in : out;
	float *w = peft_module_weight(m, err), *room;
	struct parts p;
	int r = -1;

	room = peft_calloc(2 * in * in + out * in + k * (1 + out + in),
	    sizeof(*room), err);
	if (w != NULL && room != NULL) {
		p.c = room;
		p.inverse = p.c + in * in;
		p.wc = p.inverse + in * in;
		p.s = p.wc + out * in;
		p.u = p.s + k;
		p.vt = p.u + out * k;
		if (covariance(s, p.c, p.inverse, err) == 0) {
			peft_gemm(s->cpu, PEFT_N, PEFT_N, out, in, in, 1, w,
			    in, p.c, in, 0, p.wc, in);
			r = peft_svd(p.wc, out, in, p.s, p.u, p.vt, err);
		}
		if (r == 0)
			set_factors(m, kpm, s->cpu, &p);
	}
	free(room);
	free(w);
	return r == -1 ? peft_errprefix(err, "%s", m->site->path) : 0;
}

int
peft_corda(struct peft_adapter *a, struct peft_net *net,
    const struct peft_calibration *data, struct peft_err *err)
{
	struct corda k = { 0 };
	size_t i;
	int r;

	if (peft_settings_inner(keys, a->config,
	    "corda_config", &k.kpm, err) == -1 || peft_probes_open(&k.probes,
	    net, a, data, 1, false, err) == -1)
		return -1;
	r = open_sums(&k, err) == 0 ? pass(&k, err) : -1;
	for (i = 0; r == 0 && i < k.probes.n; i++)
		r = factors(k.probes.at[i].module,
		    &k.sum[k.probes.at[i].same], k.kpm, err);
	for (i = 0; k.sum != NULL && i < k.probes.n; i++)
		free(k.sum[i].c);
	peft_probes_close(&k.probes);
	free(k.sum);
	free(k.x);
	return r;
}
