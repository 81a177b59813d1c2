/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: cycler and joiner, which give another value each time.  What
 * they remember is in a dict, as namespaces are, whose changes are logged. */

#include <string.h>

#include "text/jinja-watch.h"

#define METHOD(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)

static int
remember(struct jj_render *r, const struct jj_value *self, int64_t pos)
{
	struct jj_value key = peft_jj_cstr("pos"), v = peft_jj_int(pos);

	return peft_jj_log(r, self->dict, &key) == -1 ? -1 :
	    peft_jj_dict_set(r, self->dict, &key, &v);
}

static const struct jj_value *
recall(const struct jj_value *self, const char *what)
{
	return peft_jj_dict_find(self->dict, what, strlen(what));
}

/* A dict of `what' and a position, 0. */
static int
begin(struct jj_render *r, const char *what, const struct jj_value *v,
    struct jj_value *out)
{
	struct jj_value key = peft_jj_cstr(what);

	*out = peft_jj_dict(&r->pool, JJ_CYCLER);
	if (out->kind == JJ_NONE)
		return peft_jj_nomem(r);
	return peft_jj_dict_set(r, out->dict, &key, v) == -1 ? -1 :
	    remember(r, out, 0);
}

METHOD(m_next)
{
	const struct jj_value *items = recall(self, "items");
	int64_t pos = recall(self, "pos")->i;

	(void)a;
	*out = items->items[pos];
	return remember(r, self, (pos + 1) % (int64_t)items->n);
}

METHOD(m_reset)
{
	(void)a;
	*out = peft_jj_none;
	return remember(r, self, 0);
}

/* Nothing the first time. */
METHOD(m_join)
{
	(void)a;
	*out = recall(self, "pos")->i == 0 ? peft_jj_cstr("") :
	    *recall(self, "sep");
	return remember(r, self, 1);
}

static const struct jj_builtin methods[] = {
	{ .name = "next", .f = m_next, .params = "", .of = JJ_CYCLER },
	{ .name = "reset", .f = m_reset, .params = "", .of = JJ_CYCLER },
	/* of a joiner, which is called itself */
	{ .name = "", .f = m_join, .params = "", .of = JJ_CYCLER },
};

const struct jj_builtin *
peft_jj_cycler_method(const char *name, size_t len)
{
	return len == 0 ? NULL : peft_jj_find(methods, sizeof(methods) /
	    sizeof(methods[0]), name, len, JJ_CYCLER);
}

int
peft_jj_cycler_get(struct jj_render *r, const struct jj_value *self,
    const char *name, size_t len, struct jj_value *out)
{
	const struct jj_value *items = recall(self, "items");

	(void)r;
	*out = peft_jj_undefined;
	if (len == 7 && memcmp(name, "current", len) == 0)
		*out = items->items[recall(self, "pos")->i];
	return 0;
}

METHOD(g_cycler)
{
	struct jj_value items = peft_jj_list(&r->pool, a->n);
	size_t i;

	(void)self;
	for (i = 0; i < items.n; i++) {
		if (a->name[i] != NULL)
			return peft_jj_fail(r, "cycler takes no names");
		items.items[i] = a->v[i];
	}
	return r->pool.failed ? peft_jj_nomem(r) :
	    begin(r, "items", &items, out);
}

METHOD(g_joiner)
{
	struct jj_value sep = peft_jj_cstr(", "), *state;

	(void)self;
	if ((state = peft_jj_alloc(&r->pool, sizeof(*state))) == NULL)
		return peft_jj_nomem(r);
	if (begin(r, "sep", a->at[0] != NULL ? a->at[0] : &sep, state) == -1)
		return -1;
	*out = (struct jj_value){ .kind = JJ_METHOD };
	out->fn = peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    "", 0, JJ_CYCLER);
	out->self = state;
	return 0;
}

static const struct jj_builtin globals[] = {
	{ .name = "cycler", .f = g_cycler, .params = "*", .need = 1 },
	{ .name = "joiner", .f = g_joiner, .params = "sep" },
};

const struct jj_builtin *
peft_jj_turns_global(const char *name, size_t len)
{
	return peft_jj_find(globals, sizeof(globals) / sizeof(globals[0]),
	    name, len, JJ_UNDEFINED);
}
