/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: calls, and what bounds a rendering. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/jinja.h"

enum { STEPS = 10000000 };

int
peft_jj_fail(struct jj_render *r, const char *fmt, ...)
{
	char what[400], *p;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	/* a template's own words may hold anything; a message is one line */
	for (p = what; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return peft_seterr(r->err, "template line %d: %s", r->line, what);
}

int
peft_jj_nomem(struct jj_render *r)
{
	return peft_jj_fail(r, "more memory than a template may have");
}

int
peft_jj_spend(struct jj_render *r, size_t n)
{
	r->steps += n / 16;
	if (r->steps > STEPS)
		return peft_jj_fail(r, "more steps than a template may take");
	return r->pool.failed ? peft_jj_nomem(r) : 0;
}

const struct jj_builtin *
peft_jj_find(const struct jj_builtin *table, size_t n, const char *name,
    size_t len, enum jj_kind of)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (table[i].of == of && strlen(table[i].name) == len &&
		    memcmp(table[i].name, name, len) == 0)
			return &table[i];
	return NULL;
}

/* The index of a parameter by its name, or -1. */
static int
param_index(const char *params, const char *name, size_t len)
{
	const char *p, *end;
	int i = 0;

	for (p = params; *p != '\0'; p = end + (*end == ' '), i++) {
		end = p + strcspn(p, " ");
		if ((size_t)(end - p) == len && memcmp(p, name, len) == 0)
			return i;
	}
	return -1;
}

static int
param_count(const char *params)
{
	int n = *params != '\0';

	for (; *params != '\0'; params++)
		n += *params == ' ';
	return n;
}

/* Which argument is which parameter's. */
static int
bind(struct jj_render *r, const struct jj_builtin *b, struct jj_args *a)
{
	int n = param_count(b->params), at;
	size_t i;

	memset(a->at, 0, sizeof(a->at));
	for (i = 0; i < a->n; i++) {
		at = a->name[i] == NULL ? (int)i : param_index(b->params,
		    a->name[i], a->len[i]);
		if (at >= n)
			return peft_jj_fail(r, "%s takes %d arguments", b->name,
			    n);
		if (at < 0)
			return peft_jj_fail(r, "%s has no argument '%.*s'",
			    b->name, (int)a->len[i], a->name[i]);
		if (a->at[at] != NULL)
			return peft_jj_fail(r, "an argument of %s is given "
			    "twice", b->name);
		a->at[at] = &a->v[i];
	}
	for (i = 0; i < b->need; i++)
		if (a->at[i] == NULL)
			return peft_jj_fail(r, "%s needs %zu argument%s",
			    b->name, b->need, b->need == 1 ? "" : "s");
	return 0;
}

int
peft_jj_call(struct jj_render *r, const struct jj_builtin *b,
    const struct jj_value *self, struct jj_args *a, struct jj_value *out)
{
	size_t i;

	if (strcmp(b->params, "*") != 0) {
		if (bind(r, b, a) == -1)
			return -1;
	} else
		for (i = 0; i < b->need; i++)
			if (i >= a->n || a->name[i] != NULL)
				return peft_jj_fail(r, "%s needs an argument",
				    b->name);
	if (peft_jj_spend(r, self != NULL && self->kind == JJ_STR ? self->n :
	    0) == -1 || b->f(r, self, a, out) == -1)
		return -1;
	return r->pool.failed ? peft_jj_nomem(r) : 0;
}

int
peft_jj_call_value(struct jj_render *r, const struct jj_value *f,
    struct jj_args *a, struct jj_value *out)
{
	if (f->kind == JJ_LOOP)
		return peft_jj_loop_call(r, f, a, out);
	if (f->kind == JJ_MACRO)
		return peft_jj_macro(r, f, a, out);
	if (f->kind == JJ_METHOD || f->kind == JJ_GLOBAL)
		return peft_jj_call(r, f->fn, f->self, a, out);
	return peft_jj_fail(r, "%s cannot be called", peft_jj_kind_name(f));
}
