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
	key = peft_jj_str(target->name, target->len, NULL);
	if (peft_jj_log(r, ns.dict, &key) == -1)
		return -1;
	return peft_jj_dict_set(r, ns.dict, &key, v);
}

static int
assign_all(struct jj_render *r, const struct jj_node *targets,
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
	if (s == 0)
		return peft_jj_take(r, &t, out);
	peft_jj_text_free(&t);
	return -1;
}

/* Items that pass "if", which may use the loop's names. */
static int
filter_items(struct jj_render *r, const struct jj_node *n,
    struct jj_value *v)
{
	struct jj_value kept = peft_jj_list(&r->pool, v->n), c;
	size_t i, k = 0;

	if (kept.n != v->n)
		return peft_jj_nomem(r);
	for (i = 0; i < v->n; i++) {
		r->scope->vars.n = 0;
		if (assign_all(r, n->list, &v->items[i]) == -1 ||
		    peft_jj_eval(r, n->b, &c) == -1)
			return -1;
		if (peft_jj_truth(&c))
			kept.items[k++] = v->items[i];
	}
	kept.n = k;
	*v = kept;
	return 0;
}

/* One turn of a loop, in a scope that is emptied for it: names that are set
 * in a turn end with it. */
int
peft_jj_turn(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *loop)
{
	r->flow = JF_NEXT;
	r->scope->vars.n = 0;
	return peft_jj_set(r, "loop", 4, loop) == -1 || assign_all(r, n->list,
	    &loop->loop->seq.items[loop->loop->i]) == -1 ? -1 :
	    peft_jj_exec(r, n->c);
}

static int
run_loop(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *seq)
{
	struct jj_value loop = { .kind = JJ_LOOP, .watched = seq->watched };
	bool chat = seq->watched && r->watch != NULL && r->watch->on;

	loop.loop = peft_jj_alloc(&r->pool, sizeof(*loop.loop));
	if (loop.loop == NULL)
		return peft_jj_nomem(r);
	loop.loop->seq = *seq;
	for (; loop.loop->i < seq->n && r->flow != JF_BREAK; loop.loop->i++) {
		if (chat)
			peft_jj_turn_begins(r, loop.loop);
		if (peft_jj_turn(r, n, &loop) == -1)
			return -1;
		if (chat)
			peft_jj_turn_ended(r, n, loop.loop);
	}
	if (chat && r->flow == JF_BREAK)
		peft_jj_look_to(r, seq, loop.loop->i);
	else if (chat)
		peft_jj_look(r, seq);
	r->flow = JF_NEXT;
	return 0;
}

static int
exec_for(struct jj_render *r, const struct jj_node *n)
{
	struct jj_scope *outer = r->scope;
	struct jj_value v;
	int s = 0;

	/* the loop over the chat is one at the top */
	if ((r->depth == PEFT_JJ_TOP && n->b == NULL ?
	    peft_jj_eval_watched(r, n->a, &v) :
	    peft_jj_eval(r, n->a, &v)) == -1 ||
	    peft_jj_items(r, &v, &v) == -1 || peft_jj_push(r) == -1)
		return -1;
	if (n->b != NULL)
		s = filter_items(r, n, &v);
	r->scope->vars.n = 0;
	if (s == 0 && v.n > 0)
		s = run_loop(r, n, &v);
	else if (s == 0 && n->d != NULL)
		s = peft_jj_exec(r, n->d);
	r->scope = outer;
	return s;
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
	return assign_all(r, n->list, &v);
}

static int
exec_macro(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v = { .kind = JJ_MACRO };

	v.macro = n;
	v.scope = r->scope;
	return peft_jj_set(r, n->name, n->len, &v);
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
	[JN_FOR] = exec_for, [JN_SET] = exec_set, [JN_SET_BLOCK] = exec_set,
	[JN_MACRO] = exec_macro, [JN_GENERATION] = exec_generation,
	[JN_BREAK] = exec_break, [JN_CONTINUE] = exec_continue,
	[JN_BLOCK] = exec_block, [JN_FILTER_BLOCK] = peft_jj_exec_filter,
	[JN_WITH] = peft_jj_exec_with, [JN_CALL_BLOCK] = peft_jj_exec_caller,
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

/* The argument that a parameter gets: by its place or its name; NULL: none. */
static const struct jj_value *
given(const struct jj_args *a, size_t pos, const struct jj_node *param,
    size_t *used)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->name[i] == NULL ? i == pos : a->len[i] == param->len &&
		    memcmp(a->name[i], param->name, param->len) == 0) {
			++*used;
			return &a->v[i];
		}
	return NULL;
}

/* A macro sees the names of where it was made, not its caller's. */
int
peft_jj_macro(struct jj_render *r, const struct jj_value *macro,
    const struct jj_args *args, struct jj_value *out)
{
	const struct jj_node *m = macro->macro, *p;
	struct jj_scope *outer = r->scope;
	const struct jj_node caller = { .name = "caller", .len = 6 };
	const struct jj_value *arg;
	struct jj_value v;
	size_t i = 0, used = 0;
	int s;

	r->scope = macro->scope;
	s = peft_jj_push(r);
	/* what call gives it; no parameter has that place */
	if (s == 0 && (arg = given(args, SIZE_MAX, &caller, &used)) != NULL)
		s = peft_jj_set(r, caller.name, caller.len, arg);
	for (p = m->list; s == 0 && p != NULL; p = p->next, i++) {
		v = peft_jj_undefined;
		if ((arg = given(args, i, p, &used)) != NULL)
			v = *arg;
		else if (p->op == JN_KWARG)
			s = peft_jj_eval(r, p->a, &v);
		if (s == 0)
			s = peft_jj_set(r, p->name, p->len, &v);
	}
	if (s == 0 && used != args->n)
		s = peft_jj_fail(r, "%.*s is given arguments that it does not "
		    "have", (int)m->len, m->name);
	if (s == 0)
		s = peft_jj_capture(r, m->b, out);
	r->scope = outer;
	return s;
}
