/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: tests ("is ..."), a table row each. */

#include <string.h>

#include "text/jinja.h"

typedef bool test(const struct jj_value *, const struct jj_value *arg);

static bool
t_defined(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind != JJ_UNDEFINED;
}

static bool
t_undefined(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_UNDEFINED;
}

static bool
t_none(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_NONE;
}

static bool
t_string(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_STR;
}

static bool
t_mapping(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_DICT;
}

static bool
t_iterable(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_STR || v->kind == JJ_LIST || v->kind == JJ_DICT ||
	    v->kind == JJ_UNDEFINED;
}

static bool
t_number(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_INT || v->kind == JJ_FLOAT || v->kind == JJ_BOOL;
}

static bool
t_integer(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_INT;
}

static bool
t_float(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_FLOAT;
}

static bool
t_boolean(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_BOOL;
}

static bool
t_true(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_BOOL && v->b;
}

static bool
t_false(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_BOOL && !v->b;
}

static bool
t_odd(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_INT && v->i % 2 != 0;
}

static bool
t_even(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind == JJ_INT && v->i % 2 == 0;
}

static bool
t_equalto(const struct jj_value *v, const struct jj_value *a)
{
	return a != NULL && jj_equal(v, a);
}

static bool
t_ne(const struct jj_value *v, const struct jj_value *a)
{
	return a != NULL && !jj_equal(v, a);
}

static bool
t_callable(const struct jj_value *v, const struct jj_value *a)
{
	(void)a;
	return v->kind >= JJ_MACRO;
}

static bool
t_in(const struct jj_value *v, const struct jj_value *a)
{
	size_t i;

	if (a == NULL)
		return false;
	if (a->kind == JJ_STR && v->kind == JJ_STR)
		return memmem(a->s, a->n, v->s, v->n) != NULL;
	if (a->kind == JJ_DICT && v->kind == JJ_STR)
		return jj_dict_get(a->dict, v->s, v->n) != NULL;
	for (i = 0; a->kind == JJ_LIST && i < a->n; i++)
		if (jj_equal(&a->items[i], v))
			return true;
	return false;
}

static const struct {
	const char	*name;
	test		*f;
} tests[] = {
	{ "defined", t_defined }, { "undefined", t_undefined },
	{ "none", t_none }, { "None", t_none }, { "string", t_string },
	{ "mapping", t_mapping }, { "iterable", t_iterable },
	{ "sequence", t_iterable }, { "number", t_number },
	{ "integer", t_integer }, { "float", t_float },
	{ "boolean", t_boolean }, { "true", t_true }, { "false", t_false },
	{ "odd", t_odd }, { "even", t_even }, { "equalto", t_equalto },
	{ "eq", t_equalto }, { "==", t_equalto }, { "ne", t_ne },
	{ "in", t_in }, { "callable", t_callable },
};

int
jj_test(struct jj_render *r, const char *name, size_t len,
    const struct jj_value *in, const struct jj_args *a, bool *out)
{
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (strlen(tests[i].name) == len &&
		    memcmp(tests[i].name, name, len) == 0) {
			*out = tests[i].f(in, a->n > 0 ? &a->v[0] : NULL);
			return 0;
		}
	return jj_fail(r, "the test '%.*s' is not known here", (int)len,
	    name);
}
