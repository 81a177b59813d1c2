/* SPDX-License-Identifier: Apache-2.0 */
/* Names of a session: adapters and combinations of them, made and dropped. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/session.h"

static int
check_base(struct peft_session *s, const struct peft_adapter *a,
    const char *name, struct peft_err *err)
{
	const char *want = peft_adapter_meta(a, "peft.base");

	if (want == NULL || s->any_base)
		return 0;
	if (s->base[0] == '\0' && peft_source_hash(s->source, s->threads,
	    s->base, err) == -1)
		return -1;
	if (strcmp(want, s->base) == 0)
		return 0;
	return peft_setfail(err, PEFT_CHECK, "adapter %s was trained on the "
	    "base %.23s..., this is %.23s... (--any-base takes it all the same)",
	    name, want, s->base);
}

static void
close_parts(struct peft_part *p, size_t n)
{
	size_t i;

	for (i = 0; p != NULL && i < n; i++) {
		peft_adapter_close(p[i].adapter);
		peft_source_close(p[i].source);
		peft_labels_free(&p[i].labels);
		free(p[i].path);
	}
	free(p);
}

int
peft_session_welcomes(const struct peft_session *s, enum peft_task task,
    const char *adapter, struct peft_err *err)
{
	return !peft_task_classes(task) || s->classes ? 0 : peft_setfail(err,
	    PEFT_CHECK, "adapter %s is for %s, it writes no text: peft-eval "
	    "measures it, and with --predict asks it", adapter,
	    peft_task_types[task]);
}

static int
open_part(struct peft_session *s, struct peft_part *p,
    const struct peft_part *from, const char *name, struct peft_err *err)
{
	struct peft_headopt head;

	*p = (struct peft_part){ .weight = from->weight,
	    .changed = from->changed };
	if ((p->path = peft_strdup(from->path, err)) == NULL ||
	    (p->source = peft_source_open_copy(p->path, err)) == NULL ||
	    peft_head_of_adapter(p->source, &head, &p->labels, err) == -1 ||
	    peft_session_welcomes(s, head.task, name, err) == -1 ||
	    (p->adapter = peft_adapter_open(p->source, peft_net_sites(s->net),
	    err)) == NULL || peft_head_names(&p->labels, s->source,
	    peft_net_config(s->net), err) == -1)
		return -1;
	return check_base(s, p->adapter, name, err);
}

/* An adapter holds copies of what it was read from, and who runs for long may
 * find another file there. */
static int
open_one(struct peft_session *s, struct peft_part *p,
    const struct peft_part *from, const char *name, struct peft_err *err)
{
	int r = open_part(s, p, from, name, err);

	peft_source_close(p->source);
	p->source = NULL;
	return r;
}

/* Hooks of all parts under number i; of virtual tokens there is one kind. */
static int
attach_parts(struct peft_session *s, const struct peft_part *p, size_t n,
    size_t i, struct peft_err *err)
{
	struct peft_sites *sites = peft_net_sites(s->net);
	const struct peft_virtual *v;
	size_t k, virtuals = 0;

	for (k = 0; k < n; k++)
		if (peft_adapter_attach(p[k].adapter, sites, (int)i,
		    p[k].weight, false, err) == -1)
			return -1;
	for (v = sites->virtuals; v != NULL; v = v->next)
		virtuals += v->adapter == (int)i;
	if (virtuals > 1)
		return peft_seterr(err, "two of these adapters put tokens "
		    "before the text: only one can");
	return 0;
}

/* A free number. */
static int
number(struct peft_session *s, size_t *i, struct peft_err *err)
{
	struct peft_named *grown;

	for (*i = 0; *i < s->nadapters; ++*i)
		if (s->adapters[*i].name == NULL)
			return 0;
	grown = peft_grow(s->adapters, s->nadapters, &s->cap, sizeof(*grown),
	    err);
	if (grown == NULL)
		return -1;
	s->adapters = grown;
	memset(&s->adapters[s->nadapters++], 0, sizeof(*grown));
	return 0;
}

static int
make(struct peft_session *s, const char *name, const struct peft_part *from,
    size_t n, size_t i, struct peft_err *err)
{
	struct peft_named *a = &s->adapters[i];
	size_t k;

	if ((a->parts = peft_calloc(n, sizeof(*a->parts), err)) == NULL ||
	    (a->name = peft_strdup(name, err)) == NULL)
		return -1;
	for (k = 0; k < n; k++) {
		a->nparts++;
		if (open_one(s, &a->parts[k], &from[k], name, err) == -1)
			return -1;
	}
	if (name[0] == '\0' || strcmp(name, "base") == 0)
		return peft_seterr(err, "an adapter cannot be called '%s'",
		    name);
	return attach_parts(s, a->parts, n, i, err);
}

int
peft_session_add(struct peft_session *s, const char *name,
    const struct peft_part *parts, size_t n, const char *spec,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++)
		if (s->adapters[i].name != NULL &&
		    strcmp(s->adapters[i].name, name) == 0)
			return peft_seterr(err, "two adapters are called %s",
			    name);
	if (number(s, &i, err) == -1)
		return -1;
	if (make(s, name, parts, n, i, err) == -1 || (spec != NULL &&
	    (s->adapters[i].spec = peft_strdup(spec, err)) == NULL)) {
		peft_session_drop(s, i);
		return -1;
	}
	return (int)i;
}

void
peft_session_drop(struct peft_session *s, size_t i)
{
	struct peft_named *a = &s->adapters[i];

	peft_sites_detach(peft_net_sites(s->net), (int)i);
	close_parts(a->parts, a->nparts);
	free(a->name);
	free(a->spec);
	memset(a, 0, sizeof(*a));
}

int
peft_session_combination(const struct peft_session *s, const char *spec)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++)
		if (s->adapters[i].spec != NULL &&
		    strcmp(s->adapters[i].spec, spec) == 0)
			return (int)i;
	return -1;
}

/* "NAME[:WEIGHT]": the parts of that name, times the weight; or a path, known
 * by its slash, of what is of use in company alone (a fusion). */
static int
add_parts(const struct peft_session *s, char *one, struct peft_part *to,
    size_t *n, size_t most, struct peft_err *err)
{
	char *colon = strrchr(one, ':'), *end;
	const struct peft_named *a;
	double weight = 1;
	size_t k;
	int i;

	if (colon != NULL) {
		weight = strtod(colon + 1, &end);
		if (end == colon + 1 || *end != '\0' || !isfinite(weight))
			return peft_seterr(err, "'%s' is no weight of an "
			    "adapter", colon + 1);
		*colon = '\0';
	}
	if (strchr(one, '/') != NULL && *n < most) {
		to[(*n)++] = (struct peft_part){ .path = one,
		    .weight = (float)weight };
		return 0;
	}
	if ((i = peft_session_find(s, one, err)) == -1)
		return -1;
	a = &s->adapters[i];
	for (k = 0; k < a->nparts; k++) {
		if (*n == most)
			return peft_seterr(err, "more than %zu adapters "
			    "together", most);
		to[*n] = a->parts[k];
		to[(*n)++].weight *= (float)weight;
	}
	return 0;
}

int
peft_session_combine(struct peft_session *s, const char *name,
    const char *spec, struct peft_err *err)
{
	enum { MOST = 16 };
	struct peft_part parts[MOST];
	char *copy = peft_strdup(spec, err), *rest = copy, *one;
	size_t n = 0;
	int r = copy == NULL ? -1 : 0;

	while (r == 0 && (one = strsep(&rest, ",")) != NULL)
		r = add_parts(s, one, parts, &n, MOST, err);
	if (r == 0)
		r = peft_session_add(s, name == NULL ? spec : name, parts, n,
		    spec, err);
	free(copy);
	return r == -1 ? peft_errprefix(err, "adapters %s", spec) : r;
}
