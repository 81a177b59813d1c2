/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filter, with, block and autoescape, whose bodies have scopes of
 * their own. */

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

/* name; b: body; value: it sees the names around it ("scoped"). */
struct jj_node *
peft_jj_parse_block(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_parse_name(p, JN_NAMED_BLOCK);
	static const char *const ends[] = { "endblock", NULL };
	const struct jj_node *e;
	int loops = p->loops;

	if (n == NULL)
		return NULL;
	for (e = p->blocks; e != NULL; e = e->c)
		if (e->len == n->len && memcmp(e->name, n->name, n->len) == 0)
			return peft_jj_wrong(p, "a block's name that another "
			    "has");
	n->c = p->blocks;
	p->blocks = n;
	n->value = peft_jj_bool(peft_jj_take_name(p, "scoped"));
	if (peft_jj_at_name(p, 0, "required"))
		return peft_jj_wrong(p, "a block that another template is to "
		    "fill");
	p->loops = 0;
	n->b = peft_jj_parse_until(p, ends);
	p->loops = loops;
	if (n->b == NULL)
		return NULL;
	p->t++;
	if (p->t->kind == JT_NAME && p->t->n == n->len &&
	    memcmp(p->t->s, n->name, n->len) == 0)
		p->t++;
	return peft_jj_close_tag(p) ? n : NULL;
}

/* a: is it on?; b: body */
struct jj_node *
peft_jj_parse_escape(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_AUTOESCAPE);

	if (n == NULL || (n->a = peft_jj_parse_expr(p)) == NULL)
		return NULL;
	/* known beforehand or not makes a difference to Jinja */
	if (n->a->op != JN_CONST)
		return peft_jj_wrong(p, "autoescape by what is no constant");
	n->b = peft_jj_parse_body(p, "endautoescape");
	return n->b == NULL ? NULL : n;
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

/* Not scoped, it sees no more than the template's own names. */
int
peft_jj_exec_block(struct jj_render *r, const struct jj_node *n)
{
	struct jj_scope *outer = r->scope;
	int s;

	while (!n->value.b && r->scope->up != NULL)
		r->scope = r->scope->up;
	s = peft_jj_push(r) == -1 ? -1 : peft_jj_exec(r, n->b);
	r->scope = outer;
	return s;
}

int
peft_jj_exec_escape(struct jj_render *r, const struct jj_node *n)
{
	struct jj_scope *outer = r->scope;
	bool escape = r->escape;
	struct jj_value on;
	int s;

	if (peft_jj_eval(r, n->a, &on) == -1 || peft_jj_push(r) == -1)
		return -1;
	r->escape = peft_jj_truth(&on);
	s = peft_jj_exec(r, n->b);
	r->escape = escape;
	r->scope = outer;
	return s;
}
