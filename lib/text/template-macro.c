/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: macro and call. */

#include <string.h>

#include "text/jinja-tree.h"

/* Names that a macro has without being given them, if its body asks. */
enum { CALLER = 1, KWARGS = 2, VARARGS = 4 };

static const struct {
	const char	*name;
	size_t		 len;
	unsigned	 bit;
} specials[] = { { "caller", 6, CALLER }, { "kwargs", 6, KWARGS },
    { "varargs", 7, VARARGS } };
enum { NSPECIAL = sizeof(specials) / sizeof(specials[0]) };

static unsigned
special(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < NSPECIAL; i++)
		if (specials[i].len == len &&
		    memcmp(specials[i].name, name, len) == 0)
			return specials[i].bit;
	return 0;
}

void
peft_jj_named(struct jj_parser *p, const struct jj_node *n, bool set)
{
	unsigned bit = special(n->name, n->len);

	if (!set)
		p->asked |= bit & ~p->own;
	else if ((p->asked & bit) == 0)
		p->own |= bit;
}

/* A macro's parameters and body; value: the special names that it asks for. */
static bool
macro_body(struct jj_parser *p, struct jj_node *n, const char *end)
{
	unsigned asked = p->asked, own = p->own, params = 0;
	int loops = p->loops;
	struct jj_node *e;

	for (e = n->list; e != NULL; e = e->next) {
		if (e->op != JN_NAME && e->op != JN_KWARG)
			return peft_jj_wrong(p, "a parameter is not a name") !=
			    NULL;
		params |= special(e->name, e->len);
	}
	p->asked = p->own = 0;
	p->loops = 0;
	n->b = peft_jj_parse_body(p, end);
	p->loops = loops;
	n->value = peft_jj_int(p->asked & ~params);
	p->own |= own;
	p->asked = asked | (p->asked & ~own);
	return n->b != NULL;
}

/* name; list: parameters, JN_NAME or, with a default in a, JN_KWARG; b: body */
struct jj_node *
peft_jj_parse_macro(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_parse_name(p, JN_MACRO);

	if (n == NULL)
		return NULL;
	if (!peft_jj_take_op(p, "("))
		return peft_jj_wrong(p, "'(' is missing");
	return peft_jj_parse_args(p, &n->list) &&
	    macro_body(p, n, "endmacro") ? n : NULL;
}

/* a: the call; b: a macro of the body, called caller. */
struct jj_node *
peft_jj_parse_caller(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_CALL_BLOCK), *m;

	if (n == NULL || (n->b = m = peft_jj_node(p, JN_MACRO)) == NULL)
		return NULL;
	m->name = "caller";
	m->len = strlen(m->name);
	if (peft_jj_take_op(p, "(") && !peft_jj_parse_args(p, &m->list))
		return NULL;
	if ((n->a = peft_jj_parse_expr(p)) == NULL)
		return NULL;
	if (n->a->op != JN_CALL)
		return peft_jj_wrong(p, "a call is missing");
	return macro_body(p, m, "endcall") ? n : NULL;
}

static struct jj_value
made(const struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v = { .kind = JJ_MACRO, .safe = r->escape };

	v.macro = n;
	v.scope = r->scope;
	return v;
}

int
peft_jj_exec_macro(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v = made(r, n);

	return peft_jj_set(r, n->name, n->len, &v);
}

int
peft_jj_exec_caller(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value caller = made(r, n->b), v;

	return peft_jj_eval_call(r, n->a, &caller, &v) == -1 ? -1 :
	    peft_jj_emit(r, &v);
}

/* The arguments of a call that no parameter has taken yet. */
struct left {
	const struct jj_args	*a;
	bool			 taken[JJ_MAXARGS];
	size_t			 nparam;
};

static const struct jj_value *
take(struct left *l, size_t pos, const char *name, size_t len)
{
	const struct jj_args *a = l->a;
	size_t i, k = 0;

	for (i = 0; i < a->n; i++)
		if (a->name[i] == NULL ? k++ == pos : !l->taken[i] &&
		    a->len[i] == len && memcmp(a->name[i], name, len) == 0) {
			l->taken[i] = true;
			return &a->v[i];
		}
	return NULL;
}

static int
set_params(struct jj_render *r, const struct jj_node *m, struct left *l)
{
	const struct jj_value *arg;
	const struct jj_node *p;
	struct jj_value v;

	for (p = m->list; p != NULL; p = p->next) {
		v = peft_jj_undefined;
		arg = take(l, l->nparam++, p->name, p->len);
		if (arg != NULL)
			v = *arg;
		else if (p->op == JN_KWARG && peft_jj_eval(r, p->a, &v) == -1)
			return -1;
		if (peft_jj_set(r, p->name, p->len, &v) == -1)
			return -1;
	}
	return 0;
}

/* What is left, as a dict of those with names or a tuple of those without. */
static int
set_rest(struct jj_render *r, struct left *l, bool named)
{
	const struct jj_args *a = l->a;
	struct jj_value all = named ? peft_jj_dict(&r->pool, JJ_DICT) :
	    peft_jj_list(&r->pool, a->n), key;
	size_t i, n = 0;

	if (r->pool.failed)
		return peft_jj_nomem(r);
	for (i = 0; i < a->n; i++) {
		if (l->taken[i] || (a->name[i] != NULL) != named)
			continue;
		l->taken[i] = true;
		if (!named) {
			all.items[n++] = a->v[i];
			continue;
		}
		key = peft_jj_str(a->name[i], a->len[i], NULL);
		if (peft_jj_dict_set(r, all.dict, &key, &a->v[i]) == -1)
			return -1;
	}
	if (named)
		return peft_jj_set(r, "kwargs", 6, &all);
	all.n = n;
	all.tuple = true;
	return peft_jj_set(r, "varargs", 7, &all);
}

static int
set_special(struct jj_render *r, const struct jj_node *m, struct left *l)
{
	const struct jj_value *arg;
	size_t i;

	if (m->value.i & CALLER) {
		/* no parameter has that place */
		arg = take(l, SIZE_MAX, "caller", 6);
		if (peft_jj_set(r, "caller", 6, arg != NULL ? arg :
		    &peft_jj_undefined) == -1)
			return -1;
	}
	if (((m->value.i & KWARGS) && set_rest(r, l, true) == -1) ||
	    ((m->value.i & VARARGS) && set_rest(r, l, false) == -1))
		return -1;
	for (i = 0; i < l->a->n; i++)
		if (!l->taken[i])
			return peft_jj_fail(r, "%.*s is given arguments that "
			    "it does not have", (int)m->len, m->name);
	return 0;
}

/* A macro sees the names of where it was made, not its caller's. */
int
peft_jj_macro(struct jj_render *r, const struct jj_value *macro,
    const struct jj_args *args, struct jj_value *out)
{
	const struct jj_node *m = macro->macro;
	struct jj_scope *outer = r->scope;
	struct left l = { .a = args };
	bool escape = r->escape;
	int s;

	r->scope = macro->scope;
	r->escape = macro->safe;
	s = peft_jj_push(r) == -1 || set_params(r, m, &l) == -1 ||
	    set_special(r, m, &l) == -1 ? -1 : peft_jj_capture(r, m->b, out);
	r->scope = outer;
	r->escape = escape;
	if (s == 0)
		out->safe = escape;
	return s;
}

/* What a macro tells of itself; undefined: there is no such name. */
int
peft_jj_macro_get(struct jj_render *r, const struct jj_node *m,
    const char *name, size_t len, struct jj_value *out)
{
	static const char *const flags[NSPECIAL] = { "caller",
	    "catch_kwargs", "catch_varargs" };
	struct jj_value key = peft_jj_str(name, len, NULL), what;
	const struct jj_node *p;
	size_t i, n = 0;
	bool is;

	*out = peft_jj_undefined;
	for (i = 0; i < NSPECIAL; i++) {
		what = peft_jj_cstr(flags[i]);
		if (peft_jj_equal(r, &key, &what, &is) == -1)
			return -1;
		if (is)
			*out = peft_jj_bool((m->value.i & specials[i].bit) !=
			    0);
	}
	if (len == 4 && memcmp(name, "name", 4) == 0)
		*out = peft_jj_str(m->name, m->len, NULL);
	if (len != 9 || memcmp(name, "arguments", 9) != 0)
		return 0;
	for (p = m->list; p != NULL; p = p->next)
		n++;
	*out = peft_jj_list(&r->pool, n);
	out->tuple = true;
	for (i = 0, p = m->list; i < out->n; i++, p = p->next)
		out->items[i] = peft_jj_str(p->name, p->len, NULL);
	return r->pool.failed ? peft_jj_nomem(r) : 0;
}
