/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: statements, from tokens to a tree. */

#include <string.h>

#include "text/jinja-tree.h"

static struct jj_node *body(struct jj_parser *, const char *const *ends);

/* A tag's end. */
bool
peft_jj_close_tag(struct jj_parser *p)
{
	if (p->t->kind != JT_END_STMT) {
		peft_jj_wrong(p, "the tag goes on");
		return false;
	}
	p->t++;
	return true;
}

/* The rest of a tag and what follows it, up to a tag of `ends', of which
 * "{%" is consumed and the word is not. */
struct jj_node *
peft_jj_parse_until(struct jj_parser *p, const char *const *ends)
{
	return peft_jj_close_tag(p) ? body(p, ends) : NULL;
}

/* The same up to one word, whole tag consumed. */
struct jj_node *
peft_jj_parse_body(struct jj_parser *p, const char *word)
{
	const char *const ends[] = { word, NULL };
	struct jj_node *n = peft_jj_parse_until(p, ends);

	if (n == NULL)
		return NULL;
	p->t++;
	return peft_jj_close_tag(p) ? n : NULL;
}

/* a: condition, b: then, c: else. */
static struct jj_node *
if_stmt(struct jj_parser *p)
{
	static const char *const ends[] = { "elif", "else", "endif", NULL };
	struct jj_node *n = peft_jj_node(p, JN_IF);

	if (n == NULL || (n->a = peft_jj_parse_tuple(p, true)) == NULL ||
	    (n->b = peft_jj_parse_until(p, ends)) == NULL)
		return NULL;
	if (peft_jj_take_name(p, "elif")) {
		if (++p->depth > JJ_PARSE_DEPTH)
			return peft_jj_wrong(p, "more elif than there may be");
		n->c = if_stmt(p);
		p->depth--;
		return n->c == NULL ? NULL : n;
	}
	if (peft_jj_take_name(p, "else"))
		return (n->c = peft_jj_parse_body(p, "endif")) == NULL ? NULL : n;
	p->t++;
	return peft_jj_close_tag(p) ? n : NULL;
}

/* A name to be set: JN_NAME, or JN_ATTR of one (ns.x). */
static struct jj_node *
target(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_parse_name(p, JN_NAME), *attr;

	if (n == NULL)
		return NULL;
	if (!peft_jj_take_op(p, ".")) {
		peft_jj_named(p, n, true);
		return n;
	}
	if ((attr = peft_jj_parse_name(p, JN_ATTR)) != NULL)
		attr->a = n;
	return attr;
}

/* Names to be set, between commas, in parentheses or not. */
bool
peft_jj_parse_targets(struct jj_parser *p, struct jj_node **first)
{
	bool paren = peft_jj_take_op(p, "(");
	struct jj_node **end = first;

	do {
		if ((*end = target(p)) == NULL)
			return false;
		end = &(*end)->next;
	} while (peft_jj_take_op(p, ",") && p->t->kind == JT_NAME);
	if (paren && !peft_jj_take_op(p, ")")) {
		peft_jj_wrong(p, "')' is missing");
		return false;
	}
	return true;
}

/* list: targets, a: value, or (JN_SET_BLOCK) b: body and a: its filters. */
static struct jj_node *
set_stmt(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_SET);

	if (n == NULL || !peft_jj_parse_targets(p, &n->list))
		return NULL;
	if (peft_jj_take_op(p, "=")) {
		if ((n->a = peft_jj_parse_tuple(p, true)) == NULL)
			return NULL;
		return peft_jj_close_tag(p) ? n : NULL;
	}
	n->op = JN_SET_BLOCK;
	if (peft_jj_take_op(p, "|") && (n->a = peft_jj_parse_chain(p)) == NULL)
		return NULL;
	return (n->b = peft_jj_parse_body(p, "endset")) == NULL ? NULL : n;
}

static struct jj_node *
generation_stmt(struct jj_parser *p)
{
	struct jj_node *n = peft_jj_node(p, JN_GENERATION);
	int loops = p->loops;

	if (n == NULL)
		return NULL;
	p->generates = true;
	p->loops = 0;
	n->b = peft_jj_parse_body(p, "endgeneration");
	p->loops = loops;
	return n->b == NULL ? NULL : n;
}

static struct jj_node *
jump(struct jj_parser *p, enum jj_op op)
{
	struct jj_node *n = peft_jj_node(p, op);

	if (n == NULL)
		return NULL;
	if (p->loops == 0)
		return peft_jj_wrong(p, "outside of a loop");
	return peft_jj_close_tag(p) ? n : NULL;
}

static struct jj_node *
break_stmt(struct jj_parser *p)
{
	return jump(p, JN_BREAK);
}

static struct jj_node *
continue_stmt(struct jj_parser *p)
{
	return jump(p, JN_CONTINUE);
}

static struct jj_node *
statement(struct jj_parser *p)
{
	static const struct {
		const char	*word;
		struct jj_node	*(*parse)(struct jj_parser *);
	} words[] = { { "if", if_stmt }, { "for", peft_jj_parse_for },
	    { "set", set_stmt }, { "macro", peft_jj_parse_macro },
	    { "generation", generation_stmt }, { "break", break_stmt },
	    { "continue", continue_stmt }, { "filter", peft_jj_parse_filter },
	    { "with", peft_jj_parse_with }, { "call", peft_jj_parse_caller },
	    { "block", peft_jj_parse_block },
	    { "autoescape", peft_jj_parse_escape } };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (peft_jj_take_name(p, words[i].word))
			return words[i].parse(p);
	return peft_jj_wrong(p, "a tag that is not known here");
}

static bool
at_end(const struct jj_parser *p, const char *const *ends)
{
	size_t i;

	for (i = 0; ends[i] != NULL; i++)
		if (peft_jj_at_name(p, 1, ends[i]))
			return true;
	return false;
}

/* A stretch of text, a {{ }}, a statement. */
static struct jj_node *
part(struct jj_parser *p)
{
	struct jj_node *n;

	switch ((p->t++)->kind) {
	case JT_TEXT:
		if ((n = peft_jj_node(p, JN_TEXT)) != NULL)
			n->value = peft_jj_str(p->t[-1].s, p->t[-1].n, NULL);
		return n;
	case JT_BEGIN_EXPR:
		if ((n = peft_jj_node(p, JN_OUTPUT)) == NULL ||
		    (n->a = peft_jj_parse_tuple(p, true)) == NULL)
			return NULL;
		if (p->t->kind != JT_END_EXPR)
			return peft_jj_wrong(p, "the expression goes on");
		p->t++;
		return n;
	default:
		return statement(p);
	}
}

/* Parts up to a tag of `ends' (none: the template's end), whose {% is
 * consumed; list: the parts. */
static struct jj_node *
body(struct jj_parser *p, const char *const *ends)
{
	struct jj_node *n = peft_jj_node(p, JN_BLOCK), **end, *e;

	if (n == NULL)
		return NULL;
	if (++p->depth > JJ_PARSE_DEPTH)
		return peft_jj_wrong(p, "nested too deep");
	for (end = &n->list; p->t->kind != JT_END; end = &e->next) {
		if (p->t->kind == JT_BEGIN_STMT && at_end(p, ends))
			break;
		if ((e = part(p)) == NULL)
			return NULL;
		*end = e;
	}
	if (p->t->kind == JT_END && ends[0] != NULL)
		return peft_jj_wrong(p, "a tag is not closed");
	p->t += p->t->kind == JT_BEGIN_STMT;
	p->depth--;
	return n;
}

struct jj_node *
peft_jj_parse(struct jj_parser *p)
{
	static const char *const none[] = { NULL };

	return body(p, none);
}
