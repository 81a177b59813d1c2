/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: from tokens to a tree, by recursive descent (Jinja's parser.py
 * gives the precedences). */

#include <string.h>

#include "text/jinja.h"

enum { DEPTH = 100 };

struct parser {
	struct jj_pool		*pool;
	const struct jj_token	*t;
	struct peft_err		*err;
	int			 depth;
	int			 loops;		/* around break and continue */
};

static void *
fail(struct parser *p, const char *what)
{
	peft_seterr(p->err, "template line %d: %s, at '%.*s'", p->t->line,
	    what, (int)(p->t->n < 30 ? p->t->n : 30), p->t->s);
	return NULL;
}

static struct jj_node *
node(struct parser *p, enum jj_op op)
{
	struct jj_node *n = jj_alloc(p->pool, sizeof(*n));

	if (n == NULL)
		return fail(p, "no memory");
	n->op = op;
	n->line = p->t->line;
	return n;
}

static bool
is_text(const struct jj_token *t, const char *s)
{
	return strlen(s) == t->n && memcmp(t->s, s, t->n) == 0;
}

static bool
at_op(const struct parser *p, const char *s)
{
	return p->t->kind == JT_OP && is_text(p->t, s);
}

static bool
at_name(const struct parser *p, const char *s)
{
	return p->t->kind == JT_NAME && is_text(p->t, s);
}

static bool
take_op(struct parser *p, const char *s)
{
	if (!at_op(p, s))
		return false;
	p->t++;
	return true;
}

static bool
take_name(struct parser *p, const char *s)
{
	if (!at_name(p, s))
		return false;
	p->t++;
	return true;
}

static struct jj_node *expression(struct parser *);
static struct jj_node *unary(struct parser *);

static struct jj_node *
binary(struct parser *p, enum jj_op op, struct jj_node *a, struct jj_node *b)
{
	struct jj_node *n;

	if (a == NULL || b == NULL || (n = node(p, op)) == NULL)
		return NULL;
	n->a = a;
	n->b = b;
	return n;
}

static struct jj_node *
constant(struct parser *p, struct jj_value v)
{
	struct jj_node *n = node(p, JN_CONST);

	if (n != NULL)
		n->value = v;
	return n;
}

/* Expressions between commas up to a closing operator, as a list. */
static int
list_until(struct parser *p, const char *close, struct jj_node **first)
{
	struct jj_node **end = first, *e;

	while (!at_op(p, close)) {
		if ((e = expression(p)) == NULL)
			return -1;
		*end = e;
		end = &e->next;
		if (!take_op(p, ","))
			break;
	}
	if (take_op(p, close))
		return 0;
	fail(p, "a closing bracket is missing");
	return -1;
}

/* list: key, value, key, value ... */
static struct jj_node *
dict_literal(struct parser *p)
{
	struct jj_node *n = node(p, JN_DICT), **end, *k, *v;

	if (n == NULL)
		return NULL;
	for (end = &n->list; !at_op(p, "}"); ) {
		if ((k = expression(p)) == NULL)
			return NULL;
		if (!take_op(p, ":"))
			return fail(p, "':' is missing");
		if ((v = expression(p)) == NULL)
			return NULL;
		*end = k;
		k->next = v;
		end = &v->next;
		if (!take_op(p, ","))
			break;
	}
	return take_op(p, "}") ? n : fail(p, "'}' is missing");
}

/* Parentheses: a group, or a tuple if there is a comma. */
static struct jj_node *
group(struct parser *p)
{
	struct jj_node *n, *first;

	if ((n = node(p, JN_TUPLE)) == NULL)
		return NULL;
	if (take_op(p, ")"))
		return n;
	if ((first = expression(p)) == NULL)
		return NULL;
	if (take_op(p, ")"))
		return first;
	if (!take_op(p, ","))
		return fail(p, "')' is missing");
	n->list = first;
	return list_until(p, ")", &first->next) == -1 ? NULL : n;
}

/* Literals that stand next to each other are one. */
static struct jj_node *
string(struct parser *p)
{
	struct jj_value v = jj_str(p->t->s, p->t->n, NULL), w;

	for (p->t++; p->t->kind == JT_STRING; p->t++) {
		w = jj_str(p->t->s, p->t->n, NULL);
		v = jj_concat(p->pool, &v, &w);
	}
	return constant(p, v);
}

static struct jj_node *
name(struct parser *p)
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
		if (take_name(p, words[i].s))
			return constant(p, words[i].kind == JJ_NONE ?
			    (struct jj_value){ .kind = JJ_NONE } :
			    jj_bool(words[i].b));
	if ((n = node(p, JN_NAME)) == NULL)
		return NULL;
	n->name = p->t->s;
	n->len = p->t->n;
	p->t++;
	return n;
}

static struct jj_node *
primary(struct parser *p)
{
	struct jj_node *n;

	switch (p->t->kind) {
	case JT_STRING:
		return string(p);
	case JT_INT:
		return constant(p, jj_int((p->t++)->i));
	case JT_FLOAT:
		return constant(p, (struct jj_value){ .kind = JJ_FLOAT,
		    .f = (p->t++)->f });
	case JT_NAME:
		return name(p);
	default:
		break;
	}
	if (take_op(p, "("))
		return group(p);
	if (take_op(p, "{"))
		return dict_literal(p);
	if (take_op(p, "[")) {
		if ((n = node(p, JN_LIST)) == NULL)
			return NULL;
		return list_until(p, "]", &n->list) == -1 ? NULL : n;
	}
	return fail(p, "an expression is missing");
}

/* Arguments behind "(": keyword arguments are JN_KWARG with name and a. */
static int
arguments(struct parser *p, struct jj_node **first)
{
	struct jj_node **end = first, *e, *k;

	while (!at_op(p, ")")) {
		if (p->t->kind == JT_NAME && p->t[1].kind == JT_OP &&
		    is_text(&p->t[1], "=")) {
			if ((k = node(p, JN_KWARG)) == NULL)
				return -1;
			k->name = p->t->s;
			k->len = p->t->n;
			p->t += 2;
			if ((k->a = expression(p)) == NULL)
				return -1;
			e = k;
		} else if ((e = expression(p)) == NULL)
			return -1;
		*end = e;
		end = &e->next;
		if (!take_op(p, ","))
			break;
	}
	if (take_op(p, ")"))
		return 0;
	fail(p, "')' is missing");
	return -1;
}

/* Behind "[": a subscript (a[b]) or a slice (a[b:c:d]). */
static struct jj_node *
subscript(struct parser *p, struct jj_node *a)
{
	struct jj_node *n = node(p, JN_INDEX);

	if (n == NULL)
		return NULL;
	n->a = a;
	if (!at_op(p, ":") && (n->b = expression(p)) == NULL)
		return NULL;
	if (take_op(p, ":")) {
		n->op = JN_SLICE;
		if (!at_op(p, "]") && !at_op(p, ":") &&
		    (n->c = expression(p)) == NULL)
			return NULL;
		if (take_op(p, ":") && !at_op(p, "]") &&
		    (n->d = expression(p)) == NULL)
			return NULL;
	}
	return take_op(p, "]") ? n : fail(p, "']' is missing");
}

/* NAME of an attribute, a filter or a test, with arguments in list. */
static struct jj_node *
named(struct parser *p, enum jj_op op, struct jj_node *a, bool call)
{
	struct jj_node *n = node(p, op);

	if (n == NULL)
		return NULL;
	if (p->t->kind != JT_NAME && !(op == JN_ATTR && p->t->kind == JT_INT))
		return fail(p, "a name is missing");
	n->a = a;
	n->name = p->t->s;
	n->len = p->t->n;
	p->t++;
	if (call && take_op(p, "(") && arguments(p, &n->list) == -1)
		return NULL;
	return n;
}

static struct jj_node *
postfix(struct parser *p)
{
	struct jj_node *n = primary(p), *call;

	while (n != NULL) {
		if (take_op(p, "."))
			n = named(p, JN_ATTR, n, false);
		else if (take_op(p, "["))
			n = subscript(p, n);
		else if (take_op(p, "(")) {
			if ((call = node(p, JN_CALL)) == NULL)
				return NULL;
			call->a = n;
			n = arguments(p, &call->list) == -1 ? NULL : call;
		} else
			break;
	}
	return n;
}

/* Tests without parentheses take one operand: "is divisibleby 3". */
static bool
starts_operand(const struct parser *p)
{
	static const char *const words[] = { "and", "or", "else", "if", "not",
	    "in", "is", NULL };
	size_t i;

	if (p->t->kind == JT_STRING || p->t->kind == JT_INT ||
	    p->t->kind == JT_FLOAT)
		return true;
	if (p->t->kind != JT_NAME)
		return false;
	for (i = 0; words[i] != NULL; i++)
		if (is_text(p->t, words[i]))
			return false;
	return true;
}

static struct jj_node *
test(struct parser *p, struct jj_node *a)
{
	bool no = take_name(p, "not");
	struct jj_node *n = named(p, JN_TEST, a, true), *not;

	if (n != NULL && n->list == NULL && starts_operand(p) &&
	    (n->list = unary(p)) == NULL)
		return NULL;
	if (n == NULL || !no)
		return n;
	if ((not = node(p, JN_NOT)) != NULL)
		not->a = n;
	return not;
}

static struct jj_node *
filters(struct parser *p)
{
	struct jj_node *n = postfix(p);

	while (n != NULL) {
		if (take_op(p, "|"))
			n = named(p, JN_FILTER, n, true);
		else if (take_name(p, "is"))
			n = test(p, n);
		else
			break;
	}
	return n;
}

/* Filters bind closer than signs do, and powers closer than both. */
static struct jj_node *
power(struct parser *p)
{
	struct jj_node *n = filters(p);

	while (n != NULL && take_op(p, "**"))
		n = binary(p, JN_POW, n, unary(p));
	return n;
}

static struct jj_node *
unary(struct parser *p)
{
	struct jj_node *n, *a;
	bool minus = at_op(p, "-");

	if (!minus && !at_op(p, "+"))
		return power(p);
	if (++p->depth > DEPTH)
		return fail(p, "nested too deep");
	p->t++;
	a = unary(p);
	p->depth--;
	if (a == NULL || (n = node(p, minus ? JN_NEG : JN_POS)) == NULL)
		return NULL;
	n->a = a;
	return n;
}

/* Levels of binary operators, the closest first. */
struct level {
	const char	*op;
	enum jj_op	 node;
};

static const struct level products[] = { { "*", JN_MUL }, { "//",
	JN_FLOORDIV }, { "/", JN_DIV }, { "%", JN_MOD }, { NULL, JN_CONST } };
static const struct level tildes[] = { { "~", JN_TILDE },
	{ NULL, JN_CONST } };
static const struct level sums[] = { { "+", JN_ADD }, { "-", JN_SUB },
	{ NULL, JN_CONST } };
static const struct level compares[] = { { "==", JN_EQ }, { "!=", JN_NE },
	{ "<=", JN_LE }, { ">=", JN_GE }, { "<", JN_LT }, { ">", JN_GT },
	{ NULL, JN_CONST } };

static struct jj_node *
level(struct parser *p, const struct level *ops,
    struct jj_node *(*below)(struct parser *))
{
	struct jj_node *n = below(p);
	size_t i;

	while (n != NULL) {
		for (i = 0; ops[i].op != NULL; i++)
			if (at_op(p, ops[i].op))
				break;
		if (ops[i].op == NULL)
			break;
		p->t++;
		n = binary(p, ops[i].node, n, below(p));
	}
	return n;
}

static struct jj_node *
product(struct parser *p)
{
	return level(p, products, unary);
}

static struct jj_node *
tilde(struct parser *p)
{
	return level(p, tildes, product);
}

static struct jj_node *
sum(struct parser *p)
{
	return level(p, sums, tilde);
}

static struct jj_node *
comparison(struct parser *p)
{
	struct jj_node *n = level(p, compares, sum);

	while (n != NULL) {
		if (take_name(p, "in"))
			n = binary(p, JN_IN, n, sum(p));
		else if (at_name(p, "not") && p->t[1].kind == JT_NAME &&
		    is_text(&p->t[1], "in")) {
			p->t += 2;
			n = binary(p, JN_NOTIN, n, sum(p));
		} else
			break;
	}
	return n;
}

static struct jj_node *
negation(struct parser *p)
{
	struct jj_node *n, *a;

	if (!take_name(p, "not"))
		return comparison(p);
	if (++p->depth > DEPTH)
		return fail(p, "nested too deep");
	a = negation(p);
	p->depth--;
	if (a == NULL || (n = node(p, JN_NOT)) == NULL)
		return NULL;
	n->a = a;
	return n;
}

static struct jj_node *
conjunction(struct parser *p)
{
	struct jj_node *n = negation(p);

	while (n != NULL && take_name(p, "and"))
		n = binary(p, JN_AND, n, negation(p));
	return n;
}

static struct jj_node *
disjunction(struct parser *p)
{
	struct jj_node *n = conjunction(p);

	while (n != NULL && take_name(p, "or"))
		n = binary(p, JN_OR, n, conjunction(p));
	return n;
}

/* a if b else c: a, b, c; without else, c is NULL. */
static struct jj_node *
expression(struct parser *p)
{
	struct jj_node *n, *a;

	if (++p->depth > DEPTH)
		return fail(p, "nested too deep");
	a = disjunction(p);
	while (a != NULL && take_name(p, "if")) {
		if ((n = node(p, JN_IF_EXPR)) == NULL)
			return NULL;
		n->a = a;
		if ((n->b = disjunction(p)) == NULL)
			return NULL;
		if (take_name(p, "else") && (n->c = expression(p)) == NULL)
			return NULL;
		a = n;
	}
	p->depth--;
	return a;
}

/* Without parentheses, commas make a tuple: {% set a = 1, 2 %}. */
static struct jj_node *
tuple(struct parser *p)
{
	struct jj_node *first = expression(p), *n, **end;

	if (first == NULL || !at_op(p, ","))
		return first;
	if ((n = node(p, JN_TUPLE)) == NULL)
		return NULL;
	n->list = first;
	for (end = &first->next; take_op(p, ","); end = &(*end)->next)
		if (p->t->kind == JT_END_STMT || p->t->kind == JT_END_EXPR ||
		    (*end = expression(p)) == NULL)
			break;
	return n;
}

static struct jj_node *body(struct parser *, const char *const *ends);

static int
end_stmt(struct parser *p)
{
	if (p->t->kind == JT_END_STMT) {
		p->t++;
		return 0;
	}
	fail(p, "the tag goes on");
	return -1;
}

/* Behind {% of a tag that a body ended at: the word is consumed. */
static struct jj_node *
body_until(struct parser *p, const char *const *ends)
{
	struct jj_node *n;

	if (end_stmt(p) == -1 || (n = body(p, ends)) == NULL)
		return NULL;
	return n;
}

/* a: condition, b: then, c: else. */
static struct jj_node *
if_stmt(struct parser *p)
{
	static const char *const ends[] = { "elif", "else", "endif", NULL };
	static const char *const last[] = { "endif", NULL };
	struct jj_node *n = node(p, JN_IF);

	if (n == NULL || (n->a = tuple(p)) == NULL ||
	    (n->b = body_until(p, ends)) == NULL)
		return NULL;
	if (take_name(p, "elif")) {
		n->c = if_stmt(p);
		return n->c == NULL ? NULL : n;
	}
	if (take_name(p, "else") && (n->c = body_until(p, last)) == NULL)
		return NULL;
	take_name(p, "endif");
	return end_stmt(p) == -1 ? NULL : n;
}

/* Names to be set, between commas: JN_NAME, or JN_ATTR (ns.x). */
static int
targets(struct parser *p, struct jj_node **first)
{
	struct jj_node **end = first, *n;
	bool paren = take_op(p, "(");

	do {
		if (p->t->kind != JT_NAME) {
			fail(p, "a name is missing");
			return -1;
		}
		if ((n = name(p)) == NULL)
			return -1;
		while (take_op(p, "."))
			if ((n = named(p, JN_ATTR, n, false)) == NULL)
				return -1;
		*end = n;
		end = &n->next;
	} while (take_op(p, ","));
	if (paren && !take_op(p, ")")) {
		fail(p, "')' is missing");
		return -1;
	}
	return 0;
}

/* list: targets, a: what is walked, b: condition, c: body, d: else. */
static struct jj_node *
for_stmt(struct parser *p)
{
	static const char *const ends[] = { "else", "endfor", NULL };
	static const char *const last[] = { "endfor", NULL };
	struct jj_node *n = node(p, JN_FOR);

	if (n == NULL || targets(p, &n->list) == -1)
		return NULL;
	if (!take_name(p, "in"))
		return fail(p, "'in' is missing");
	if ((n->a = disjunction(p)) == NULL)
		return NULL;
	if (take_name(p, "if") && (n->b = expression(p)) == NULL)
		return NULL;
	take_name(p, "recursive");
	p->loops++;
	if ((n->c = body_until(p, ends)) == NULL)
		return NULL;
	p->loops--;
	if (take_name(p, "else") && (n->d = body_until(p, last)) == NULL)
		return NULL;
	take_name(p, "endfor");
	return end_stmt(p) == -1 ? NULL : n;
}

/* list: targets, a: value, or (JN_SET_BLOCK) b: body. */
static struct jj_node *
set_stmt(struct parser *p)
{
	static const char *const ends[] = { "endset", NULL };
	struct jj_node *n = node(p, JN_SET);

	if (n == NULL || targets(p, &n->list) == -1)
		return NULL;
	if (take_op(p, "=")) {
		if ((n->a = tuple(p)) == NULL)
			return NULL;
		return end_stmt(p) == -1 ? NULL : n;
	}
	n->op = JN_SET_BLOCK;
	if ((n->b = body_until(p, ends)) == NULL)
		return NULL;
	take_name(p, "endset");
	return end_stmt(p) == -1 ? NULL : n;
}

/* name; list: parameters, JN_KWARG with a default in a, or JN_NAME; b: body */
static struct jj_node *
macro_stmt(struct parser *p)
{
	static const char *const ends[] = { "endmacro", NULL };
	struct jj_node *n = named(p, JN_MACRO, NULL, false);

	if (n == NULL)
		return NULL;
	if (!take_op(p, "("))
		return fail(p, "'(' is missing");
	if (arguments(p, &n->list) == -1 ||
	    (n->b = body_until(p, ends)) == NULL)
		return NULL;
	take_name(p, "endmacro");
	return end_stmt(p) == -1 ? NULL : n;
}

static struct jj_node *
generation_stmt(struct parser *p)
{
	static const char *const ends[] = { "endgeneration", NULL };
	struct jj_node *n = node(p, JN_GENERATION);

	if (n == NULL || (n->b = body_until(p, ends)) == NULL)
		return NULL;
	take_name(p, "endgeneration");
	return end_stmt(p) == -1 ? NULL : n;
}

static struct jj_node *
jump_stmt(struct parser *p, enum jj_op op)
{
	struct jj_node *n = node(p, op);

	if (p->loops == 0)
		return fail(p, "break or continue outside of a loop");
	return n == NULL || end_stmt(p) == -1 ? NULL : n;
}

static struct jj_node *
statement(struct parser *p)
{
	static const struct {
		const char	*word;
		struct jj_node	*(*parse)(struct parser *);
	} words[] = { { "if", if_stmt }, { "for", for_stmt },
	    { "set", set_stmt }, { "macro", macro_stmt },
	    { "generation", generation_stmt } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (take_name(p, words[i].word))
			return words[i].parse(p);
	if (take_name(p, "break"))
		return jump_stmt(p, JN_BREAK);
	if (take_name(p, "continue"))
		return jump_stmt(p, JN_CONTINUE);
	return fail(p, "a tag that is not known here");
}

static bool
at_end(const struct parser *p, const char *const *ends)
{
	size_t i;

	for (i = 0; ends[i] != NULL; i++)
		if (p->t[1].kind == JT_NAME && is_text(&p->t[1], ends[i]))
			return true;
	return false;
}

static struct jj_node *
one(struct parser *p)
{
	struct jj_node *n;

	if (p->t->kind == JT_TEXT) {
		if ((n = node(p, JN_TEXT)) == NULL)
			return NULL;
		n->value = jj_str(p->t->s, p->t->n, NULL);
		p->t++;
		return n;
	}
	if (p->t->kind == JT_BEGIN_EXPR) {
		p->t++;
		if ((n = node(p, JN_OUTPUT)) == NULL ||
		    (n->a = tuple(p)) == NULL)
			return NULL;
		if (p->t->kind != JT_END_EXPR)
			return fail(p, "the expression goes on");
		p->t++;
		return n;
	}
	p->t++;			/* {% */
	return statement(p);
}

/* Up to a tag of `ends' (NULL: the template's end), whose {% is consumed;
 * list: the parts. */
static struct jj_node *
body(struct parser *p, const char *const *ends)
{
	struct jj_node *n = node(p, JN_BLOCK), **end, *e;

	if (n == NULL)
		return NULL;
	if (++p->depth > DEPTH)
		return fail(p, "nested too deep");
	for (end = &n->list; ; end = &e->next) {
		if (p->t->kind == JT_END) {
			if (ends[0] != NULL)
				return fail(p, "a tag is not closed");
			break;
		}
		if (p->t->kind == JT_BEGIN_STMT && at_end(p, ends)) {
			p->t++;
			break;
		}
		if ((e = one(p)) == NULL)
			return NULL;
		*end = e;
	}
	p->depth--;
	return n;
}

struct jj_node *
jj_parse(struct jj_pool *pool, const struct jj_token *t, struct peft_err *err)
{
	static const char *const none[] = { NULL };
	struct parser p = { .pool = pool, .t = t, .err = err };

	return body(&p, none);
}
