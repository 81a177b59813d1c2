/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: statements. */

#include <string.h>

#include "text/jinja-tree.h"
#include "text/jinja-watch.h"

enum { DEPTH = 400 };

int
peft_jj_push(struct jj_render *r)
{
	struct jj_scope *s = peft_jj_alloc(&r->pool, sizeof(*s));

	if (s == NULL)
		return peft_jj_nomem(r);
	s->up = r->scope;
	r->scope = s;
	return 0;
}

int
peft_jj_set(struct jj_render *r, const char *name, size_t len,
    const struct jj_value *v)
{
	struct jj_value key = peft_jj_str(name, len, NULL);

	return peft_jj_dict_set(r, &r->scope->vars, &key, v);
}

/* A name, or an attribute of a namespace. */
static int
assign(struct jj_render *r, const struct jj_node *target,
    const struct jj_value *v)
{
	struct jj_value ns, key;

	if (target->op == JN_NAME)
		return peft_jj_set(r, target->name, target->len, v);
	if (peft_jj_eval(r, target->a, &ns) == -1)
		return -1;
	if (ns.kind != JJ_NAMESPACE)
		return peft_jj_fail(r, "an attribute of %s cannot be set",
		    peft_jj_kind_name(&ns));
	if (*target->name == '_')
		return peft_jj_fail(r, "a name that begins with '_' in a "
		    "namespace");
	key = peft_jj_str(target->name, target->len, NULL);
	if (peft_jj_log(r, ns.dict, &key) == -1)
		return -1;
	return peft_jj_dict_set(r, ns.dict, &key, v);
}

int
peft_jj_assign(struct jj_render *r, const struct jj_node *targets,
    const struct jj_value *v)
{
	const struct jj_node *t;
	struct jj_value list;
	size_t i = 0, n = 0;

	if (targets->next == NULL)
		return assign(r, targets, v);
	for (t = targets; t != NULL; t = t->next)
		n++;
	if (v->kind == JJ_UNDEFINED || peft_jj_items(r, v, &list) == -1 ||
	    list.n != n)
		return peft_jj_fail(r, "%s is not %zu values",
		    peft_jj_kind_name(v), n);
	for (t = targets; t != NULL; t = t->next)
		if (assign(r, t, &list.items[i++]) == -1)
			return -1;
	return 0;
}

/* What was written into t, if all went well; under autoescape, Markup. */
int
peft_jj_taken(struct jj_render *r, int s, struct jj_text *t,
    struct jj_value *out)
{
	if (s == -1) {
		peft_jj_text_free(t);
		return -1;
	}
	if (peft_jj_take(r, t, out) == -1)
		return -1;
	out->safe = r->escape;
	return 0;
}

int
peft_jj_capture(struct jj_render *r, const struct jj_node *body,
    struct jj_value *out)
{
	struct jj_text t = { .text = { 0 } }, *out_before = r->out;
	struct jj_scope *outer = r->scope;
	int s;

	r->out = &t;
	s = peft_jj_push(r) == -1 ? -1 : peft_jj_exec(r, body);
	r->scope = outer;
	r->out = out_before;
	return peft_jj_taken(r, s, &t, out);
}

static int
exec_block(struct jj_render *r, const struct jj_node *n)
{
	const struct jj_node *e;

	for (e = n->list; e != NULL && r->flow == JF_NEXT; e = e->next)
		if (peft_jj_exec(r, e) == -1)
			return -1;
	return 0;
}

static int
exec_text(struct jj_render *r, const struct jj_node *n)
{
	return peft_jj_emit(r, &n->value);
}

static int
exec_if(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value c;

	if (peft_jj_eval(r, n->a, &c) == -1)
		return -1;
	if (peft_jj_truth(&c))
		return peft_jj_exec(r, n->b);
	return n->c == NULL ? 0 : peft_jj_exec(r, n->c);
}

static int
exec_set(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v;
	bool plain = n->list->next == NULL && n->list->op == JN_NAME;

	if (n->op == JN_SET_BLOCK && n->a != NULL) {
		if (peft_jj_capture(r, n->b, &v) == -1 ||
		    peft_jj_chain(r, n->a, &v) == -1)
			return -1;
	} else if ((n->op == JN_SET_BLOCK ? peft_jj_capture(r, n->b, &v) :
	    plain ? peft_jj_eval_watched(r, n->a, &v) :
	    peft_jj_eval(r, n->a, &v)) == -1)
		return -1;
	return peft_jj_assign(r, n->list, &v);
}

/* What the assistant says: marked so, wherever it goes from here. */
static int
exec_generation(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v;
	unsigned char *mark;
	size_t i;

	if (peft_jj_capture(r, n->b, &v) == -1)
		return -1;
	if ((mark = peft_jj_alloc(&r->pool, v.n + 1)) == NULL)
		return peft_jj_nomem(r);
	for (i = 0; i < v.n; i++)
		mark[i] = v.mark[i] | JJ_GENERATED;
	v.mark = mark;
	return peft_jj_emit(r, &v);
}

static int
exec_break(struct jj_render *r, const struct jj_node *n)
{
	(void)n;
	r->flow = JF_BREAK;
	return 0;
}

static int
exec_continue(struct jj_render *r, const struct jj_node *n)
{
	(void)n;
	r->flow = JF_CONTINUE;
	return 0;
}

static int (*const execs[])(struct jj_render *, const struct jj_node *) = {
	[JN_TEXT] = exec_text, [JN_OUTPUT] = peft_jj_output, [JN_IF] = exec_if,
	[JN_FOR] = peft_jj_exec_for, [JN_SET] = exec_set,
	[JN_SET_BLOCK] = exec_set,
	[JN_MACRO] = peft_jj_exec_macro, [JN_GENERATION] = exec_generation,
	[JN_BREAK] = exec_break, [JN_CONTINUE] = exec_continue,
	[JN_BLOCK] = exec_block, [JN_FILTER_BLOCK] = peft_jj_exec_filter,
	[JN_WITH] = peft_jj_exec_with, [JN_CALL_BLOCK] = peft_jj_exec_caller,
	[JN_NAMED_BLOCK] = peft_jj_exec_block,
	[JN_AUTOESCAPE] = peft_jj_exec_escape,
};

int
peft_jj_exec(struct jj_render *r, const struct jj_node *n)
{
	int s;

	r->line = n->line;
	if (peft_jj_spend(r, 16) == -1)
		return -1;
	if (++r->depth > DEPTH)
		return peft_jj_fail(r, "nested too deep");
	s = execs[n->op](r, n);
	r->depth--;
	return s;
}
