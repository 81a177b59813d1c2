/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what was asked of the messages, and of namespaces. */

#include <stdlib.h>
#include <string.h>

#include "text/jinja-watch.h"

void
peft_jj_look(struct jj_render *r, const struct jj_value *v)
{
	if (v->watched && r->watch != NULL && r->watch->on)
		r->watch->need = SIZE_MAX;
}

void
peft_jj_look_to(struct jj_render *r, const struct jj_value *list, size_t n)
{
	struct jj_watch *w = r->watch;

	if (!list->watched || w == NULL || !w->on)
		return;
	n += (size_t)(list->items - w->items);
	if (n > w->need)
		w->need = n;
}

void
peft_jj_look_at(struct jj_render *r, const struct jj_value *list,
    const struct jj_value *key)
{
	if (!list->watched)
		return;
	if (list->kind == JJ_LIST && key->kind == JJ_INT && key->i >= 0 &&
	    key->i < INT32_MAX)
		peft_jj_look_to(r, list, (size_t)key->i + 1);
	else if (list->kind != JJ_LOOP)
		peft_jj_look(r, list);
}

bool
peft_jj_watched_rest(struct jj_render *r, const struct jj_value *list,
    const struct jj_value b[3], struct jj_value *out)
{
	size_t from;

	if (!list->watched || r->watch == NULL || !r->watch->on)
		return false;
	if (list->kind != JJ_LIST || b[0].kind != JJ_INT || b[0].i < 0 ||
	    (uint64_t)b[0].i > list->n || b[1].kind != JJ_NONE ||
	    b[2].kind != JJ_NONE) {
		peft_jj_look(r, list);
		return false;
	}
	from = (size_t)b[0].i;
	peft_jj_look_to(r, list, from);
	*out = *list;
	out->items += from;
	out->n -= from;
	return true;
}

int
peft_jj_log(struct jj_render *r, struct jj_dict *d,
    const struct jj_value *key)
{
	struct jj_watch *w = r->watch;
	const struct jj_value *v;
	struct jj_undo *grown;

	if (w == NULL)
		return 0;
	grown = peft_grow(w->log, w->nlog, &w->cap, sizeof(*grown), r->err);
	if (grown == NULL)
		return -1;
	w->log = grown;
	v = peft_jj_dict_find(d, key->s, key->n);
	w->log[w->nlog++] = (struct jj_undo){ .dict = d, .other = *d,
	    .at = v == NULL ? SIZE_MAX : (size_t)(v - d->values),
	    .value = v == NULL ? peft_jj_undefined : *v };
	return 0;
}

void
peft_jj_settle(struct jj_watch *w, size_t from, const struct peft_buf *whole)
{
	const char *rest = w->side.text.data;
	size_t i;

	for (i = 0; i < w->n; i++) {
		struct peft_prefix *p = &w->want[i];

		if (p->len == SIZE_MAX)
			continue;
		if (p->len > whole->len || p->nrest > whole->len - p->len ||
		    (p->nrest > 0 && memcmp(whole->data + p->len,
		    rest + p->rest, p->nrest) != 0))
			p->len = SIZE_MAX;
		else
			p->len += p->nrest - from;
	}
	peft_jj_text_free(&w->side);
	free(w->log);
}
