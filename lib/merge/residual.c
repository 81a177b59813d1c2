/* SPDX-License-Identifier: Apache-2.0 */
/* A quantised base and the adapter that takes up its error. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/lowrank.h"
#include "math/turn.h"
#include "math/vec.h"
#include "merge/lora.h"
#include "merge/residual.h"
#include "quant/fidelity.h"
#include "quant/quant.h"

struct peft_residual {
	struct peft_residualopt	 opt;
	struct peft_cpu		*cpu;
	struct peft_config	 config;
	struct peft_sites	 sites;
	struct peft_adapter	*adapter;
	const struct peft_spec	*specs;
	const struct peft_site	**site;		/* [n], NULL: no part */
	size_t			 n;
	float			*rows;		/* what is to be stored */
	const struct peft_site	*of;		/* of these */
	struct peft_residual_sums total;
};

/* Floats lose too little to be worth it. */
static bool
loses(const struct peft_spec *s, const struct peft_weight *w)
{
	return s->dtype != w->dtype && peft_is_quantised(s->dtype);
}

static int
find_sites(struct peft_residual *k, const struct peft_source *src,
    size_t *found, struct peft_err *err)
{
	size_t i;

	k->site = peft_calloc(k->n + 1, sizeof(*k->site), err);
	if (k->site == NULL)
		return -1;
	for (i = 0; i < k->sites.n; i++) {
		const struct peft_site *s = &k->sites.at[i];
		const struct peft_weight *w;

		if (s->kind != PEFT_LINEAR || s->weight >= k->n)
			continue;
		w = peft_source_at(src, s->weight);
		if (!loses(&k->specs[s->weight], w))
			continue;
		if (w->rows != (s->transposed ? s->in : s->out) ||
		    w->nelem != s->in * s->out)
			return peft_seterr(err, "weight %s is no matrix of "
			    "%zu inputs and %zu outputs: no residual of it "
			    "here", w->name, s->in, s->out);
		if (k->opt.rank > (s->in < s->out ? s->in : s->out))
			return peft_seterr(err, "weight %s is %zu x %zu: a "
			    "rank of %zu is more than it has", w->name,
			    s->out, s->in, k->opt.rank);
		k->site[s->weight] = s;
		++*found;
	}
	return *found > 0 ? 0 : peft_seterr(err, "no linear layer is "
	    "quantised: there is no residual for an adapter");
}

static cJSON *
make_config(const struct peft_residual *k, struct peft_err *err)
{
	bool *taken = peft_calloc(k->sites.n + 1, sizeof(*taken), err);
	cJSON *config;
	size_t i;

	if (taken == NULL)
		return NULL;
	for (i = 0; i < k->sites.n; i++)
		taken[i] = k->sites.at[i].weight < k->n &&
		    k->site[k->sites.at[i].weight] == &k->sites.at[i];
	config = peft_lora_config(&k->sites, taken, k->opt.rank, k->opt.base);
	free(taken);
	return config;
}

struct peft_residual *
peft_residual_open(const struct peft_residualopt *opt,
    const struct peft_source *src, const struct peft_spec *specs, size_t n,
    struct peft_err *err)
{
	struct peft_residual *k = peft_calloc(1, sizeof(*k), err);
	struct peft_sinkopt probe = { .path = opt->path, .force = opt->force,
	    .kind = "adapter" };
	size_t found = 0;
	cJSON *config;

	if (k == NULL)
		return NULL;
	k->opt = *opt;
	k->specs = specs;
	k->n = n;
	if (peft_sink_probe(&probe, err) == -1 ||
	    (k->cpu = peft_cpu_open(1, err)) == NULL ||
	    peft_config_read(&k->config, src, err) == -1 ||
	    peft_sites_open(&k->sites, &k->config, src, err) == -1 ||
	    find_sites(k, src, &found, err) == -1) {
		peft_residual_close(k);
		return NULL;
	}
	if ((config = make_config(k, err)) != NULL)
		k->adapter = peft_adapter_new(config, &k->sites, 0, err);
	cJSON_Delete(config);
	if (k->adapter == NULL) {
		peft_residual_close(k);
		return NULL;
	}
	return k;
}

void
peft_residual_close(struct peft_residual *k)
{
	if (k == NULL)
		return;
	peft_adapter_close(k->adapter);
	peft_sites_close(&k->sites);
	peft_cpu_close(k->cpu);
	free(k->site);
	free(k->rows);
	free(k);
}

/* dst = src - b a, [m, n]. */
static void
subtract(struct peft_residual *k, const float *src, const float *b,
    const float *a, size_t m, size_t n, float *dst)
{
	if (dst != src)
		memcpy(dst, src, m * n * sizeof(*dst));
	peft_gemm(k->cpu, PEFT_N, PEFT_N, m, n, k->opt.rank, -1, b,
	    k->opt.rank, a, n, 1, dst, n);
}

/* The turns.  w: the weight, [out, in] as quantised types are stored; k->rows
 * becomes what is stored; rest: scratch. */
static int
alternate(struct peft_residual *k, const struct peft_spec *spec,
    const struct peft_site *site, const float *w, float *rest,
    struct peft_residual_sums *sums, struct peft_err *err)
{
	size_t m = site->out, n = site->in, i;
	struct peft_spec as = *spec;
	float *a = peft_lora_factor(k->adapter, site, 0, err);
	float *b = peft_lora_factor(k->adapter, site, 1, err);
	int turn;

	if (a == NULL || b == NULL)
		return -1;
	as.shape[0] = m;
	as.shape[1] = n;
	memcpy(k->rows, w, m * n * sizeof(*w));
	for (turn = 0; turn < k->opt.iters; turn++) {
		if (turn > 0)
			subtract(k, w, b, a, m, n, k->rows);
		if (peft_as_stored(&as, k->rows, m, n, rest, err) == -1)
			return -1;
		for (i = 0; i < m * n; i++)
			rest[i] = w[i] - rest[i];
		if (turn == 0)
			sums->before2 = peft_vec_ref.sumsq(rest, m * n);
		if (peft_low_rank(k->cpu, rest, m, n, k->opt.rank, b, a,
		    err) == -1)
			return -1;
	}
	subtract(k, rest, b, a, m, n, rest);
	sums->after2 = peft_vec_ref.sumsq(rest, m * n);
	sums->value2 = peft_vec_ref.sumsq(w, m * n);
	sums->weights = 1;
	return 0;
}

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct peft_residual *k = ctx;
	size_t in = k->of->in, out = k->of->out, i, c;

	(void)err;
	if (!k->of->transposed) {
		memcpy(dst, k->rows + first * in, n * in * sizeof(*dst));
		return 0;
	}
	for (i = 0; i < n; i++)
		for (c = 0; c < out; c++)
			dst[i * out + c] = k->rows[c * in + first + i];
	return 0;
}

/* x is w, [out, in]; room: as large. */
static void
decode(const struct peft_weight *w, const struct peft_site *site, float *room,
    float *x)
{
	peft_decode(w, 0, w->nelem, site->transposed ? room : x);
	if (site->transposed)
		peft_turn(x, room, site->in, site->out, false);
}

int
peft_residual_take(struct peft_residual *k, size_t i,
    const struct peft_weight *w, struct peft_rows *rows,
    struct peft_residual_sums *sums, struct peft_err *err)
{
	const struct peft_site *site = k->site[i];
	float *x, *rest;
	int r = -1;

	*sums = (struct peft_residual_sums){ 0 };
	if (site == NULL)
		return 0;
	free(k->rows);
	k->rows = peft_calloc(w->nelem, sizeof(float), err);
	x = peft_calloc(w->nelem, sizeof(*x), err);
	rest = peft_calloc(w->nelem, sizeof(*rest), err);
	k->of = site;
	if (k->rows != NULL && x != NULL && rest != NULL) {
		decode(w, site, rest, x);
		if (!isfinite(peft_vec_ref.sumsq(x, w->nelem)))
			peft_setfail(err, PEFT_NUMERIC, "its values are not "
			    "finite");
		else
			r = alternate(k, &k->specs[i], site, x, rest, sums,
			    err);
	}
	free(x);
	free(rest);
	if (r == -1)
		return peft_errprefix(err, "weight %s", w->name);
	*rows = (struct peft_rows){ .get = get, .ctx = k, .shared = true };
	k->total.weights++;
	k->total.value2 += sums->value2;
	k->total.before2 += sums->before2;
	k->total.after2 += sums->after2;
	return 0;
}

struct peft_residual_sums
peft_residual_total(const struct peft_residual *k)
{
	return k->total;
}

int
peft_residual_save(const struct peft_residual *k, const char *base,
    int threads, struct peft_err *err)
{
	char hex[7 + PEFT_SHA256_HEX];
	const char *meta[] = { "peft.base", hex, NULL };

	if (peft_source_hash_path(base, threads, hex, err) == -1)
		return -1;
	return peft_adapter_save(k->adapter, k->opt.path, k->opt.force, meta,
	    err);
}
