/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoftQ (Li et al. 2023) over a base that is quantised already, as PEFT's
 * replace_lora_weights_loftq(): with Q the base's weight and W the one that it
 * was quantised from, s B A begins as the best approximation of W - Q.  PEFT
 * leaves out s, as if it were 1.  (More turns than one change Q: lib/merge's
 * residual.c.)
 */

#include <math.h>
#include <stdlib.h>

#include "math/lowrank.h"
#include "math/vec.h"
#include "peft/begin.h"
#include "peft/dora.h"

struct loftq {
	int64_t	bits, iters;
};

#define AT(field)	offsetof(struct loftq, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("loftq_bits", "null", AT(bits), 1, 8),
	PEFT_SET_INT("loftq_iter", "1", AT(iters), 1, 1000), PEFT_SET_END
};

static int
check_bits(const struct loftq *l, const struct peft_weight *w,
    struct peft_err *err)
{
	const struct peft_dtype_info *t = &peft_dtypes[w->dtype];
	unsigned bits = t->bytes * 8 / t->block;

	return l->bits == 0 || l->bits == bits ? 0 : peft_seterr(err,
	    "loftq_bits is %d, the base's weight is stored in %u (%s)",
	    (int)l->bits, bits, t->name);
}

/* W [out, in] of the model that was quantised. */
static float *
whole_weight(struct peft_source *whole, const struct peft_sites *sites,
    const struct peft_site *like, struct peft_err *err)
{
	const struct peft_site *s = peft_sites_find(sites, like->path);
	struct peft_weight w;

	if (s == NULL || s->in != like->in || s->out != like->out) {
		peft_setfail(err, PEFT_CHECK, "%s has no such weight of %zu x "
		    "%zu: the base is of another model",
		    peft_source_label(whole), like->out, like->in);
		return NULL;
	}
	return peft_source_load(whole, s->weight, &w, err) == -1 ? NULL :
	    peft_site_weight(s, &w, err);
}

/* A and B from w, which becomes W - Q, given W. */
static int
begin_from(struct peft_module *m, struct peft_cpu *cpu, float *w,
    const float *q, struct peft_lost *lost, struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, n = in * out;
	struct peft_param *a = m->param[PEFT_LORA_A];
	struct peft_param *b = m->param[PEFT_LORA_B];
	float root = 1 / sqrtf(m->scale);

	lost->value2 += peft_vec_ref.sumsq(w, n);
	peft_vec_best()->axpy(w, -1, q, n);
	lost->before2 += peft_vec_ref.sumsq(w, n);
	if (!isfinite(lost->value2 + lost->before2))
		return peft_setfail(err, PEFT_NUMERIC, "its values are not "
		    "finite");
	if (peft_low_rank(cpu, w, out, in, m->rank, b->value, a->value,
	    err) == -1)
		return -1;
	peft_gemm(cpu, PEFT_N, PEFT_N, out, in, m->rank, -1, b->value,
	    m->rank, a->value, in, 1, w, in);
	lost->after2 += peft_vec_ref.sumsq(w, n);
	lost->weights++;
	peft_vec_best()->scale(a->value, root, a->n);
	peft_vec_best()->scale(b->value, root, b->n);
	return 0;
}

static int
begin_module(struct peft_module *m, struct peft_cpu *cpu,
    struct peft_source *whole, const struct peft_sites *sites,
    struct peft_lost *lost, struct peft_err *err)
{
	const struct peft_lora *l = m->settings;
	float *w = whole_weight(whole, sites, m->site, err), *q = NULL;
	int r = -1;

	if (!(m->scale > 0))
		peft_seterr(err, "loftq needs an alpha above 0");
	else if (w != NULL && (q = peft_module_weight(m, err)) != NULL)
		r = begin_from(m, cpu, w, q, lost, err);
	if (r == 0 && l->dora)
		peft_dora_norms(m, q, m->param[PEFT_LORA_MAGNITUDE]->value);
	free(w);
	free(q);
	return r;
}

static int
begin_all(struct peft_adapter *a, struct peft_cpu *cpu, const struct loftq *l,
    const struct peft_calibration *data, const struct peft_sites *sites,
    struct peft_err *err)
{
	struct peft_lost sums = { 0 };
	size_t i;

	for (i = 0; i < a->nsites; i++) {
		struct peft_module *m = &a->modules[i];

		if (m->method != a->method ||
		    m->site->kind == PEFT_EMBEDDING ||
		    m->site->w == NULL ||
		    !peft_is_quantised(m->site->w->dtype))
			continue;
		if (check_bits(l, m->site->w, err) == -1 ||
		    begin_module(m, cpu, data->whole, sites, &sums, err) == -1)
			return peft_errprefix(err, "%s", m->site->path);
	}
	if (sums.weights == 0)
		return peft_seterr(err, "loftq begins as what quantising lost: "
		    "no module that is targeted is quantised in this base");
	if (data->lost != NULL)
		*data->lost = sums;
	return 0;
}

int
peft_loftq(struct peft_adapter *a, struct peft_net *net,
    const struct peft_calibration *data, struct peft_err *err)
{
	struct peft_config config;
	struct peft_sites sites = { 0 };
	struct loftq l = { 0 };
	int r;

	if (peft_settings_inner(keys, a->config, "loftq_config", &l,
	    err) == -1)
		return -1;
	if (l.iters > 1)
		return peft_seterr(err, "loftq_iter %d: each turn but the "
		    "first changes the base: peft-quantize --residual-rank "
		    "makes both then", (int)l.iters);
	if (data->whole == NULL)
		return peft_seterr(err, "init_lora_weights: loftq begins from "
		    "the model that the base was quantised from: name it "
		    "(--loftq)");
	if (peft_config_read(&config, data->whole, err) == -1)
		return -1;
	r = peft_sites_open(&sites, &config, data->whole, err);
	if (r == 0)
		r = begin_all(a, peft_net_cpu(net), &l, data, &sites, err);
	peft_sites_close(&sites);
	/* the base is as it was: to whom loads it, it is a LoRA like others */
	peft_json_set(a->config, "init_lora_weights", cJSON_CreateTrue());
	peft_json_set(a->config, "loftq_config", cJSON_CreateObject());
	return r;
}
