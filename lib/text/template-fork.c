/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: the rest of one run on the side, and undone. */

#include <string.h>

#include "text/jinja-tree.h"
#include "text/jinja-watch.h"

/* What has been logged from `from' on and what has come of it change places:
 * forwards, if it was undone. */
static void
swap(struct jj_watch *w, size_t from, bool forwards)
{
	struct jj_dict dict;
	struct jj_value value;
	struct jj_undo *u;
	size_t i, n = w->nlog - from;

	for (i = 0; i < n; i++) {
		u = &w->log[forwards ? from + i : w->nlog - 1 - i];
		dict = *u->dict;
		*u->dict = u->other;
		u->other = dict;
		if (u->at == SIZE_MAX)
			continue;
		value = u->dict->values[u->at];
		u->dict->values[u->at] = u->value;
		u->value = value;
	}
}

/* The variables as they would be with no more than p->n messages. */
static bool
cut_vars(struct jj_render *r, struct jj_dict *d, const struct peft_prefix *p)
{
	struct jj_value *values;
	size_t i, off;

	values = peft_jj_alloc(&r->pool, (d->n + 1) * sizeof(*values));
	if (values == NULL)
		return false;
	if (d->n > 0)
		memcpy(values, d->values, d->n * sizeof(*values));
	d->values = values;
	d->cap = d->n;		/* what is new goes elsewhere */
	for (i = 0; i < d->n; i++) {
		if (!values[i].watched)
			continue;
		if (values[i].kind == JJ_BOOL) {
			values[i].b = p->gen;
			continue;
		}
		off = (size_t)(values[i].items - r->watch->items);
		values[i].n = p->n > off ? p->n - off : 0;
	}
	return true;
}

/* The turn, if it has to be run once more, and what is behind the loop. */
static int
run(struct jj_render *r, const struct jj_node *n, struct jj_scope *root,
    const struct peft_prefix *p, bool again)
{
	struct jj_value loop = { .kind = JJ_LOOP };
	struct jj_loop turn = r->watch->loop;

	turn.seq.n = p->n - (size_t)(turn.seq.items - r->watch->items);
	loop.loop = &turn;
	if (again && peft_jj_turn(r, n, &loop) == -1)
		return -1;
	r->scope = root;
	r->flow = JF_NEXT;
	r->depth = PEFT_JJ_TOP - 1;
	for (n = n->next; n != NULL; n = n->next)
		if (peft_jj_exec(r, n) == -1)
			return -1;
	return 0;
}

/* What goes wrong here leaves the rendering unknown. */
static void
fork_off(struct jj_render *r, const struct jj_node *n, struct peft_prefix *p)
{
	struct jj_watch *w = r->watch;
	bool again = w->need > p->n;
	struct jj_render was = *r;
	struct jj_scope *root = r->scope;
	size_t mark = w->nlog, from = again ? w->out_then : r->out->text.len;
	struct jj_dict vars;

	while (root->up != NULL)
		root = root->up;
	vars = root->vars;
	if (again)
		swap(w, 0, false);
	w->on = false;
	r->out = &w->side;
	r->err = &w->side_err;
	p->rest = w->side.text.len;
	if (cut_vars(r, &root->vars, p) && run(r, n, root, p, again) == 0 &&
	    !w->side.text.failed && !w->side.mark.failed) {
		p->len = from;
		p->nrest = w->side.text.len - p->rest;
	}
	swap(w, mark, false);
	w->nlog = mark;
	if (again)
		swap(w, 0, true);
	root->vars = vars;
	was.pool = r->pool;
	*r = was;
	w->on = true;
}

void
peft_jj_turn_begins(struct jj_render *r, const struct jj_loop *loop)
{
	struct jj_watch *w = r->watch;

	w->loop = *loop;
	w->need_then = w->need;
	w->out_then = r->out->text.len;
	w->nlog = 0;
}

void
peft_jj_turn_ended(struct jj_render *r, const struct jj_node *n,
    const struct jj_loop *loop)
{
	struct jj_watch *w = r->watch;
	size_t have = (size_t)(loop->seq.items - w->items) + loop->i + 1;

	while (w->next < w->n && w->want[w->next].n < have)
		w->next++;
	for (; w->next < w->n && w->want[w->next].n == have; w->next++)
		if ((w->need <= have || w->need_then <= have) &&
		    r->pool.used < r->pool.limit / 4)
			fork_off(r, n, &w->want[w->next]);
}
