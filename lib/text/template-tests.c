/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: tests ("is ..."), a table row each. */

#include <math.h>
#include <string.h>

#include "text/jinja-tree.h"

/* A test is a set of kinds, or asks more of a value and an argument. */
typedef int predicate(struct jj_render *, const struct jj_value *,
    const struct jj_value *arg, bool *out);

#define IS(k)	(1u << (k))
#define ALL	(IS(JJ_NKIND) - 1)
#define WALKED	(IS(JJ_STR) | IS(JJ_LIST) | IS(JJ_DICT) | IS(JJ_UNDEFINED))

static const struct test *find(const char *name, size_t len);

static int
t_true(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)r;
	(void)arg;
	*out = v->b;
	return 0;
}

static int
t_false(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)r;
	(void)arg;
	*out = !v->b;
	return 0;
}

static int
divides(struct jj_render *r, const struct jj_value *v, double by,
    double rest, bool *out)
{
	int64_t i;
	double d;

	if (!peft_jj_is_number(v, &d) || by == 0)
		return peft_jj_fail(r, "%s divided by %g",
		    peft_jj_kind_name(v), by);
	if (peft_jj_is_whole(v, &i) && by == floor(by) && fabs(by) < 0x1p53)
		d = (double)(i % (int64_t)by);	/* more than a double holds */
	else
		d = fmod(d, by);
	*out = d == rest || d == rest - by;
	return 0;
}

static int
t_odd(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)arg;
	return divides(r, v, 2, 1, out);
}

static int
t_even(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)arg;
	return divides(r, v, 2, 0, out);
}

static int
t_divisible(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	double by;

	if (!peft_jj_is_number(arg, &by))
		return peft_jj_fail(r, "divisibleby %s",
		    peft_jj_kind_name(arg));
	return divides(r, v, by, 0, out);
}

static int
by_op(struct jj_render *r, int op, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	struct jj_value yes = peft_jj_bool(false);

	if (peft_jj_binary(r, op, v, arg, &yes) == -1)
		return -1;
	*out = yes.b;
	return 0;
}

#define BY_OP(name, op)							\
static int								\
name(struct jj_render *r, const struct jj_value *v,			\
    const struct jj_value *arg, bool *out)				\
{									\
	return by_op(r, op, v, arg, out);				\
}
BY_OP(t_eq, JN_EQ)
BY_OP(t_ne, JN_NE)
BY_OP(t_lt, JN_LT)
BY_OP(t_le, JN_LE)
BY_OP(t_gt, JN_GT)
BY_OP(t_ge, JN_GE)
BY_OP(t_in, JN_IN)

/* The very same: of numbers, words and nothing, by kind and value. */
static int
t_same(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	if (v->kind == arg->kind && (v->kind == JJ_LIST || v->kind == JJ_DICT))
		*out = v->items == arg->items;
	else if (peft_jj_equal(r, v, arg, out) == -1)
		return -1;
	*out = *out && v->kind == arg->kind;
	return 0;
}

static int
case_is(struct jj_render *r, const struct jj_value *v, jj_function *change,
    jj_function *other, bool *out)
{
	struct jj_args none = { .n = 0 };
	struct jj_value a, b, c;

	if (peft_jj_tostr(r, v, &a) == -1 ||
	    change(r, &a, &none, &b) == -1 || other(r, &a, &none, &c) == -1)
		return -1;
	/* there must be a letter at all */
	*out = a.n == b.n && memcmp(a.s, b.s, a.n) == 0 &&
	    (a.n != c.n || memcmp(a.s, c.s, a.n) != 0);
	return 0;
}

static int
t_upper(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)arg;
	return case_is(r, v, peft_jj_upper, peft_jj_lower, out);
}

static int
t_lower(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)arg;
	return case_is(r, v, peft_jj_lower, peft_jj_upper, out);
}

static int
t_escaped(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)r;
	(void)arg;
	*out = v->safe;
	return 0;
}

static int
t_filter(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)r;
	(void)arg;
	*out = peft_jj_filter(v->s, v->n) != NULL;
	return 0;
}

static int
t_test(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *arg, bool *out)
{
	(void)r;
	(void)arg;
	*out = find(v->s, v->n) != NULL;
	return 0;
}

static const struct test {
	const char	*name;
	unsigned	 kinds;		/* the value must be one of these */
	predicate	*f;		/* and this must hold, if not NULL */
	bool		 takes;		/* it needs an argument */
} tests[] = {
	{ "defined", ALL & ~IS(JJ_UNDEFINED), NULL, false },
	{ "undefined", IS(JJ_UNDEFINED), NULL, false },
	{ "none", IS(JJ_NONE), NULL, false },
	{ "string", IS(JJ_STR), NULL, false },
	{ "mapping", IS(JJ_DICT), NULL, false },
	{ "iterable", WALKED, NULL, false },
	{ "sequence", WALKED, NULL, false },
	{ "number", IS(JJ_BOOL) | IS(JJ_INT) | IS(JJ_FLOAT), NULL, false },
	{ "integer", IS(JJ_INT), NULL, false },
	{ "float", IS(JJ_FLOAT), NULL, false },
	{ "boolean", IS(JJ_BOOL), NULL, false },
	{ "true", IS(JJ_BOOL), t_true, false },
	{ "false", IS(JJ_BOOL), t_false, false },
	{ "callable", IS(JJ_MACRO) | IS(JJ_METHOD) | IS(JJ_GLOBAL) |
	    IS(JJ_UNDEFINED), NULL, false },
	{ "odd", ALL, t_odd, false }, { "even", ALL, t_even, false },
	{ "divisibleby", ALL, t_divisible, true },
	{ "eq", ALL, t_eq, true }, { "equalto", ALL, t_eq, true },
	{ "==", ALL, t_eq, true }, { "ne", ALL, t_ne, true },
	{ "!=", ALL, t_ne, true }, { "lt", ALL, t_lt, true },
	{ "lessthan", ALL, t_lt, true }, { "<", ALL, t_lt, true },
	{ "le", ALL, t_le, true }, { "<=", ALL, t_le, true },
	{ "gt", ALL, t_gt, true }, { "greaterthan", ALL, t_gt, true },
	{ ">", ALL, t_gt, true }, { "ge", ALL, t_ge, true },
	{ ">=", ALL, t_ge, true }, { "in", ALL, t_in, true },
	{ "sameas", ALL, t_same, true }, { "upper", ALL, t_upper, false },
	{ "lower", ALL, t_lower, false },
	{ "escaped", IS(JJ_STR), t_escaped, false },
	{ "filter", IS(JJ_STR), t_filter, false },
	{ "test", IS(JJ_STR), t_test, false },
};

static const struct test *
find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (strlen(tests[i].name) == len &&
		    memcmp(tests[i].name, name, len) == 0)
			return &tests[i];
	return NULL;
}

int
peft_jj_test(struct jj_render *r, const char *name, size_t len,
    const struct jj_value *v, const struct jj_args *a, bool *out)
{
	const struct test *t = find(name, len);

	if (t == NULL)
		return peft_jj_fail(r, "the test '%.*s' is not known here",
		    (int)len, name);
	if (a->n != (size_t)t->takes)
		return peft_jj_fail(r, "%s takes %s", t->name, t->takes ?
		    "one argument" : "no arguments");
	*out = (t->kinds & IS(v->kind)) != 0;
	return !*out || t->f == NULL ? 0 : t->f(r, v, &a->v[0], out);
}
