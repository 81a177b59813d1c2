/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filter, with and call, whose bodies have scopes of their own. */

#include <string.h>

#include "text/jinja-tree.h"

/* a: the filters; b: body. */
struct jj_node *
peft_jj_parse_filter(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_FILTER_BLOCK);

	if (n == NULL || (n->a = peft_jj_parse_chain(p)) == NULL)
		return NULL;
	return (n->b = peft_jj_parse_body(p, "endfilter")) == NULL ? NULL : n;
}

/* list: names (JN_KWARG) with their values in a; b: body. */
struct jj_node *
peft_jj_parse_with(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_WITH), **end;

	if (n == NULL)
		return NULL;
	for (end = &n->list; p->t->kind == JT_NAME; end = &(*end)->next) {
		if ((*end = peft_jj_parse_name(p, JN_KWARG)) == NULL)
			return NULL;
		if (!peft_jj_take_op(p, "="))
			return peft_jj_wrong(p, "'=' is missing");
		if (((*end)->a = peft_jj_parse_expr(p)) == NULL)
			return NULL;
		if (!peft_jj_take_op(p, ","))
			break;
	}
	return (n->b = peft_jj_parse_body(p, "endwith")) == NULL ? NULL : n;
}

/* a: the call; b: a macro of the body, called caller. */
struct jj_node *
peft_jj_parse_caller(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_CALL_BLOCK), *m, *e;
	int loops = p->loops;

	if (n == NULL || (n->b = m = peft_jj_node(p, JN_MACRO)) == NULL)
		return NULL;
	m->name = "caller";
	m->len = strlen(m->name);
	if (peft_jj_take_op(p, "(") && !peft_jj_parse_args(p, &m->list))
		return NULL;
	for (e = m->list; e != NULL; e = e->next)
		if (e->op != JN_NAME && e->op != JN_KWARG)
			return peft_jj_wrong(p, "a parameter is not a name");
	if ((n->a = peft_jj_parse_expr(p)) == NULL)
		return NULL;
	if (n->a->op != JN_CALL)
		return peft_jj_wrong(p, "a call is missing");
	p->loops = 0;
	m->b = peft_jj_parse_body(p, "endcall");
	p->loops = loops;
	return m->b == NULL ? NULL : n;
}

int
peft_jj_chain(struct jj_render *r, const struct jj_node *chain,
    struct jj_value *v)
{
	struct jj_scope *outer = r->scope;
	struct jj_value in = *v;
	int s = peft_jj_push(r);

	if (s == 0)
		s = peft_jj_set(r, JJ_CAPTURED, strlen(JJ_CAPTURED), &in);
	if (s == 0)
		s = peft_jj_eval(r, chain, v);
	r->scope = outer;
	return s;
}

int
peft_jj_exec_filter(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v;

	return peft_jj_capture(r, n->b, &v) == -1 ||
	    peft_jj_chain(r, n->a, &v) == -1 ? -1 : peft_jj_emit(r, &v);
}

/* Values are those of the names outside. */
int
peft_jj_exec_with(struct jj_render *r, const struct jj_node *n)
{
	struct jj_scope *outer = r->scope, *inner;
	const struct jj_node *e;
	struct jj_value v;
	int s;

	if (peft_jj_push(r) == -1)
		return -1;
	inner = r->scope;
	for (e = n->list; e != NULL; e = e->next) {
		r->scope = outer;
		if (peft_jj_eval(r, e->a, &v) == -1)
			return -1;
		r->scope = inner;
		if (peft_jj_set(r, e->name, e->len, &v) == -1)
			return -1;
	}
	s = peft_jj_exec(r, n->b);
	r->scope = outer;
	return s;
}

int
peft_jj_exec_caller(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value caller = { .kind = JJ_MACRO }, v;

	caller.macro = n->b;
	caller.scope = r->scope;
	return peft_jj_eval_call(r, n->a, &caller, &v) == -1 ? -1 :
	    peft_jj_emit(r, &v);
}
