/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters as the factors that they are made of. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/exact.h"
#include "peft/lora.h"
#include "peft/target.h"

extern const struct peft_method peft_lora, peft_hub_lora;

static bool
begins_as_part(const struct peft_adapter *a)
{
	const struct peft_lora *l = a->settings;

	return a->method == &peft_lora && (l->start == PEFT_LORA_PISSA ||
	    l->start == PEFT_LORA_OLORA);
}

bool
peft_exact_needs_base(const struct peft_adapter *a)
{
	return begins_as_part(a);
}

/* What is in the parameters beside A and B is not factors: a bias, a
 * magnitude (LoRA's), a gate (the library's). */
static int
check(const struct peft_module *m, struct peft_err *err)
{
	const struct peft_adapter *a = m->adapter;
	const char *where = m->site == NULL ? a->method->type :
	    m->site->path;

	if ((m->method != &peft_lora && m->method != &peft_hub_lora) ||
	    m->site == NULL || m->param[PEFT_LORA_A] == NULL ||
	    m->param[PEFT_LORA_B] == NULL)
		return peft_setfail(err, PEFT_CHECK, "%s: what it has there "
		    "(%s) is no pair of factors: --as-lora RANK or auto makes "
		    "a LoRA of it", where, m->method->type);
	if (m->param[PEFT_LORA_BIAS] != NULL ||
	    m->param[PEFT_LORA_MAGNITUDE] != NULL)
		return peft_setfail(err, PEFT_CHECK, "%s: it has a bias, a "
		    "magnitude or a gate beside its factors: --as-lora RANK "
		    "or auto makes a LoRA of it, if anything does", where);
	if (m->site->kind != PEFT_LINEAR && m->site->kind != PEFT_HEAD)
		return peft_setfail(err, PEFT_CHECK, "%s is no linear layer",
		    where);
	if (!peft_json_off(peft_json_get(a->config,
	    "alora_invocation_tokens")))
		return peft_setfail(err, PEFT_CHECK, "with "
		    "alora_invocation_tokens it changes no weight");
	return 0;
}

/* As precise as the config has it. */
static int
scale_of(const struct peft_module *m, double *scale, struct peft_err *err)
{
	const struct peft_lora *l = m->settings;
	double alpha, r = (double)m->rank;

	*scale = m->scale;
	if (m->method != &peft_lora)
		return 0;
	if (peft_pattern_value(l->alpha_pattern, m->site->path, l->alpha,
	    &alpha, err) == -1)
		return -1;
	*scale = l->rslora ? alpha / sqrt(r) : alpha / r;
	return 0;
}

int
peft_exact_rank(const struct peft_adapter *a, const struct peft_site *s,
    size_t *rank, double *scale, struct peft_err *err)
{
	const struct peft_module *m = peft_module_at(a, s);
	size_t i;

	for (i = 0; i < a->nmodules; i++)
		if (check(&a->modules[i], err) == -1)
			return -1;
	if (m == NULL)
		return 0;
	*rank = begins_as_part(a) ? 2 * m->rank : m->rank;
	return scale_of(m, scale, err) == -1 ? -1 : 1;
}

static void
put(const float *a, const float *b, size_t r, const struct peft_site *s,
    float times, float *to_a, float *to_b, size_t ldb, size_t at)
{
	size_t i, k;

	memcpy(to_a + at * s->in, a, r * s->in * sizeof(*a));
	for (i = 0; i < s->out; i++)
		for (k = 0; k < r; k++)
			to_b[i * ldb + at + k] = times * b[i * r + k];
}

int
peft_exact_factors(const struct peft_adapter *a, const struct peft_site *s,
    float *w, float times, float *to_a, float *to_b, size_t ldb, size_t at,
    struct peft_err *err)
{
	const struct peft_module *m = peft_module_at(a, s);
	size_t r = m->rank;
	float *began;
	int st;

	put(m->param[PEFT_LORA_A]->value, m->param[PEFT_LORA_B]->value, r, s,
	    times, to_a, to_b, ldb, at);
	if (!begins_as_part(a))
		return 0;
	began = peft_calloc(r * (s->in + s->out), sizeof(*began), err);
	if (began == NULL)
		return -1;
	st = peft_residual_factors(m, w, began, began + r * s->in, err);
	put(began, began + r * s->in, r, s, -times, to_a, to_b, ldb, at + r);
	free(began);
	return st;
}
