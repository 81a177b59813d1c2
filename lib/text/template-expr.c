/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: expressions, from tokens to a tree (the precedences are those
 * of Jinja's parser.py). */

#include <string.h>

#include "text/jinja-tree.h"

/* Tests without parentheses take one operand: "is divisibleby 3". */
static bool
starts_operand(const struct jj_parser *p)
{
	static const char *const words[] = { "and", "or", "else", "if", "not",
	    "in", "is", NULL };
	size_t i;

	if (p->t->kind != JT_NAME)
		return p->t->kind == JT_STRING || p->t->kind == JT_INT ||
		    p->t->kind == JT_FLOAT || peft_jj_at_op(p, "[") || peft_jj_at_op(p, "{");
	for (i = 0; words[i] != NULL; i++)
		if (peft_jj_is(p->t, words[i]))
			return false;
	return true;
}

static struct jj_node *
test(struct jj_parser *p, struct jj_node *a)
{
	bool no = peft_jj_take_name(p, "not");
	struct jj_node *n = peft_jj_parse_name(p, JN_TEST), *not;

	if (n == NULL)
		return NULL;
	n->a = a;
	if (peft_jj_take_op(p, "(")) {
		if (!peft_jj_parse_args(p, &n->list))
			return NULL;
	} else if (starts_operand(p) &&
	    (n->list = peft_jj_parse_atom(p)) == NULL)
		return NULL;
	if (!no)
		return n;
	if ((not = peft_jj_node(p, JN_NOT)) != NULL)
		not->a = n;
	return not;
}

static struct jj_node *
filter(struct jj_parser *p, struct jj_node *a)
{
	struct jj_node *n = peft_jj_parse_name(p, JN_FILTER);

	if (n == NULL)
		return NULL;
	n->a = a;
	if (peft_jj_take_op(p, "(") && !peft_jj_parse_args(p, &n->list))
		return NULL;
	return n;
}

/* "trim|upper" of what is captured, which has a name that none can write. */
struct jj_node *
peft_jj_parse_chain(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_NAME);

	if (n == NULL)
		return NULL;
	n->name = JJ_CAPTURED;
	n->len = strlen(JJ_CAPTURED);
	do
		n = filter(p, n);
	while (n != NULL && peft_jj_take_op(p, "|"));
	return n;
}

static struct jj_node *
filters(struct jj_parser *p, struct jj_node *n)
{
	while (n != NULL) {
		if (peft_jj_take_op(p, "|"))
			n = filter(p, n);
		else if (peft_jj_take_name(p, "is"))
			n = test(p, n);
		else if (peft_jj_take_op(p, "("))
			n = peft_jj_parse_call(p, n);
		else
			break;
	}
	return n;
}

/* A sign binds closer than a filter, and than a power. */
static struct jj_node *
signed_one(struct jj_parser *p)
{
	struct jj_node *n;
	bool minus = peft_jj_at_op(p, "-");

	if (!minus && !peft_jj_at_op(p, "+"))
		return peft_jj_parse_atom(p);
	if (++p->depth > JJ_PARSE_DEPTH)
		return peft_jj_wrong(p, "nested too deep");
	if ((n = peft_jj_node(p, minus ? JN_NEG : JN_POS)) == NULL)
		return NULL;
	p->t++;
	n->a = signed_one(p);
	p->depth--;
	return n->a == NULL ? NULL : n;
}

static struct jj_node *
unary(struct jj_parser *p)
{
	return filters(p, signed_one(p));
}

/* Levels of binary operators, the closest first. */
static const struct level {
	struct {
		const char	*op;
		enum jj_op	 node;
	} ops[5];
} levels[] = {
	{ { { "**", JN_POW } } },
	{ { { "*", JN_MUL }, { "//", JN_FLOORDIV }, { "/", JN_DIV },
	    { "%", JN_MOD } } },
	{ { { "~", JN_TILDE } } },
	{ { { "+", JN_ADD }, { "-", JN_SUB } } },
};
enum { NLEVEL = sizeof(levels) / sizeof(levels[0]) };

static struct jj_node *
level(struct jj_parser *p, int k)
{
	struct jj_node *n = k == 0 ? unary(p) : level(p, k - 1);
	size_t i;

	while (n != NULL) {
		for (i = 0; levels[k].ops[i].op != NULL; i++)
			if (peft_jj_at_op(p, levels[k].ops[i].op))
				break;
		if (levels[k].ops[i].op == NULL)
			break;
		p->t++;
		n = peft_jj_binary_node(p, levels[k].ops[i].node, n,
		    k == 0 ? unary(p) : level(p, k - 1));
	}
	return n;
}

/* A comparison's operator, consumed; JN_CONST: none. */
static enum jj_op
comparator(struct jj_parser *p)
{
	static const struct {
		const char	*op;
		enum jj_op	 node;
	} ops[] = { { "==", JN_EQ }, { "!=", JN_NE }, { "<=", JN_LE },
	    { ">=", JN_GE }, { "<", JN_LT }, { ">", JN_GT } };
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (peft_jj_take_op(p, ops[i].op))
			return ops[i].node;
	if (peft_jj_take_name(p, "in"))
		return JN_IN;
	if (peft_jj_at_name(p, 0, "not") && peft_jj_at_name(p, 1, "in")) {
		p->t += 2;
		return JN_NOTIN;
	}
	return JN_CONST;
}

/* a < b < c is a < b and b < c. */
static struct jj_node *
comparison(struct jj_parser *p)
{
	struct jj_node *left = level(p, NLEVEL - 1), *n = NULL, *right, *c;
	enum jj_op op;

	while (left != NULL && (op = comparator(p)) != JN_CONST) {
		right = level(p, NLEVEL - 1);
		c = peft_jj_binary_node(p, op, left, right);
		n = n == NULL ? c : peft_jj_binary_node(p, JN_AND, n, c);
		if (n == NULL)
			return NULL;
		left = right;
	}
	return n == NULL ? left : n;
}

static struct jj_node *
negation(struct jj_parser *p)
{
	struct jj_node *n;

	if (!peft_jj_at_name(p, 0, "not") || peft_jj_at_name(p, 1, "in"))
		return comparison(p);
	if (++p->depth > JJ_PARSE_DEPTH)
		return peft_jj_wrong(p, "nested too deep");
	if ((n = peft_jj_node(p, JN_NOT)) == NULL)
		return NULL;
	p->t++;
	n->a = negation(p);
	p->depth--;
	return n->a == NULL ? NULL : n;
}

static struct jj_node *
conjunction(struct jj_parser *p)
{
	struct jj_node *n = negation(p);

	while (n != NULL && peft_jj_take_name(p, "and"))
		n = peft_jj_binary_node(p, JN_AND, n, negation(p));
	return n;
}

static struct jj_node *
disjunction(struct jj_parser *p)
{
	struct jj_node *n = conjunction(p);

	while (n != NULL && peft_jj_take_name(p, "or"))
		n = peft_jj_binary_node(p, JN_OR, n, conjunction(p));
	return n;
}

/* a if b else c: a, b, c; without else, c is NULL. */
struct jj_node *
peft_jj_parse_expr(struct jj_parser *p)
{
	struct jj_node *n, *a;

	if (++p->depth > JJ_PARSE_DEPTH)
		return peft_jj_wrong(p, "nested too deep");
	a = disjunction(p);
	while (a != NULL && peft_jj_take_name(p, "if")) {
		if ((n = peft_jj_node(p, JN_IF_EXPR)) == NULL)
			return NULL;
		n->a = a;
		if ((n->b = disjunction(p)) == NULL)
			return NULL;
		if (peft_jj_take_name(p, "else") &&
		    (n->c = peft_jj_parse_expr(p)) == NULL)
			return NULL;
		a = n;
	}
	p->depth--;
	return a;
}

static bool
ends_tuple(const struct jj_parser *p)
{
	return p->t->kind == JT_END_STMT || p->t->kind == JT_END_EXPR ||
	    peft_jj_at_op(p, ")");
}

struct jj_node *
peft_jj_parse_tuple(struct jj_parser *p, bool whole)
{
	struct jj_node *first, *n, **end;

	first = whole ? peft_jj_parse_expr(p) : disjunction(p);
	if (first == NULL || !peft_jj_at_op(p, ","))
		return first;
	if ((n = peft_jj_node(p, JN_LIST)) == NULL)
		return NULL;
	n->value.tuple = true;
	n->list = first;
	for (end = &first->next; peft_jj_take_op(p, ",") && !ends_tuple(p);
	    end = &(*end)->next) {
		*end = whole ? peft_jj_parse_expr(p) : disjunction(p);
		if (*end == NULL)
			return NULL;
	}
	return n;
}
