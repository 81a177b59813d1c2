/* SPDX-License-Identifier: Apache-2.0 */
/* One part for an embedding and the head that it is. */

#include <stdlib.h>
#include <string.h>

#include "peft/target.h"
#include "peft/tied.h"

static bool
is_either(const struct peft_site *s)
{
	return s->kind == PEFT_EMBEDDING || s->kind == PEFT_HEAD;
}

/* The embedding; the head, if it is that. */
static struct peft_site *
find(const struct peft_sites *sites, enum peft_site_kind kind)
{
	size_t i;

	for (i = 0; i < sites->n; i++)
		if (sites->at[i].kind == kind && (kind == PEFT_EMBEDDING ||
		    sites->at[i].weight == SIZE_MAX))
			return &sites->at[i];
	return NULL;
}

/* Does the config name one of the two, as PEFT looks for it: by these names
 * alone, and whatever the module's path? */
static int
is_named(const cJSON *what, struct peft_err *err)
{
	static const char *const names[] = { "embed_tokens", "lm_head" };
	const cJSON *e;
	const char *dot;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (cJSON_IsString(what))
			r = peft_regex_matches(what->valuestring, names[i],
			    err);
		cJSON_ArrayForEach(e, what) {
			if (!cJSON_IsString(e))
				continue;
			dot = strrchr(e->valuestring, '.');
			r |= strcmp(dot == NULL ? e->valuestring : dot + 1,
			    names[i]) == 0;
		}
	}
	return r;
}

/* What of the config is for both, a copy before an adapter; or NULL. */
static int
method_of(const struct peft_adapter *a, const struct peft_method **method,
    struct peft_err *err)
{
	int r;

	*method = NULL;
	if ((r = is_named(peft_json_get(a->config, "modules_to_save"),
	    err)) == 1)
		*method = &peft_full;
	else if (r == 0 && (r = is_named(peft_json_get(a->config,
	    "target_modules"), err)) == 1)
		*method = a->method;
	return r == -1 ? -1 : 0;
}

int
peft_tied_choose(const struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const struct peft_method *method;
	bool tie = false, done = false;
	size_t i, k;

	if (peft_json_bool(a->config, "ensure_weight_tying", &tie, err) == -1)
		return -1;
	if (!tie || sites->config == NULL || !sites->config->t.tied ||
	    find(sites, PEFT_HEAD) == NULL)
		return 0;
	if (method_of(a, &method, err) == -1)
		return -1;
	for (i = k = 0; i < *n; i++) {
		if (method != NULL && is_either(chosen[i].site)) {
			if (method == a->method && chosen[i].method != method)
				return peft_seterr(err, "%s: "
				    "ensure_weight_tying: an adapter is on "
				    "both, and it is saved whole",
				    chosen[i].site->path);
			if (done || chosen[i].method != method)
				continue;
			chosen[i].site = find(sites, PEFT_EMBEDDING);
			chosen[i].both = done = true;
		}
		chosen[k++] = chosen[i];
	}
	*n = k;
	return 0;
}

struct peft_shape
peft_tied_shape(const struct peft_module *m, struct peft_shape shape,
    const char *suffix)
{
	shape.suffix = suffix;
	shape.place = PEFT_AT_OUTPUT;
	shape.fixed = true;
	shape.droppable = !m->adapter->fresh;
	return shape;
}

/* The value at place i of a twin, from its tensor. */
static float
twin_value(const struct peft_twin *t, const struct peft_param *p, size_t i)
{
	size_t rows = p->shape[0], cols = p->n / rows;

	return p->value[t->turned ? i % rows * cols + i / rows : i];
}

/* Twins of one module: written from their tensors, or compared with these. */
static int
go_through(const struct peft_module *m, bool write, struct peft_err *err)
{
	const struct peft_twin *t;
	size_t k;

	for (t = m->method->twins; t != NULL && t->part != t->twin; t++) {
		struct peft_param *p = m->param[t->twin];

		for (k = 0; p != NULL && k < p->n; k++) {
			float v = twin_value(t, m->param[t->part], k);

			if (write)
				p->value[k] = v;
			else if (p->value[k] != v)
				return peft_setfail(err, PEFT_CHECK,
				    "%s differs from that of the embedding, "
				    "which the head is", p->name);
		}
	}
	return 0;
}

int
peft_tied_check(const struct peft_adapter *a, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++)
		if (go_through(&a->modules[i], false, err) == -1)
			return -1;
	return 0;
}

void
peft_tied_finish(struct peft_adapter *a)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++)
		(void)go_through(&a->modules[i], true, NULL);
}

void
peft_tied_free(struct peft_module *m)
{
	if (m->head != NULL)
		free(m->head->state);
	free(m->head);
	m->head = NULL;
}

int
peft_tied_attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	const struct peft_hook_ops *ops;
	struct peft_hook **end;
	struct peft_site *head = find(sites, PEFT_HEAD);

	peft_tied_free(m);
	if (!m->both || m->method->tie == NULL || head == NULL)
		return 0;
	if ((m->head = peft_calloc(1, sizeof(*m->head), err)) == NULL)
		return -1;
	*m->head = *m;
	m->head->site = head;
	m->head->state = NULL;
	m->head->head = NULL;
	if ((ops = m->method->tie(m->head, err)) == NULL)
		return -1;
	m->head->hook = (struct peft_hook){ ops, m->head, index, NULL };
	for (end = &head->hooks; *end != NULL; end = &(*end)->next)
		;
	*end = &m->head->hook;
	return 0;
}
