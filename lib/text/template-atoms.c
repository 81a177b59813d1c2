/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: literals, names and groups, from tokens to a tree. */

#include <string.h>

#include "text/jinja-tree.h"

void *
peft_jj_wrong(struct jj_parser *p, const char *what)
{
	peft_seterr(p->err, "template line %d: %s, at '%.*s'", p->t->line,
	    what, (int)(p->t->n < 30 ? p->t->n : 30), p->t->s);
	return NULL;
}

struct jj_node *
peft_jj_node(struct jj_parser *p, enum jj_op op)
{
	struct jj_node *n = peft_jj_alloc(p->pool, sizeof(*n));

	if (n == NULL)
		return peft_jj_wrong(p, "no memory");
	n->op = op;
	n->line = p->t->line;
	return n;
}

bool
peft_jj_is(const struct jj_token *t, const char *s)
{
	return strlen(s) == t->n && memcmp(t->s, s, t->n) == 0;
}

bool
peft_jj_at_op(const struct jj_parser *p, const char *s)
{
	return p->t->kind == JT_OP && peft_jj_is(p->t, s);
}

bool
peft_jj_take_op(struct jj_parser *p, const char *s)
{
	if (!peft_jj_at_op(p, s))
		return false;
	p->t++;
	return true;
}

bool
peft_jj_at_name(const struct jj_parser *p, size_t ahead, const char *word)
{
	return p->t[ahead].kind == JT_NAME && peft_jj_is(&p->t[ahead], word);
}

bool
peft_jj_take_name(struct jj_parser *p, const char *s)
{
	if (!peft_jj_at_name(p, 0, s))
		return false;
	p->t++;
	return true;
}

static bool
expect(struct jj_parser *p, const char *op, const char *what)
{
	if (peft_jj_take_op(p, op))
		return true;
	peft_jj_wrong(p, what);
	return false;
}

struct jj_node *
peft_jj_binary_node(struct jj_parser *p, enum jj_op op, struct jj_node *a,
    struct jj_node *b)
{
	struct jj_node *n;

	if (a == NULL || b == NULL || (n = peft_jj_node(p, op)) == NULL)
		return NULL;
	n->a = a;
	n->b = b;
	return n;
}

static struct jj_node *
constant(struct jj_parser *p, struct jj_value v)
{
	struct jj_node *n = peft_jj_node(p, JN_CONST);

	if (n != NULL)
		n->value = v;
	return n;
}

struct jj_node *
peft_jj_parse_name(struct jj_parser *p, enum jj_op op)
{
	struct jj_node *n;

	if (p->t->kind != JT_NAME)
		return peft_jj_wrong(p, "a name is missing");
	if ((n = peft_jj_node(p, op)) == NULL)
		return NULL;
	n->name = p->t->s;
	n->len = p->t->n;
	p->t++;
	return n;
}

/* [a, b] into list, up to the closing bracket. */
static struct jj_node *
list_literal(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_LIST), **end;

	if (n == NULL)
		return NULL;
	for (end = &n->list; !peft_jj_at_op(p, "]"); end = &(*end)->next) {
		if (n->list != NULL && !expect(p, ",", "']' is missing"))
			return NULL;
		if (peft_jj_at_op(p, "]"))
			break;
		if ((*end = peft_jj_parse_expr(p)) == NULL)
			return NULL;
	}
	p->t++;
	return n;
}

/* list: key, value, key, value ... */
static struct jj_node *
dict_literal(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_DICT), **end, *k, *v;

	if (n == NULL)
		return NULL;
	for (end = &n->list; !peft_jj_at_op(p, "}"); end = &v->next) {
		if (n->list != NULL && !expect(p, ",", "'}' is missing"))
			return NULL;
		if (peft_jj_at_op(p, "}"))
			break;
		if ((k = peft_jj_parse_expr(p)) == NULL ||
		    !expect(p, ":", "':' is missing") ||
		    (v = peft_jj_parse_expr(p)) == NULL)
			return NULL;
		*end = k;
		k->next = v;
	}
	p->t++;
	return n;
}

static struct jj_node *
group(struct jj_parser *p)
{
	struct jj_node *n;

	if (peft_jj_at_op(p, ")")) {
		if ((n = peft_jj_node(p, JN_LIST)) != NULL)
			n->value.tuple = true;
	} else
		n = peft_jj_parse_tuple(p, true);
	return n != NULL && expect(p, ")", "')' is missing") ? n : NULL;
}

/* Literals that stand next to each other are one. */
static struct jj_node *
string(struct jj_parser *p)
{
	struct jj_value v = peft_jj_str(p->t->s, p->t->n, NULL), w;

	for (p->t++; p->t->kind == JT_STRING; p->t++) {
		w = peft_jj_str(p->t->s, p->t->n, NULL);
		v = peft_jj_concat(p->pool, &v, &w);
	}
	return constant(p, v);
}

static struct jj_node *
name(struct jj_parser *p)
{
	static const struct {
		const char	*s;
		enum jj_kind	 kind;
		bool		 b;
	} words[] = { { "true", JJ_BOOL, true }, { "True", JJ_BOOL, true },
	    { "false", JJ_BOOL, false }, { "False", JJ_BOOL, false },
	    { "none", JJ_NONE, false }, { "None", JJ_NONE, false } };
	struct jj_node *n;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (peft_jj_take_name(p, words[i].s))
			return constant(p, words[i].kind == JJ_NONE ?
			    peft_jj_none : peft_jj_bool(words[i].b));
	if ((n = peft_jj_parse_name(p, JN_NAME)) != NULL)
		peft_jj_named(p, n, false);
	return n;
}

static struct jj_node *
primary(struct jj_parser *p)
{
	switch (p->t->kind) {
	case JT_STRING:
		return string(p);
	case JT_INT:
		return constant(p, peft_jj_int((p->t++)->i));
	case JT_FLOAT:
		return constant(p, peft_jj_real((p->t++)->f));
	case JT_NAME:
		return name(p);
	default:
		break;
	}
	if (peft_jj_take_op(p, "("))
		return group(p);
	if (peft_jj_take_op(p, "{"))
		return dict_literal(p);
	if (peft_jj_take_op(p, "["))
		return list_literal(p);
	return peft_jj_wrong(p, "an expression is missing");
}

/* Arguments behind "(": those with names are JN_KWARG with name and a. */
bool
peft_jj_parse_args(struct jj_parser *p, struct jj_node **first)
{
	struct jj_node **end, *e;

	for (end = first; !peft_jj_at_op(p, ")"); end = &e->next) {
		if (*first != NULL && !expect(p, ",", "')' is missing"))
			return false;
		if (peft_jj_at_op(p, ")"))
			break;
		if (p->t->kind == JT_NAME && p->t[1].kind == JT_OP &&
		    peft_jj_is(&p->t[1], "=")) {
			if ((e = peft_jj_parse_name(p, JN_KWARG)) == NULL)
				return false;
			p->t++;
			if ((e->a = peft_jj_parse_expr(p)) == NULL)
				return false;
		} else if ((e = peft_jj_parse_expr(p)) == NULL)
			return false;
		*end = e;
	}
	p->t++;
	return true;
}

/* Behind "[": a[b], or a slice a[b:c:d]. */
static struct jj_node *
subscript(struct jj_parser *p, struct jj_node *a)
{
	struct jj_node *n = peft_jj_node(p, JN_INDEX);

	if (n == NULL)
		return NULL;
	n->a = a;
	if (!peft_jj_at_op(p, ":") && (n->b = peft_jj_parse_expr(p)) == NULL)
		return NULL;
	if (peft_jj_take_op(p, ":")) {
		n->op = JN_SLICE;
		if (!peft_jj_at_op(p, "]") && !peft_jj_at_op(p, ":") &&
		    (n->c = peft_jj_parse_expr(p)) == NULL)
			return NULL;
		if (peft_jj_take_op(p, ":") && !peft_jj_at_op(p, "]") &&
		    (n->d = peft_jj_parse_expr(p)) == NULL)
			return NULL;
	}
	return expect(p, "]", "']' is missing") ? n : NULL;
}

/* Behind ".": a name, or a number, which is an index. */
static struct jj_node *
attribute(struct jj_parser *p, struct jj_node *a)
{
	struct jj_node *n;

	if (p->t->kind == JT_INT)
		return peft_jj_binary_node(p, JN_INDEX, a, primary(p));
	if ((n = peft_jj_parse_name(p, JN_ATTR)) != NULL)
		n->a = a;
	return n;
}

struct jj_node *
peft_jj_parse_call(struct jj_parser *p, struct jj_node *a)
{
	struct jj_node *n = peft_jj_node(p, JN_CALL);

	if (n == NULL || !peft_jj_parse_args(p, &n->list))
		return NULL;
	n->a = a;
	return n;
}

/* A literal, a name or a group, with what follows it: .b [c] (d). */
struct jj_node *
peft_jj_parse_atom(struct jj_parser *p)
{
	struct jj_node *n = primary(p);

	while (n != NULL) {
		if (peft_jj_take_op(p, "."))
			n = attribute(p, n);
		else if (peft_jj_take_op(p, "["))
			n = subscript(p, n);
		else if (peft_jj_take_op(p, "("))
			n = peft_jj_parse_call(p, n);
		else
			break;
	}
	return n;
}
