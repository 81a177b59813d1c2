/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: operators, as Python has them. */

#include <math.h>
#include <string.h>

#include "text/jinja-format.h"
#include "text/jinja-tree.h"

/* Lists and dicts within each other, compared in step; the depth is bounded
 * because a template can nest them without end. */
static int
equal_lists(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b, bool *same)
{
	size_t i;

	*same = a->n == b->n && a->tuple == b->tuple;
	for (i = 0; *same && i < a->n; i++)
		if (peft_jj_equal(r, &a->items[i], &b->items[i], same) == -1)
			return -1;
	return 0;
}

static int
equal_dicts(struct jj_render *r, const struct jj_dict *a,
    const struct jj_dict *b, bool *same)
{
	const struct jj_value *v;
	size_t i;

	*same = a->n == b->n;
	for (i = 0; *same && i < a->n; i++) {
		if (peft_jj_dict_get(r, b, &a->keys[i], &v) == -1)
			return -1;
		*same = v != NULL;
		if (v != NULL && peft_jj_equal(r, &a->values[i], v, same) ==
		    -1)
			return -1;
	}
	return 0;
}

int
peft_jj_equal(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b, bool *same)
{
	double x, y;
	int s = 0;

	if (peft_jj_spend(r, 16) == -1)
		return -1;
	if (++r->depth > 400)
		return peft_jj_fail(r, "nested too deep");
	*same = a->kind == b->kind;
	if (peft_jj_is_number(a, &x) && peft_jj_is_number(b, &y))
		*same = a->kind == JJ_INT && b->kind == JJ_INT ?
		    a->i == b->i : x == y;
	else if (*same && a->kind == JJ_STR)
		*same = a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
	else if (*same && a->kind == JJ_LIST)
		s = equal_lists(r, a, b, same);
	else if (*same && a->kind == JJ_DICT)
		s = equal_dicts(r, a->dict, b->dict, same);
	else if (*same && a->kind > JJ_DICT)
		*same = a->macro == b->macro && a->kind != JJ_METHOD;
	r->depth--;
	return s;
}

int
peft_jj_compare(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b, int *c)
{
	double x, y;
	size_t i, n = a->n < b->n ? a->n : b->n;
	bool same = true;

	if (peft_jj_is_number(a, &x) && peft_jj_is_number(b, &y)) {
		*c = x < y ? -1 : x > y;
		return 0;
	}
	if (a->kind == JJ_STR && b->kind == JJ_STR) {
		*c = n == 0 ? 0 : memcmp(a->s, b->s, n);
		if (*c == 0)
			*c = a->n < b->n ? -1 : a->n > b->n;
		return peft_jj_spend(r, n);
	}
	if (a->kind != JJ_LIST || b->kind != JJ_LIST || a->tuple != b->tuple)
		return peft_jj_fail(r, "%s and %s cannot be ordered",
		    peft_jj_kind_name(a), peft_jj_kind_name(b));
	for (i = 0; i < n && same; i++)
		if (peft_jj_equal(r, &a->items[i], &b->items[i], &same) == -1)
			return -1;
	if (!same)
		return peft_jj_compare(r, &a->items[i - 1], &b->items[i - 1],
		    c);
	*c = a->n < b->n ? -1 : a->n > b->n;
	return 0;
}

int
peft_jj_contains(struct jj_render *r, const struct jj_value *x,
    const struct jj_value *in, bool *yes)
{
	const struct jj_value *v = NULL;
	size_t i;

	*yes = false;
	switch (in->kind) {
	case JJ_STR:
		if (x->kind != JJ_STR)
			break;
		*yes = x->n == 0 || memmem(in->s, in->n, x->s, x->n) != NULL;
		return peft_jj_spend(r, in->n);
	case JJ_LIST:
		for (i = 0; i < in->n && !*yes; i++)
			if (peft_jj_equal(r, &in->items[i], x, yes) == -1)
				return -1;
		return 0;
	case JJ_DICT:
		if (peft_jj_dict_get(r, in->dict, x, &v) == -1)
			return -1;
		*yes = v != NULL;
		return 0;
	case JJ_UNDEFINED:
		return 0;
	default:
		break;
	}
	return peft_jj_fail(r, "%s in %s", peft_jj_kind_name(x),
	    peft_jj_kind_name(in));
}

/* Arithmetic of whole numbers: false where the result does not fit.  The
 * divisor is not zero. */
static bool
add_whole(int64_t a, int64_t b, int64_t *v)
{
	return !__builtin_add_overflow(a, b, v);
}

static bool
sub_whole(int64_t a, int64_t b, int64_t *v)
{
	return !__builtin_sub_overflow(a, b, v);
}

static bool
mul_whole(int64_t a, int64_t b, int64_t *v)
{
	return !__builtin_mul_overflow(a, b, v);
}

static bool
floordiv_whole(int64_t a, int64_t b, int64_t *v)
{
	if (b == -1)
		return sub_whole(0, a, v);
	*v = a / b - (a % b != 0 && (a < 0) != (b < 0));
	return true;
}

static bool
mod_whole(int64_t a, int64_t b, int64_t *v)
{
	*v = b == -1 ? 0 : a % b;
	*v += *v != 0 && (*v < 0) != (b < 0) ? b : 0;
	return true;
}

static bool
pow_whole(int64_t a, int64_t b, int64_t *v)
{
	for (*v = 1; b > 0; b--) {
		if (!mul_whole(*v, a, v))
			return false;
		if (a >= -1 && a <= 1 && b > 2)
			b -= (b - 2) / 2 * 2;	/* goes on as it is */
	}
	return true;
}

static double
add_real(double a, double b)
{
	return a + b;
}

static double
sub_real(double a, double b)
{
	return a - b;
}

static double
mul_real(double a, double b)
{
	return a * b;
}

static double
div_real(double a, double b)
{
	return a / b;
}

static double
mod_real(double a, double b)
{
	double m = fmod(a, b);

	return m != 0 && (m < 0) != (b < 0) ? m + b : m;
}

static double
floordiv_real(double a, double b)
{
	return floor((a - mod_real(a, b)) / b + 0.5);
}

static const struct {
	bool	(*whole)(int64_t, int64_t, int64_t *);	/* NULL: real */
	double	(*real)(double, double);
	bool	 divides;
} arithmetic[JN_NEXPR] = {
	[JN_ADD] = { add_whole, add_real, false },
	[JN_SUB] = { sub_whole, sub_real, false },
	[JN_MUL] = { mul_whole, mul_real, false },
	[JN_DIV] = { NULL, div_real, true },
	[JN_FLOORDIV] = { floordiv_whole, floordiv_real, true },
	[JN_MOD] = { mod_whole, mod_real, true },
	[JN_POW] = { pow_whole, pow, false },
};

static int
calculate(struct jj_render *r, int op, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	int64_t i, j, v;
	double x, y;

	if (!peft_jj_is_number(a, &x) || !peft_jj_is_number(b, &y))
		return peft_jj_fail(r, "arithmetic of %s and %s",
		    peft_jj_kind_name(a), peft_jj_kind_name(b));
	if (arithmetic[op].divides && y == 0)
		return peft_jj_fail(r, "division by zero");
	if (arithmetic[op].whole != NULL && peft_jj_is_whole(a, &i) &&
	    peft_jj_is_whole(b, &j) && (op != JN_POW || j >= 0)) {
		if (!arithmetic[op].whole(i, j, &v))
			return peft_jj_fail(r, "a number that is too large");
		*out = peft_jj_int(v);
	} else
		*out = peft_jj_real(arithmetic[op].real(x, y));
	return 0;
}

/* "ab" * 3, [0] * 3 */
static int
repeat(struct jj_render *r, const struct jj_value *v, int64_t times,
    struct jj_value *out)
{
	size_t n, i;

	times = times < 0 ? 0 : times;
	if (__builtin_mul_overflow(v->n, (size_t)times, &n) || n > JJ_MAXOUT)
		return peft_jj_fail(r, "a repetition that is too long");
	if (peft_jj_spend(r, n) == -1)
		return -1;
	if (v->kind == JJ_STR) {
		*out = peft_jj_repeat(&r->pool, v, (size_t)times);
		out->safe = v->safe;
	} else {
		*out = peft_jj_list(&r->pool, n);
		out->tuple = v->tuple;
		for (i = 0; i < out->n; i++)
			out->items[i] = v->items[i % v->n];
	}
	return r->pool.failed ? peft_jj_nomem(r) : 0;
}

static int
join_lists(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	*out = peft_jj_list(&r->pool, a->n + b->n);
	out->tuple = a->tuple;
	if (out->n != a->n + b->n)
		return peft_jj_nomem(r);
	memcpy(out->items, a->items, a->n * sizeof(*a));
	memcpy(out->items + a->n, b->items, b->n * sizeof(*b));
	return peft_jj_spend(r, out->n);
}

/* What + and * mean for strings and lists; else numbers. */
static int
sequences(struct jj_render *r, int op, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	bool x = a->kind == JJ_LIST && a->form == JJ_OWN;
	bool y = b->kind == JJ_LIST && b->form == JJ_OWN;
	bool s = a->kind == JJ_STR || x;
	bool t = b->kind == JJ_STR || y;
	int64_t times;

	if (op == JN_ADD && a->kind == JJ_STR && b->kind == JJ_STR)
		return peft_jj_add(r, a, b, out);
	if (op == JN_MOD && a->kind == JJ_STR)
		return peft_jj_percent(r, a, b, out);
	if (op == JN_ADD && x && y && a->tuple == b->tuple)
		return join_lists(r, a, b, out);
	if (op == JN_MUL && s && peft_jj_is_whole(b, &times))
		return repeat(r, a, times, out);
	if (op == JN_MUL && t && peft_jj_is_whole(a, &times))
		return repeat(r, b, times, out);
	return calculate(r, op, a, b, out);
}

int
peft_jj_binary(struct jj_render *r, int op, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	struct jj_value s, t;
	bool yes;
	int c;

	if (op == JN_TILDE) {
		if (peft_jj_tostr(r, a, &s) == -1 ||
		    peft_jj_tostr(r, b, &t) == -1)
			return -1;
		if (!r->escape)
			s.safe = t.safe = false;
		return peft_jj_add(r, &s, &t, out);
	}
	if (op == JN_EQ || op == JN_NE || op == JN_IN || op == JN_NOTIN) {
		if ((op == JN_EQ || op == JN_NE ? peft_jj_equal(r, a, b,
		    &yes) : peft_jj_contains(r, a, b, &yes)) == -1)
			return -1;
		*out = peft_jj_bool(yes == (op == JN_EQ || op == JN_IN));
		return 0;
	}
	if (op >= JN_LT && op <= JN_GE) {
		if (peft_jj_compare(r, a, b, &c) == -1)
			return -1;
		*out = peft_jj_bool(op == JN_LT ? c < 0 : op == JN_LE ?
		    c <= 0 : op == JN_GT ? c > 0 : c >= 0);
		return 0;
	}
	return sequences(r, op, a, b, out);
}
