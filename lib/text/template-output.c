/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what is written. */

#include "text/jinja-tree.h"

int
peft_jj_emit(struct jj_render *r, const struct jj_value *v)
{
	struct jj_value s;

	if (v->kind == JJ_STR)
		s = *v;
	else if (peft_jj_tostr(r, v, &s) == -1)
		return -1;
	if (s.n > JJ_MAXOUT || r->out->text.len + s.n > JJ_MAXOUT)
		return peft_jj_fail(r, "more output than a template may make");
	peft_jj_put_str(r->out, &s);
	if (r->out->text.failed || r->out->mark.failed)
		return peft_jj_nomem(r);
	return peft_jj_spend(r, s.n);
}

/* A sum of strings that is only to be written: they need not be put together
 * first.  One value of any kind, or several strings. */
struct sum {
	struct jj_value	v[16];
	size_t		n;
};

static int
put_together(struct jj_render *r, struct sum *s, const struct jj_value *last)
{
	struct jj_value left = s->v[0], both;
	size_t i;

	for (i = 1; i <= s->n; i++, left = both)
		if (peft_jj_binary(r, JN_ADD, &left, i < s->n ? &s->v[i] :
		    last, &both) == -1)
			return -1;
	s->v[0] = left;
	s->n = 1;
	return 0;
}

/* s and v, by + or ~. */
static int
append(struct jj_render *r, const struct jj_node *n, struct sum *s,
    struct jj_value *v)
{
	if (n->op == JN_TILDE) {
		if (peft_jj_tostr(r, v, v) == -1 || (s->n == 1 &&
		    peft_jj_tostr(r, &s->v[0], &s->v[0]) == -1))
			return -1;
		v->safe = s->v[0].safe = false;
	}
	if (s->v[0].kind == JJ_STR && v->kind == JJ_STR &&
	    !s->v[0].safe && !v->safe &&
	    s->n < sizeof(s->v) / sizeof(s->v[0])) {
		s->v[s->n++] = *v;
		return 0;
	}
	return put_together(r, s, v);
}

/* The operands from the left, as deep as sums go. */
static int
eval_sum(struct jj_render *r, const struct jj_node *n, struct sum *s)
{
	const struct jj_node *path[64];
	struct jj_value v;
	size_t depth = 0;

	for (; (n->op == JN_ADD || n->op == JN_TILDE) &&
	    depth < sizeof(path) / sizeof(path[0]); n = n->a)
		path[depth++] = n;
	s->n = 1;
	if (peft_jj_eval(r, n, &s->v[0]) == -1)
		return -1;
	while (depth > 0) {
		n = path[--depth];
		if (peft_jj_eval(r, n->b, &v) == -1)
			return -1;
		r->line = n->line;
		if (peft_jj_spend(r, 16) == -1 || append(r, n, s, &v) == -1)
			return -1;
	}
	return 0;
}

static int
emit_escaped(struct jj_render *r, const struct jj_node *n)
{
	struct jj_value v;

	return peft_jj_eval(r, n, &v) == -1 ||
	    peft_jj_escape(r, &v, &v) == -1 ? -1 : peft_jj_emit(r, &v);
}

int
peft_jj_output(struct jj_render *r, const struct jj_node *n)
{
	struct sum s;
	size_t i;

	if (r->escape)
		return emit_escaped(r, n->a);
	if (eval_sum(r, n->a, &s) == -1)
		return -1;
	for (i = 0; i < s.n; i++)
		if (peft_jj_emit(r, &s.v[i]) == -1)
			return -1;
	return 0;
}
