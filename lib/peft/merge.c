/* SPDX-License-Identifier: Apache-2.0 */
/* A base's rows with an adapter added to them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peft/method.h"

static const char *const leaves[PEFT_NLEAF] = {
	[PEFT_LEAF_WEIGHT] = "weight", [PEFT_LEAF_BIAS] = "bias",
};

struct merged {
	struct peft_rows	 base;
	struct peft_module	*module;
	enum peft_leaf		 leaf;
	size_t			 row;		/* of a stack: its first */
	float			 weight;
	float			*whole;		/* merged, as it is stored */
	bool			 owns;		/* its base */
};

bool
peft_weight_changes(const struct peft_module *m, enum peft_leaf leaf)
{
	(void)m;
	return leaf == PEFT_LEAF_WEIGHT;
}

/* A weight stored [in, out]: methods know rows of [out, in], so the whole is
 * turned over, merged and turned back. */
static int
merge_turned(struct merged *m, struct peft_err *err)
{
	const struct peft_site *s = m->module->site;
	struct peft_rows base = { 0 };
	float *t = peft_calloc(s->in * s->out, sizeof(*t), err);
	size_t i, k;
	int r = -1;

	m->whole = peft_calloc(s->in * s->out, sizeof(*t), err);
	if (t != NULL && m->whole != NULL &&
	    peft_rows_turned(&m->base, s->in, s->out, &base, err) == 0 &&
	    base.get(base.ctx, 0, s->out, t, err) == 0)
		r = m->module->method->merge(m->module, m->leaf, 0, s->out,
		    m->weight, t, &base, err);
	for (i = 0; r == 0 && i < s->out; i++)
		for (k = 0; k < s->in; k++)
			m->whole[k * s->out + i] = t[i * s->in + k];
	peft_rows_turned_free(&base);
	free(t);
	return r;
}

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	struct merged *m = ctx;
	const struct peft_site *s = m->module->site;

	if (s->transposed && m->leaf == PEFT_LEAF_WEIGHT) {
		if (m->whole == NULL && merge_turned(m, err) == -1)
			return -1;
		memcpy(dst, m->whole + first * s->out, n * s->out *
		    sizeof(*dst));
		return 0;
	}
	if (m->base.get(m->base.ctx, first, n, dst, err) == -1)
		return -1;
	return m->module->method->merge(m->module, m->leaf, m->row + first, n,
	    m->weight, dst, &m->base, err);
}

/* What the base's tensors call the site. */
static const char *
stem_of(const struct peft_site *s)
{
	return s->stem != NULL ? s->stem : s->path;
}

/* A tensor of the base that a module may change. */
struct place {
	const char	*stem;
	enum peft_leaf	 leaf;
	size_t		 row;		/* of a stack: its first there */
};

/* The k-th of a module; false: it has no more. */
static bool
place_of(const struct peft_module *m, size_t k, struct place *p)
{
	const struct peft_site *s = m->site;

	*p = (struct place){ .leaf = PEFT_LEAF_WEIGHT };
	if (k == PEFT_NLEAF && m->both && s->kind == PEFT_EMBEDDING &&
	    m->adapter->model != NULL && m->adapter->model->t.tied) {
		p->stem = m->adapter->model->family->head;
		return true;
	}
	if (s->kind == PEFT_STACK) {
		if ((s = peft_stack_part(s, k, &p->row)) == NULL)
			return false;
	} else
		p->leaf = (enum peft_leaf)k;
	p->stem = stem_of(s);
	return p->leaf < PEFT_NLEAF;
}

/* Can it be that the module changes a tensor of this name?
 * (Experts are many: not each of them is looked at for each name.) */
static bool
may_be(const struct peft_module *m, const char *name)
{
	const char *stem, *end;

	if (m->site == NULL || m->method->changes == NULL)
		return false;
	if (m->site->kind != PEFT_STACK)
		return true;
	stem = stem_of(m->site->part);
	end = strstr(stem, ".experts.");
	return strncmp(name, stem, end == NULL ? strlen(stem) :
	    (size_t)(end - stem)) == 0;
}

/* The last module before *i that changes the tensor `name' ("PATH.weight"), or
 * NULL.  (Those that replace it come behind those that add to it.) */
static struct peft_module *
module_of(const struct peft_adapter *a, const char *name, size_t *i,
    struct place *p)
{
	const char *dot = strrchr(name, '.');
	size_t n, k;

	if (dot == NULL)
		return NULL;
	for (n = (size_t)(dot - name); *i > 0;) {
		struct peft_module *m = &a->modules[--*i];

		for (k = 0; may_be(m, name) && place_of(m, k, p); k++)
			if (strncmp(name, p->stem, n) == 0 &&
			    p->stem[n] == '\0' &&
			    strcmp(dot + 1, leaves[p->leaf]) == 0 &&
			    m->method->changes(m, p->leaf))
				return m;
	}
	return NULL;
}

/* All of it or nothing. */
static bool
mergeable(const struct peft_adapter *a)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++) {
		const struct peft_module *m = &a->modules[i];

		if (m->method->changes == NULL || (m->site != NULL &&
		    !m->method->changes(m, PEFT_LEAF_WEIGHT) &&
		    !m->method->changes(m, PEFT_LEAF_BIAS)))
			return false;
	}
	return a->invocation.n == 0;
}

/* The functions of the parameters that merging needs. */
static int
make_ready(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_hook_ops *hook = m->method->hook_for != NULL ?
	    m->method->hook_for(m) : m->method->hook;
	struct peft_rows turned = { 0 };
	int r = 0;

	if (m->state != NULL)
		return 0;
	if (base != NULL && m->site->transposed) {
		r = peft_rows_turned(base, m->site->in, m->site->out, &turned,
		    err);
		base = &turned;
	}
	if (r == 0 && m->method->prepare != NULL)
		r = m->method->prepare(m, base, err);
	if (r == 0)
		r = peft_beneath_check(m, base, err);
	peft_rows_turned_free(&turned);
	if (r == -1)
		return -1;
	if (hook != NULL && hook->begin != NULL)
		hook->begin(m, NULL, NULL);
	return 0;
}

int
peft_adapter_target(const struct peft_adapter *a, size_t i, char *name,
    size_t size)
{
	struct place p;
	size_t m, k;

	if (!mergeable(a))
		return 0;
	for (m = 0; m < a->nmodules; m++) {
		const struct peft_module *mod = &a->modules[m];

		for (k = 0; mod->site != NULL && place_of(mod, k, &p); k++) {
			/* not by name the head that it may still be */
			if (k == PEFT_NLEAF && mod->both)
				break;
			if (!mod->method->changes(mod, p.leaf) || i-- > 0)
				continue;
			snprintf(name, size, "%s.%s", p.stem, leaves[p.leaf]);
			return 1;
		}
	}
	return 0;
}

const char *
peft_adapter_unmergeable(const struct peft_adapter *a)
{
	return a->invocation.n > 0 ? "this one acts only from its invocation "
	    "on (alora_invocation_tokens)" : "they are no change of the "
	    "weights";
}

bool
peft_adapter_touches(const struct peft_adapter *a, const char *name)
{
	struct place p;
	size_t i = a->nmodules;

	return module_of(a, name, &i, &p) != NULL;
}

bool
peft_adapter_unties(const struct peft_adapter *a, const char *name)
{
	struct peft_module *m;
	struct place p;
	size_t i = a->nmodules;

	while ((m = module_of(a, name, &i, &p)) != NULL)
		if (!m->both || m->site->kind != PEFT_EMBEDDING)
			return true;
	return false;
}

void
peft_rows_free(struct peft_rows *rows)
{
	struct merged *m = rows->get == get ? rows->ctx : NULL;

	if (m != NULL && m->owns)
		peft_rows_free(&m->base);
	if (m != NULL)
		free(m->whole);
	free(m);
	memset(rows, 0, sizeof(*rows));
}

/* Several change the same: a bias, rows of an embedding. */
int
peft_adapter_merge(struct peft_adapter *a, const char *name,
    const struct peft_rows *base, float weight, struct peft_rows *rows,
    struct peft_err *err)
{
	struct peft_rows all = { 0 };
	struct peft_module *module;
	struct merged *m;
	struct place p;
	size_t i = a->nmodules;
	int r = 0;

	while (r != -1 && (module = module_of(a, name, &i, &p)) != NULL) {
		if (make_ready(module, p.leaf == PEFT_LEAF_WEIGHT ? base :
		    NULL, err) == -1)
			r = peft_errprefix(err, "%s", name);
		else if ((m = peft_calloc(1, sizeof(*m), err)) == NULL)
			r = -1;
		else {
			*m = (struct merged){ r == 0 ? *base : all, module,
			    p.leaf, p.row, weight, NULL, r == 1 };
			all = (struct peft_rows){ .get = get, .ctx = m };
			r = 1;
		}
	}
	if (r == 1)
		*rows = all;
	else
		peft_rows_free(&all);
	return r;
}
