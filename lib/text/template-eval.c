/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: expressions. */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/jinja.h"

enum { STEPS = 10000000, DEPTH = 200 };

int
jj_fail(struct jj_render *r, const char *fmt, ...)
{
	char what[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return peft_seterr(r->err, "template line %d: %s", r->line, what);
}

static const struct jj_value undefined = { .kind = JJ_UNDEFINED };

static void
look_up(struct jj_render *r, const char *name, size_t len,
    struct jj_value *out)
{
	const struct jj_scope *s;
	const struct jj_value *v;

	for (s = r->scope; s != NULL; s = s->up)
		if ((v = jj_dict_get(&s->vars, name, len)) != NULL) {
			*out = *v;
			return;
		}
	*out = undefined;
	if ((out->global = jj_find_global(name, len)) >= 0)
		out->kind = JJ_GLOBAL;
}

static int
eval_list(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_node *e;
	size_t i = 0, count = 0;

	for (e = n->list; e != NULL; e = e->next)
		count++;
	*out = jj_list(&r->pool, count);
	out->tuple = n->op == JN_TUPLE;
	for (e = n->list; e != NULL && i < out->n; e = e->next)
		if (jj_eval(r, e, &out->items[i++]) == -1)
			return -1;
	return 0;
}

static int
eval_dict(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_node *e;
	struct jj_value k, v;

	*out = (struct jj_value){ .kind = JJ_DICT };
	if ((out->dict = jj_alloc(&r->pool, sizeof(*out->dict))) == NULL)
		return jj_fail(r, "no memory");
	for (e = n->list; e != NULL; e = e->next->next) {
		if (jj_eval(r, e, &k) == -1 || jj_eval(r, e->next, &v) == -1)
			return -1;
		jj_dict_set(&r->pool, out->dict, k, v);
	}
	return 0;
}

/* a.name: an entry of a dict, else a method. */
static int
eval_attr(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	const struct jj_value *v = NULL;
	struct jj_value self;
	int method;

	if (jj_eval(r, n->a, &self) == -1)
		return -1;
	if (self.kind == JJ_UNDEFINED)
		return jj_fail(r, "'%.*s' of something undefined", (int)n->len,
		    n->name);
	method = jj_find_method(&self, n->name, n->len);
	if (self.kind == JJ_DICT && method < 0)
		v = jj_dict_get(self.dict, n->name, n->len);
	if (v != NULL)
		*out = *v;
	else if (method >= 0) {
		*out = (struct jj_value){ .kind = JJ_METHOD };
		out->self = jj_alloc(&r->pool, sizeof(self));
		if (out->self == NULL)
			return jj_fail(r, "no memory");
		*out->self = self;
		out->method = method;
	} else
		*out = undefined;
	return 0;
}

/* Python's index into n things: negative ones count from the end. */
static bool
index_of(int64_t i, size_t n, size_t *at)
{
	if (i < 0)
		i += (int64_t)n;
	*at = (size_t)i;
	return i >= 0 && i < (int64_t)n;
}

/* Byte offsets of characters, for strings that are not ASCII. */
static size_t
char_count(const struct jj_value *v)
{
	size_t i, n = 0;

	for (i = 0; i < v->n; i++)
		n += (v->s[i] & 0xc0) != 0x80;
	return n;
}

static size_t
char_at(const struct jj_value *v, size_t k)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if ((v->s[i] & 0xc0) != 0x80 && k-- == 0)
			break;
	return i;
}

static int
eval_index(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value a, k;
	const struct jj_value *v;
	size_t at;

	if (jj_eval(r, n->a, &a) == -1 || jj_eval(r, n->b, &k) == -1)
		return -1;
	*out = undefined;
	if (a.kind == JJ_UNDEFINED)
		return jj_fail(r, "an index into something undefined");
	if (a.kind == JJ_DICT && k.kind == JJ_STR) {
		if ((v = jj_dict_get(a.dict, k.s, k.n)) != NULL)
			*out = *v;
	} else if (a.kind == JJ_LIST && k.kind == JJ_INT) {
		if (index_of(k.i, a.n, &at))
			*out = a.items[at];
	} else if (a.kind == JJ_STR && k.kind == JJ_INT &&
	    index_of(k.i, char_count(&a), &at))
		*out = jj_sub(&a, char_at(&a, at), char_at(&a, at + 1));
	return 0;
}

static int
bound(struct jj_render *r, const struct jj_node *n, int64_t absent,
    int64_t *out)
{
	struct jj_value v;

	*out = absent;
	if (n == NULL)
		return 0;
	if (jj_eval(r, n, &v) == -1)
		return -1;
	if (v.kind == JJ_NONE)
		return 0;
	if (v.kind != JJ_INT)
		return jj_fail(r, "a slice by %s", jj_kind_name(&v));
	*out = v.i;
	return 0;
}

/* Python's slice.indices(n). */
static int64_t
clamp(int64_t i, int64_t n, bool back)
{
	if (i < 0)
		i += n;
	if (i < 0)
		return back ? -1 : 0;
	return i >= n ? (back ? n - 1 : n) : i;
}

static int
slice(struct jj_render *r, const struct jj_value *a, int64_t from, int64_t to,
    int64_t step, struct jj_value *out)
{
	struct jj_value part, sum = jj_cstr("");
	size_t n = 0;
	int64_t i;

	if (a->kind == JJ_STR && step == 1) {
		size_t b = char_at(a, (size_t)from);
		size_t e = to > from ? char_at(a, (size_t)to) : b;

		*out = jj_sub(a, b, e);
		return 0;
	}
	for (i = from; step > 0 ? i < to : i > to; i += step)
		n++;
	*out = jj_list(&r->pool, a->kind == JJ_LIST ? n : 0);
	for (n = 0, i = from; step > 0 ? i < to : i > to; i += step) {
		if (a->kind == JJ_LIST) {
			if (n < out->n)
				out->items[n++] = a->items[i];
			continue;
		}
		part = jj_sub(a, char_at(a, (size_t)i),
		    char_at(a, (size_t)i + 1));
		sum = jj_concat(&r->pool, &sum, &part);
	}
	if (a->kind == JJ_STR)
		*out = sum;
	return 0;
}

static int
eval_slice(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	int64_t from, to, step, len;
	struct jj_value a;

	if (jj_eval(r, n->a, &a) == -1 || bound(r, n->d, 1, &step) == -1)
		return -1;
	if ((a.kind != JJ_LIST && a.kind != JJ_STR) || step == 0)
		return jj_fail(r, "a slice of %s", jj_kind_name(&a));
	len = (int64_t)(a.kind == JJ_LIST ? a.n : char_count(&a));
	if (bound(r, n->b, INT64_MIN, &from) == -1 ||
	    bound(r, n->c, INT64_MIN, &to) == -1)
		return -1;
	from = from == INT64_MIN ? (step > 0 ? 0 : len - 1) :
	    clamp(from, len, step < 0);
	to = to == INT64_MIN ? (step > 0 ? len : -1) :
	    clamp(to, len, step < 0);
	return slice(r, &a, from, to, step, out);
}

static int
eval_args(struct jj_render *r, const struct jj_node *e, struct jj_args *args)
{
	memset(args, 0, sizeof(*args));
	for (; e != NULL; e = e->next) {
		if (args->n == 8)
			return jj_fail(r, "more than 8 arguments");
		if (jj_eval(r, e->op == JN_KWARG ? e->a : e,
		    &args->v[args->n]) == -1)
			return -1;
		if (e->op == JN_KWARG)
			args->name[args->n] = jj_copy(&r->pool, e->name,
			    e->len);
		args->n++;
	}
	return 0;
}

static int
eval_call(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value f;
	struct jj_args args;

	if (jj_eval(r, n->a, &f) == -1)
		return -1;
	if (f.kind == JJ_MACRO)
		return jj_call_macro(r, f.macro, n->list, out);
	if (f.kind != JJ_METHOD && f.kind != JJ_GLOBAL)
		return jj_fail(r, "%.*s is %s, it cannot be called",
		    (int)n->a->len, n->a->name == NULL ? "" : n->a->name,
		    jj_kind_name(&f));
	if (eval_args(r, n->list, &args) == -1)
		return -1;
	return f.kind == JJ_METHOD ? jj_method(r, f.method, f.self, &args,
	    out) : jj_global(r, f.global, &args, out);
}

static int
contains(struct jj_render *r, const struct jj_value *x,
    const struct jj_value *in, bool *yes)
{
	size_t i;

	*yes = false;
	if (in->kind == JJ_STR && x->kind == JJ_STR)
		*yes = memmem(in->s, in->n, x->s, x->n) != NULL;
	else if (in->kind == JJ_LIST)
		for (i = 0; i < in->n && !*yes; i++)
			*yes = jj_equal(&in->items[i], x);
	else if (in->kind == JJ_DICT)
		*yes = x->kind == JJ_STR && jj_dict_get(in->dict, x->s,
		    x->n) != NULL;
	else if (in->kind != JJ_UNDEFINED)
		return jj_fail(r, "'in' %s", jj_kind_name(in));
	return 0;
}

static bool
real(const struct jj_value *v, double *d)
{
	*d = v->kind == JJ_INT ? (double)v->i : v->kind == JJ_BOOL ? v->b :
	    v->f;
	return v->kind == JJ_INT || v->kind == JJ_BOOL || v->kind == JJ_FLOAT;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;

	return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static int
whole_numbers(struct jj_render *r, enum jj_op op, int64_t a, int64_t b,
    struct jj_value *out)
{
	int64_t v = 0;
	bool over = false;

	if ((op == JN_DIV || op == JN_FLOORDIV || op == JN_MOD) && b == 0)
		return jj_fail(r, "division by zero");
	if (op == JN_DIV) {
		*out = (struct jj_value){ .kind = JJ_FLOAT,
		    .f = (double)a / (double)b };
		return 0;
	}
	if ((op == JN_FLOORDIV || op == JN_MOD) && b == -1)
		over = __builtin_sub_overflow((int64_t)0,
		    op == JN_MOD ? 0 : a, &v);
	else if (op == JN_FLOORDIV)
		v = floor_div(a, b);
	else if (op == JN_MOD)
		v = a - floor_div(a, b) * b;
	else if (op == JN_ADD)
		over = __builtin_add_overflow(a, b, &v);
	else if (op == JN_SUB)
		over = __builtin_sub_overflow(a, b, &v);
	else if (op == JN_MUL)
		over = __builtin_mul_overflow(a, b, &v);
	else
		v = (int64_t)pow((double)a, (double)b);
	if (over)
		return jj_fail(r, "a number that is too large");
	*out = jj_int(v);
	return 0;
}

static struct jj_value
join_lists(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b)
{
	struct jj_value v = jj_list(&r->pool, a->n + b->n);

	if (v.n == a->n + b->n && v.n > 0) {
		memcpy(v.items, a->items, a->n * sizeof(v));
		memcpy(v.items + a->n, b->items, b->n * sizeof(v));
	}
	return v;
}

static int
arithmetic(struct jj_render *r, enum jj_op op, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	double x, y;

	if (op == JN_ADD && a->kind == JJ_STR && b->kind == JJ_STR) {
		*out = jj_concat(&r->pool, a, b);
		return 0;
	}
	if (op == JN_ADD && a->kind == JJ_LIST && b->kind == JJ_LIST) {
		*out = join_lists(r, a, b);
		return 0;
	}
	if (op == JN_MUL && a->kind == JJ_STR && b->kind == JJ_INT) {
		int64_t i;

		if (b->i > 100000)
			return jj_fail(r, "a string that is too long");
		*out = jj_cstr("");
		for (i = 0; i < b->i; i++)
			*out = jj_concat(&r->pool, out, a);
		return 0;
	}
	if ((a->kind == JJ_INT || a->kind == JJ_BOOL) &&
	    (b->kind == JJ_INT || b->kind == JJ_BOOL))
		return whole_numbers(r, op, a->kind == JJ_INT ? a->i : a->b,
		    b->kind == JJ_INT ? b->i : b->b, out);
	if (!real(a, &x) || !real(b, &y))
		return jj_fail(r, "arithmetic of %s and %s", jj_kind_name(a),
		    jj_kind_name(b));
	if ((op == JN_DIV || op == JN_FLOORDIV || op == JN_MOD) && y == 0)
		return jj_fail(r, "division by zero");
	*out = (struct jj_value){ .kind = JJ_FLOAT };
	out->f = op == JN_ADD ? x + y : op == JN_SUB ? x - y : op == JN_MUL ?
	    x * y : op == JN_DIV ? x / y : op == JN_FLOORDIV ? floor(x / y) :
	    op == JN_MOD ? x - floor(x / y) * y : pow(x, y);
	return 0;
}

static int
ordering(struct jj_render *r, enum jj_op op, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	bool ok;
	int c = jj_compare(a, b, &ok);

	if (!ok)
		return jj_fail(r, "%s and %s cannot be ordered",
		    jj_kind_name(a), jj_kind_name(b));
	*out = jj_bool(op == JN_LT ? c < 0 : op == JN_LE ? c <= 0 :
	    op == JN_GT ? c > 0 : c >= 0);
	return 0;
}

static int
eval_binary(struct jj_render *r, const struct jj_node *n,
    struct jj_value *out)
{
	struct jj_value a, b;
	bool yes;

	if (jj_eval(r, n->a, &a) == -1)
		return -1;
	if (n->op == JN_AND || n->op == JN_OR) {
		if (jj_truth(&a) == (n->op == JN_OR)) {
			*out = a;
			return 0;
		}
		return jj_eval(r, n->b, out);
	}
	if (jj_eval(r, n->b, &b) == -1)
		return -1;
	switch (n->op) {
	case JN_EQ:
	case JN_NE:
		*out = jj_bool(jj_equal(&a, &b) == (n->op == JN_EQ));
		return 0;
	case JN_IN:
	case JN_NOTIN:
		if (contains(r, &a, &b, &yes) == -1)
			return -1;
		*out = jj_bool(yes == (n->op == JN_IN));
		return 0;
	case JN_TILDE:
		a = jj_tostr(r, &a);
		b = jj_tostr(r, &b);
		*out = jj_concat(&r->pool, &a, &b);
		return 0;
	case JN_LT:
	case JN_LE:
	case JN_GT:
	case JN_GE:
		return ordering(r, n->op, &a, &b, out);
	default:
		return arithmetic(r, n->op, &a, &b, out);
	}
}

static int
eval_sign(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value zero = jj_int(0), a;

	if (jj_eval(r, n->a, &a) == -1)
		return -1;
	return arithmetic(r, n->op == JN_NEG ? JN_SUB : JN_ADD, &zero, &a,
	    out);
}

/* A filter or a test, with what it works on and its arguments. */
static int
eval_named(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value in;
	struct jj_args args;
	bool yes;

	if (jj_eval(r, n->a, &in) == -1 ||
	    eval_args(r, n->list, &args) == -1)
		return -1;
	if (n->op == JN_FILTER)
		return jj_filter(r, n->name, n->len, &in, &args, out);
	if (jj_test(r, n->name, n->len, &in, &args, &yes) == -1)
		return -1;
	*out = jj_bool(yes);
	return 0;
}

static int
eval_if(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value c;

	if (jj_eval(r, n->b, &c) == -1)
		return -1;
	*out = undefined;
	if (jj_truth(&c))
		return jj_eval(r, n->a, out);
	return n->c == NULL ? 0 : jj_eval(r, n->c, out);
}

static int
eval(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	struct jj_value a;

	switch (n->op) {
	case JN_CONST:
		*out = n->value;
		return 0;
	case JN_NAME:
		look_up(r, n->name, n->len, out);
		return 0;
	case JN_LIST:
	case JN_TUPLE:
		return eval_list(r, n, out);
	case JN_DICT:
		return eval_dict(r, n, out);
	case JN_ATTR:
		return eval_attr(r, n, out);
	case JN_INDEX:
		return eval_index(r, n, out);
	case JN_SLICE:
		return eval_slice(r, n, out);
	case JN_CALL:
		return eval_call(r, n, out);
	case JN_FILTER:
	case JN_TEST:
		return eval_named(r, n, out);
	case JN_NOT:
		if (jj_eval(r, n->a, &a) == -1)
			return -1;
		*out = jj_bool(!jj_truth(&a));
		return 0;
	case JN_NEG:
	case JN_POS:
		return eval_sign(r, n, out);
	case JN_IF_EXPR:
		return eval_if(r, n, out);
	default:
		return eval_binary(r, n, out);
	}
}

int
jj_eval(struct jj_render *r, const struct jj_node *n, struct jj_value *out)
{
	int s;

	r->line = n->line;
	if (++r->steps > STEPS)
		return jj_fail(r, "more than %d steps", STEPS);
	if (r->pool.failed)
		return jj_fail(r, "more memory than a template may have");
	if (++r->depth > DEPTH)
		return jj_fail(r, "nested too deep");
	s = eval(r, n, out);
	r->depth--;
	return s;
}
