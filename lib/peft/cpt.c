/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Context-aware prompt tuning (Blau et al. 2025) as PEFT has it: the prompt
 * begins as given tokens, and what is learnt on top of each row, delta [n, d],
 * stays within a ball.  A token's type, cpt_tokens_type_mask, says what it is:
 * of an example's four, 1 and 3 are forms, 2 the input, 4 the answer; the next
 * example's are 5 to 8.  Answers do not move, and are predicted in training,
 * too, as the record is.  Only what prompt and delta add up to is saved; from
 * a file it begins anew around that.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"
#include "math/vec.h"
#include "peft/virtual.h"

enum { DELTA = 1 };
enum { KINDS = 4, FORM = 1, INPUT, FORM_OUT };	/* a type, mod KINDS */

struct cpt {
	const cJSON	*ids, *mask, *types;
	int		 decays;		/* opt_weighted_loss_type */
	double		 decay, input, form;	/* radii, of width 2048 */
};

static const char *const weighings[] = { "none", "decay", NULL };

#define AT(field)	offsetof(struct cpt, field)
static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_LATER("modules_to_save", "null"),
	PEFT_SET("cpt_token_ids", "null", peft_set_json, AT(ids)),
	PEFT_SET("cpt_mask", "null", peft_set_json, AT(mask)),
	PEFT_SET("cpt_tokens_type_mask", "null", peft_set_json, AT(types)),
	PEFT_SET_WORD("opt_weighted_loss_type", "\"none\"", peft_set_word,
	    AT(decays), weighings),
	PEFT_SET("opt_loss_decay_factor", "1.0", peft_set_real, AT(decay)),
	PEFT_SET("opt_projection_epsilon", "0.1", peft_set_real, AT(input)),
	PEFT_SET("opt_projection_format_epsilon", "0.1", peft_set_real,
	    AT(form)),
	PEFT_SET_LATER("tokenizer_name_or_path", "null"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct cpt *c = settings;

	(void)config;
	if (c->input < 0 || c->form < 0 || c->decay < 0)
		return peft_seterr(err, "opt_projection_epsilon, "
		    "opt_projection_format_epsilon and opt_loss_decay_factor "
		    "must not be below 0");
	return 0;
}

/* The adapter's memory, of each row. */
struct rows {
	float	*radius;	/* of the ball; below 0: it stays */
	float	*weight;	/* of its label */
	int32_t	*type, *label;
	bool	 weighed;
	float	 data[];
};

static struct rows *
rows_of(const struct peft_adapter *a)
{
	return a->memory;
}

/* A list of n whole numbers from 0 on; absent: each is `usual'. */
static int
read_list(const cJSON *list, const char *key, size_t n, int usual,
    int32_t *to, struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;

	for (i = 0; list == NULL && i < n; i++)
		to[i] = usual;
	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list) || (size_t)cJSON_GetArraySize(list) != n)
		return peft_seterr(err, "%s is no list of %zu entries, as "
		    "cpt_token_ids is", key, n);
	cJSON_ArrayForEach(e, list) {
		if (!cJSON_IsNumber(e) || e->valuedouble < 0 ||
		    e->valuedouble != (double)e->valueint)
			return peft_seterr(err, "%s: entry %zu is no whole "
			    "number from 0 on", key, i + 1);
		to[i++] = e->valueint;
	}
	return 0;
}

/* Answers of one type weigh alike: the last example's less than the record,
 * which weighs 1, by one factor, those before by one more each. */
static void
weigh(struct rows *r, size_t n, double factor)
{
	int32_t now = INT32_MAX, next;
	double w = 1;
	size_t i;

	do {
		for (next = 0, i = 0; i < n; i++) {
			if (r->label[i] == PEFT_IGNORE)
				continue;
			if (r->type[i] == now)
				r->weight[i] = (float)w;
			else if (r->type[i] < now && r->type[i] > next)
				next = r->type[i];
		}
		now = next;
		w *= factor;
	} while (now > 0);
}

/* Nothing predicts the first token. */
static void
set_rows(const struct cpt *c, struct rows *r, size_t n, size_t width)
{
	double scale = sqrt((double)width / 2048);
	size_t i;

	for (i = 0; i < n; i++) {
		int kind = r->type[i] % KINDS;

		r->radius[i] = (float)(scale * (kind == INPUT ? c->input :
		    kind == FORM || kind == FORM_OUT ? c->form : -1));
		if (kind != 0 || r->type[i] == 0 || i == 0)
			r->label[i] = PEFT_IGNORE;
	}
	r->weighed = c->decays != 0;
	if (r->weighed)
		weigh(r, n, c->decay);
}

static int
read_rows(const struct cpt *c, struct peft_module *m, size_t n,
    struct peft_err *err)
{
	struct peft_adapter *a = m->adapter;
	struct rows *r = peft_calloc(1, sizeof(*r) + 4 * n * sizeof(float),
	    err);
	int32_t top = 0;
	size_t i;

	if ((a->memory = r) == NULL)
		return -1;
	r->radius = r->data;
	r->weight = r->radius + n;
	r->type = (int32_t *)(void *)(r->weight + n);
	r->label = r->type + n;
	if (read_list(c->mask, "cpt_mask", n, 1, r->label, err) == -1 ||
	    read_list(c->types, "cpt_tokens_type_mask", n, FORM, r->type,
	    err) == -1 || read_list(c->ids, "cpt_token_ids", n, 0, r->label,
	    err) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		if ((size_t)r->label[i] >= a->model->vocab)
			return peft_seterr(err, "cpt_token_ids: entry %zu is "
			    "not in the vocabulary of %zu", i + 1,
			    a->model->vocab);
		top = r->type[i] > top ? r->type[i] : top;
	}
	if (top % KINDS != 0)
		m->untrainable = "the largest of cpt_tokens_type_mask is no "
		    "multiple of 4, an answer: PEFT would predict nothing of "
		    "the records";
	set_rows(c, r, n, a->model->hidden);
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	cJSON *config = m->adapter->config;
	const struct cpt *c = settings;
	int64_t n = cJSON_IsArray(c->ids) ? cJSON_GetArraySize(c->ids) : 0;
	int64_t have = n;

	if (n == 0)
		return peft_seterr(err, "cpt_token_ids is no list of the "
		    "prompt's tokens");
	if (peft_json_int(config, "num_virtual_tokens", 1, 1 << 30, &have,
	    err) == -1)
		return -1;
	if (have != n)
		return peft_seterr(err, "num_virtual_tokens is %d, "
		    "cpt_token_ids has %d entries", (int)have, (int)n);
	peft_json_set(config, "num_virtual_tokens",
	    cJSON_CreateNumber((double)n));
	if (peft_virtual_common(m, false, out, err) == -1)
		return -1;
	if (m->adapter->model->ahead == 0)
		return peft_seterr(err, "CPT is for task_type CAUSAL_LM, in "
		    "PEFT, too");
	if (peft_config_off(config, "modules_to_save", err) == -1)
		return -1;
	out[PEFT_PROMPT].fixed = true;
	out[DELTA] = peft_shape2("prompt_encoder.delta_embedding.weight",
	    (size_t)n, m->own[PEFT_VIRTUAL_WIDTH]);
	out[DELTA].place = PEFT_AT_NONE;
	out[DELTA].unsaved = true;
	return read_rows(c, m, (size_t)n, err);
}

static int
start(struct peft_module *m, struct peft_err *err)
{
	const struct cpt *c = m->settings;

	peft_json_set(m->adapter->config, PEFT_INIT_IDS,
	    cJSON_Duplicate(c->ids, true));
	return peft_prompt_start(m, PEFT_PROMPT_TEXT, err);
}

/* Behind the gradient: what delta is on top of. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[PEFT_PROMPT];

	(void)base;
	if (peft_virtual_prepare(m, p->n, err) == -1)
		return -1;
	memcpy(peft_virtual_extra(m), p->value, p->n * sizeof(float));
	return 0;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	size_t d = m->own[PEFT_VIRTUAL_WIDTH], i;
	const struct rows *r = rows_of(m->adapter);
	struct peft_param *p = m->param[PEFT_PROMPT];

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	memcpy(p->value, peft_virtual_extra(m), p->n * sizeof(float));
	for (i = 0; i < p->n / d; i++)
		if (r->radius[i] >= 0)
			peft_vec_best()->add(p->value + i * d,
			    m->param[DELTA]->value + i * d, d);
	memset(peft_virtual_gradient(m), 0, p->n * sizeof(float));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	size_t d = m->own[PEFT_VIRTUAL_WIDTH], i;
	const struct rows *r = rows_of(m->adapter);

	(void)cpu;
	for (i = 0; m->train && i < m->own[PEFT_VIRTUAL_N]; i++)
		if (r->radius[i] >= 0)
			peft_vec_best()->add(m->param[DELTA]->grad + i * d,
			    peft_virtual_gradient(m) + i * d, d);
}

static const struct peft_hook_ops ops = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	const struct rows *r = rows_of(m->adapter);

	if (peft_virtual_attach(m, sites, index, false, &ops, err) == -1)
		return -1;
	m->adapter->virtuals.labels = r->label;
	m->adapter->virtuals.weights = r->weighed ? r->weight : NULL;
	return 0;
}

/* Back into the ball. */
static void
stepped(struct peft_adapter *a, size_t step, double gscale)
{
	struct peft_param *p = a->common->param[DELTA];
	size_t d = p->shape[1], i;
	const struct peft_vec *v = peft_vec_best();

	(void)step;
	(void)gscale;
	for (i = 0; i < p->shape[0]; i++) {
		float radius = rows_of(a)->radius[i];
		float norm = (float)sqrt(v->sumsq(p->value + i * d, d));

		if (radius >= 0 && norm > radius)
			v->scale(p->value + i * d, radius / norm, d);
	}
}

static float *
kept(struct peft_adapter *a, int i, const char **name)
{
	*name = "origin";
	return i == 0 ? peft_virtual_extra(a->common) : NULL;
}

const struct peft_method peft_cpt = {
	.type = "CPT", .name = "cpt",
	.keys = keys, .size = sizeof(struct cpt), .check = check,
	.common = common, .start = start, .prepare = prepare,
	.attach = attach, .stepped = stepped, .kept = kept,
};
