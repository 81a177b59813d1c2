/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: expressions. */

#include <string.h>

#include "text/jinja-tree.h"
#include "text/jinja-watch.h"

enum { DEPTH = 400 };

static int
eval_const(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	(void)r;
	*out = n->value;
	return 0;
}

static int
eval_name(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_scope *s;
	const struct jj_value *v;

	for (s = r->scope; s != NULL; s = s->up)
		if ((v = peft_jj_dict_find(&s->vars, n->name, n->len)) !=
		    NULL) {
			*out = *v;
			return 0;
		}
	*out = peft_jj_undefined;
	if ((out->fn = peft_jj_global(n->name, n->len)) != NULL)
		out->kind = JJ_GLOBAL;
	return 0;
}

static int
eval_list(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_node *e;
	size_t i = 0, count = 0;

	for (e = n->list; e != NULL; e = e->next)
		count++;
	*out = peft_jj_list(&r->pool, count);
	out->tuple = n->value.tuple;
	if (out->n != count)
		return peft_jj_nomem(r);
	for (e = n->list; e != NULL; e = e->next)
		if (peft_jj_eval(r, e, &out->items[i++]) == -1)
			return -1;
	return 0;
}

static int
eval_dict(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_node *e;
	struct jj_value k, v;

	*out = peft_jj_dict(&r->pool, JJ_DICT);
	if (out->kind == JJ_NONE)
		return peft_jj_nomem(r);
	for (e = n->list; e != NULL; e = e->next->next)
		if (peft_jj_eval(r, e, &k) == -1 ||
		    peft_jj_eval(r, e->next, &v) == -1 ||
		    peft_jj_dict_set(r, out->dict, &k, &v) == -1)
			return -1;
	return 0;
}

/* An error that names what is undefined, where it has a name. */
static int
check_defined(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *v)
{
	if (v->kind != JJ_UNDEFINED || n->name == NULL)
		return 0;
	return peft_jj_fail(r, "'%.*s' is undefined", (int)n->len, n->name);
}

static int
eval_attr(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value self;

	if (peft_jj_eval_watched(r, n->a, &self) == -1 ||
	    check_defined(r, n->a, &self) == -1)
		return -1;
	return peft_jj_attr(r, &self, n->name, n->len, out);
}

static int
eval_index(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value self, key;

	if (peft_jj_eval_watched(r, n->a, &self) == -1 ||
	    check_defined(r, n->a, &self) == -1 ||
	    peft_jj_eval(r, n->b, &key) == -1)
		return -1;
	peft_jj_look_at(r, &self, &key);
	return peft_jj_item(r, &self, &key, out);
}

static int
eval_slice(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_node *const bounds[3] = { n->b, n->c, n->d };
	struct jj_value self, b[3];
	int i;

	if (peft_jj_eval_watched(r, n->a, &self) == -1 ||
	    check_defined(r, n->a, &self) == -1)
		return -1;
	for (i = 0; i < 3; i++) {
		b[i] = peft_jj_none;
		if (bounds[i] != NULL &&
		    peft_jj_eval(r, bounds[i], &b[i]) == -1)
			return -1;
	}
	return peft_jj_watched_rest(r, &self, b, out) ? 0 :
	    peft_jj_slice(r, &self, b, out);
}

static int
eval_args(struct jj_render *r, const struct jj_node *e, struct jj_args *a)
{
	for (a->n = 0; e != NULL; e = e->next, a->n++) {
		bool named = e->op == JN_KWARG;

		if (a->n == JJ_MAXARGS)
			return peft_jj_fail(r, "more than %d arguments",
			    JJ_MAXARGS);
		if (peft_jj_eval(r, named ? e->a : e, &a->v[a->n]) == -1)
			return -1;
		a->name[a->n] = named ? e->name : NULL;
		a->len[a->n] = named ? e->len : 0;
	}
	return 0;
}

int
peft_jj_eval_call(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *caller, struct jj_value *out)
{
	struct jj_value f;
	struct jj_args args;

	if (peft_jj_eval(r, n->a, &f) == -1 ||
	    check_defined(r, n->a, &f) == -1 ||
	    eval_args(r, n->list, &args) == -1)
		return -1;
	r->line = n->line;
	if (caller != NULL) {
		if (args.n == JJ_MAXARGS)
			return peft_jj_fail(r, "more arguments than there may "
			    "be");
		args.v[args.n] = *caller;
		args.name[args.n] = "caller";
		args.len[args.n++] = strlen("caller");
	}
	return peft_jj_call_value(r, &f, &args, out);
}

static int
eval_call(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	return peft_jj_eval_call(r, n, NULL, out);
}

static int
eval_filter(struct jj_render *r, const struct jj_node *n,
    struct jj_value *out)
{
	const struct jj_builtin *f = peft_jj_filter(n->name, n->len);
	struct jj_value in;
	struct jj_args args;

	if (f == NULL)
		return peft_jj_fail(r, "the filter '%.*s' is not known here",
		    (int)n->len, n->name);
	if (peft_jj_eval(r, n->a, &in) == -1 ||
	    eval_args(r, n->list, &args) == -1)
		return -1;
	r->line = n->line;
	return peft_jj_call(r, f, &in, &args, out);
}

static int
eval_test(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value in;
	struct jj_args args;
	bool yes;
	/* "defined", "undefined": no more of it is asked */
	bool there = n->len >= 7 &&
	    memcmp(n->name + n->len - 7, "defined", 7) == 0;

	if ((there ? peft_jj_eval_watched(r, n->a, &in) :
	    peft_jj_eval(r, n->a, &in)) == -1 ||
	    eval_args(r, n->list, &args) == -1 ||
	    peft_jj_test(r, n->name, n->len, &in, &args, &yes) == -1)
		return -1;
	*out = peft_jj_bool(yes);
	return 0;
}

static int
eval_not(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value a;

	if (peft_jj_eval(r, n->a, &a) == -1)
		return -1;
	*out = peft_jj_bool(!peft_jj_truth(&a));
	return 0;
}

static int
eval_sign(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value zero = peft_jj_int(0), a;

	if (peft_jj_eval(r, n->a, &a) == -1)
		return -1;
	if (n->op == JN_NEG && a.kind == JJ_FLOAT) {
		*out = peft_jj_real(-a.f);
		return 0;
	}
	return peft_jj_binary(r, n->op == JN_NEG ? JN_SUB : JN_ADD, &zero, &a,
	    out);
}

/* and, or: the operand that decides. */
static int
eval_logic(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	if (peft_jj_eval(r, n->a, out) == -1)
		return -1;
	return peft_jj_truth(out) == (n->op == JN_OR) ? 0 :
	    peft_jj_eval(r, n->b, out);
}

static int
eval_if(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value c;

	if (peft_jj_eval(r, n->b, &c) == -1)
		return -1;
	*out = peft_jj_undefined;
	if (peft_jj_truth(&c))
		return peft_jj_eval(r, n->a, out);
	return n->c == NULL ? 0 : peft_jj_eval(r, n->c, out);
}

static int
eval_binary(struct jj_render *r, const struct jj_node *n,
    struct jj_value *out)
{
	struct jj_value a, b;

	if (peft_jj_eval(r, n->a, &a) == -1 ||
	    peft_jj_eval(r, n->b, &b) == -1)
		return -1;
	r->line = n->line;
	return peft_jj_binary(r, (int)n->op, &a, &b, out);
}

static int (*const evals[JN_NEXPR])(struct jj_render *,
    const struct jj_node *, struct jj_value *) = {
	[JN_CONST] = eval_const, [JN_NAME] = eval_name,
	[JN_LIST] = eval_list, [JN_DICT] = eval_dict, [JN_ATTR] = eval_attr,
	[JN_INDEX] = eval_index, [JN_SLICE] = eval_slice,
	[JN_CALL] = eval_call, [JN_FILTER] = eval_filter,
	[JN_TEST] = eval_test, [JN_NOT] = eval_not, [JN_NEG] = eval_sign,
	[JN_POS] = eval_sign, [JN_AND] = eval_logic, [JN_OR] = eval_logic,
	[JN_IF_EXPR] = eval_if,
};

int
peft_jj_eval_watched(struct jj_render *r, const struct jj_node *n,
    struct jj_value *out)
{
	int s;

	r->line = n->line;
	if (peft_jj_spend(r, 16) == -1)
		return -1;
	if (++r->depth > DEPTH)
		return peft_jj_fail(r, "nested too deep");
	s = (evals[n->op] != NULL ? evals[n->op] : eval_binary)(r, n, out);
	r->depth--;
	return s;
}

int
peft_jj_eval(struct jj_render *r, const struct jj_node *n,
    struct jj_value *out)
{
	if (peft_jj_eval_watched(r, n, out) == -1)
		return -1;
	if (out->watched)
		peft_jj_look(r, out);
	return 0;
}
