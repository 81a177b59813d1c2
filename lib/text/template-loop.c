/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: for, also recursive, and what loop tells in it. */

#include <string.h>

#include "text/jinja-tree.h"
#include "text/jinja-watch.h"

/* list: targets, a: what is walked, b: condition, c: body, d: else; value: it
 * is recursive. */
struct jj_node *
peft_jj_parse_for(struct jj_parser *p)
{
	static const char *const ends[] = { "else", "endfor", NULL };
	struct jj_node *n = peft_jj_node(p, JN_FOR);

	if (n == NULL || !peft_jj_parse_targets(p, &n->list))
		return NULL;
	if (!peft_jj_take_name(p, "in"))
		return peft_jj_wrong(p, "'in' is missing");
	if ((n->a = peft_jj_parse_tuple(p, false)) == NULL)
		return NULL;
	if (peft_jj_take_name(p, "if") &&
	    (n->b = peft_jj_parse_expr(p)) == NULL)
		return NULL;
	n->value = peft_jj_bool(peft_jj_take_name(p, "recursive"));
	p->loops++;
	if ((n->c = peft_jj_parse_until(p, ends)) == NULL)
		return NULL;
	p->loops--;
	if (peft_jj_take_name(p, "else"))
		return (n->d = peft_jj_parse_body(p, "endfor")) == NULL ? NULL : n;
	p->t++;
	return peft_jj_close_tag(p) ? n : NULL;
}

/* Items that pass "if", which may use the loop's names. */
static int
filter_items(struct jj_render *r, const struct jj_node *n,
    struct jj_value *v)
{
	struct jj_value kept = peft_jj_list(&r->pool, v->n), c;
	size_t i, k = 0;

	if (kept.n != v->n)
		return peft_jj_nomem(r);
	for (i = 0; i < v->n; i++) {
		r->scope->vars.n = 0;
		if (peft_jj_assign(r, n->list, &v->items[i]) == -1 ||
		    peft_jj_eval(r, n->b, &c) == -1)
			return -1;
		if (peft_jj_truth(&c))
			kept.items[k++] = v->items[i];
	}
	kept.n = k;
	*v = kept;
	return 0;
}

/* One turn of a loop, in a scope that is emptied for it: names that are set
 * in a turn end with it. */
int
peft_jj_turn(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *loop)
{
	r->flow = JF_NEXT;
	r->scope->vars.n = 0;
	return peft_jj_set(r, "loop", 4, loop) == -1 || peft_jj_assign(r, n->list,
	    &loop->loop->seq.items[loop->loop->i]) == -1 ? -1 :
	    peft_jj_exec(r, n->c);
}

/* *ended: a turn ran to its end, without which "else" has its turn. */
static int
run_loop(struct jj_render *r, const struct jj_node *n,
    const struct jj_value *seq, const struct jj_loop *in, bool *ended)
{
	struct jj_value loop = { .kind = JJ_LOOP, .watched = seq->watched };
	bool chat = seq->watched && r->watch != NULL && r->watch->on;

	loop.loop = peft_jj_alloc(&r->pool, sizeof(*loop.loop));
	if (loop.loop == NULL)
		return peft_jj_nomem(r);
	*loop.loop = *in;
	loop.loop->seq = *seq;
	for (; loop.loop->i < seq->n && r->flow != JF_BREAK; loop.loop->i++) {
		if (chat)
			peft_jj_turn_begins(r, loop.loop);
		if (peft_jj_turn(r, n, &loop) == -1)
			return -1;
		*ended |= r->flow == JF_NEXT;
		if (chat)
			peft_jj_turn_ended(r, n, loop.loop);
	}
	if (chat && r->flow == JF_BREAK)
		peft_jj_look_to(r, seq, loop.loop->i);
	else if (chat)
		peft_jj_look(r, seq);
	r->flow = JF_NEXT;
	return 0;
}

/* The items of *v; in: of the loop, what all turns have. */
static int
walk(struct jj_render *r, const struct jj_node *n, struct jj_value *v,
    const struct jj_loop *in)
{
	struct jj_scope *outer = r->scope;
	bool ended = false;
	int s = 0;

	if (peft_jj_items(r, v, v) == -1 || peft_jj_push(r) == -1)
		return -1;
	if (n->b != NULL)
		s = filter_items(r, n, v);
	r->scope->vars.n = 0;
	if (s == 0)
		s = run_loop(r, n, v, in, &ended);
	r->scope->vars.n = 0;
	if (s == 0 && !ended && n->d != NULL)
		s = peft_jj_exec(r, n->d);
	r->scope = outer;
	return s;
}

int
peft_jj_exec_for(struct jj_render *r, const struct jj_node *n)
{
	struct jj_loop in = { .node = n->value.b ? n : NULL,
	    .scope = r->scope };
	bool chat = r->depth == PEFT_JJ_TOP && n->b == NULL && !n->value.b;
	struct jj_value v;

	/* the loop over the chat is one at the top */
	if ((chat ? peft_jj_eval_watched(r, n->a, &v) :
	    peft_jj_eval(r, n->a, &v)) == -1)
		return -1;
	v.watched &= chat;
	return walk(r, n, &v, &in);
}

/* loop(items) in a loop that is recursive: what it writes of these. */
int
peft_jj_loop_call(struct jj_render *r, const struct jj_value *loop,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_loop in = { .node = loop->loop->node,
	    .scope = loop->loop->scope, .depth = loop->loop->depth + 1 };
	struct jj_text t = { .text = { 0 } }, *out_before = r->out;
	struct jj_scope *outer = r->scope;
	struct jj_value v;
	int s;

	if (in.node == NULL)
		return peft_jj_fail(r, "a loop that is not recursive cannot be "
		    "called");
	if (a->n != 1 || a->name[0] != NULL)
		return peft_jj_fail(r, "loop() takes what it is to walk over");
	v = a->v[0];
	v.watched = false;
	r->out = &t;
	r->scope = in.scope;
	s = walk(r, in.node, &v, &in);
	r->scope = outer;
	r->out = out_before;
	return peft_jj_taken(r, s, &t, out);
}

int
peft_jj_loop_cycle(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	*out = a->v[self->loop->i % a->n];
	return 0;
}

/* Is it another value than the last time? */
int
peft_jj_loop_changed(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_value now = peft_jj_list(&r->pool, a->n);
	bool same;

	if (now.n != a->n)
		return peft_jj_nomem(r);
	memcpy(now.items, a->v, a->n * sizeof(now));
	if (peft_jj_equal(r, &now, &self->loop->seen, &same) == -1)
		return -1;
	self->loop->seen = now;
	*out = peft_jj_bool(!same);
	return 0;
}

enum { INDEX, INDEX0, REVINDEX, REVINDEX0, IS_FIRST, IS_LAST, LENGTH, DEPTH,
    DEPTH0, PREVITEM, NEXTITEM };

static const struct {
	const char	*name;
	size_t		 len;
	unsigned char	 what;
	bool		 ahead;		/* by one item */
	bool		 all;		/* tells how many there are */
} loop_names[] = {
	{ "first", 5, IS_FIRST, false, false },
	{ "last", 4, IS_LAST, true, false },
	{ "index", 5, INDEX, false, false },
	{ "index0", 6, INDEX0, false, false },
	{ "length", 6, LENGTH, false, true },
	{ "revindex", 8, REVINDEX, false, true },
	{ "revindex0", 9, REVINDEX0, false, true },
	{ "previtem", 8, PREVITEM, false, false },
	{ "nextitem", 8, NEXTITEM, true, false },
	{ "depth", 5, DEPTH, false, false },
	{ "depth0", 6, DEPTH0, false, false },
};

static struct jj_value
loop_value(const struct jj_loop *l, int what)
{
	const struct jj_value *seq = &l->seq;
	size_t n = seq->n, i = l->i;

	switch (what) {
	case IS_FIRST:
		return peft_jj_bool(i == 0);
	case IS_LAST:
		return peft_jj_bool(i + 1 == n);
	case PREVITEM:
		return i > 0 ? seq->items[i - 1] : peft_jj_undefined;
	case NEXTITEM:
		return i + 1 < n ? seq->items[i + 1] : peft_jj_undefined;
	case LENGTH:
		return peft_jj_int((int64_t)n);
	case REVINDEX:
	case REVINDEX0:
		return peft_jj_int((int64_t)(n - i - (what == REVINDEX0)));
	case INDEX:
	case INDEX0:
		return peft_jj_int((int64_t)i + (what == INDEX));
	}
	return peft_jj_int(l->depth + (what == DEPTH));
}

void
peft_jj_loop_get(struct jj_render *r, const struct jj_loop *l,
    const char *name, size_t len, struct jj_value *out)
{
	size_t k, n = sizeof(loop_names) / sizeof(loop_names[0]);

	for (k = 0; k < n; k++)
		if (loop_names[k].len == len &&
		    memcmp(loop_names[k].name, name, len) == 0)
			break;
	*out = peft_jj_undefined;
	if (k == n)
		return;
	*out = loop_value(l, loop_names[k].what);
	if (loop_names[k].all)
		peft_jj_look(r, &l->seq);
	else if (loop_names[k].ahead)
		peft_jj_look_to(r, &l->seq, l->i + 2);
}

