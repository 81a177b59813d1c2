/* SPDX-License-Identifier: Apache-2.0 */
/* A model and the adapters over it. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/opt.h"
#include "eval/session.h"

static int
add_adapter(struct peft_session *s, const char *spec, struct peft_err *err)
{
	struct peft_part part = { .weight = 1 };
	const char *path;
	char *name;
	int i;

	if (peft_split_name(spec, &name, &path, err) == -1)
		return -1;
	part.path = (char *)(uintptr_t)path;
	i = peft_session_add(s, name, &part, 1, NULL, err);
	free(name);
	return i == -1 ? -1 : 0;
}

/* The head that an adapter brings, if it does. */
static int
join_head(struct peft_session *s, const char *spec, struct peft_headopt *all,
    struct peft_err *err)
{
	struct peft_labels labels = { 0 };
	struct peft_source *src = NULL;
	struct peft_headopt head;
	const char *path;
	char *name;
	int r;

	if (peft_split_name(spec, &name, &path, err) == -1)
		return -1;
	r = (src = peft_source_open(path, err)) == NULL ||
	    peft_head_of_adapter(src, &head, &labels, err) == -1 ||
	    peft_session_welcomes(s, head.task, name, err) == -1 ||
	    peft_head_join(all, &head, name, err) == -1 ? -1 : 0;
	peft_labels_free(&labels);
	peft_source_close(src);
	free(name);
	return r;
}

/* The model with the head that the adapters bring. */
static int
open_net(struct peft_session *s, const struct peft_sessionopt *o,
    struct peft_err *err)
{
	struct peft_headopt head = { .task = PEFT_TASK_AUTO };
	const struct peft_config *c;
	size_t i;

	for (i = 0; i < o->nadapters; i++)
		if (join_head(s, o->adapters[i], &head, err) == -1)
			return -1;
	if ((s->source = peft_source_open(o->model, err)) == NULL ||
	    (s->net = peft_net_open_head(s->source, s->cpu, &head,
	    err)) == NULL)
		return -1;
	c = peft_net_config(s->net);
	if (peft_task_classes(c->task) && !o->classes)
		return peft_setfail(err, PEFT_CHECK, "%s is for %s, it writes "
		    "no text: peft-eval measures it, and with --predict asks "
		    "it", o->model, peft_task_types[c->task]);
	return peft_head_of_model(s->source, c, &s->labels, err);
}

static int
add_combined(struct peft_session *s, const char *arg, struct peft_err *err)
{
	const char *eq = strchr(arg, '=');
	char *name;
	int i;

	if (eq == NULL || eq == arg || eq[1] == '\0')
		return peft_setfail(err, PEFT_USAGE, "--combine: '%s' is not "
		    "NAME=A[:WEIGHT],B[:WEIGHT]", arg);
	if ((name = strndup(arg, (size_t)(eq - arg))) == NULL)
		return peft_seterr(err, "no memory for a name");
	i = peft_session_combine(s, name, eq + 1, err);
	free(name);
	return i == -1 ? -1 : 0;
}

struct told {
	struct peft_err	*err;
	bool		 failed;
};

/* At the start nothing was there before that could stay. */
static void
on_trouble(void *ctx, const char *name, const char *what)
{
	struct told *t = ctx;

	if (!t->failed)
		peft_seterr(t->err, "adapter %s: %s", name, what);
	t->failed = true;
}

static int
add_all(struct peft_session *s, const struct peft_sessionopt *o,
    struct peft_err *err)
{
	struct told t = { err, false };
	size_t i;

	for (i = 0; i < o->nadapters; i++)
		if (add_adapter(s, o->adapters[i], err) == -1)
			return -1;
	s->folder = o->folder;
	if (o->folder != NULL)
		(void)peft_session_reload(s, on_trouble, &t);
	if (t.failed)
		return -1;
	for (i = 0; i < o->ncombined; i++)
		if (add_combined(s, o->combined[i], err) == -1)
			return -1;
	return 0;
}

int
peft_session_open(struct peft_session *s, const struct peft_sessionopt *o,
    struct peft_err *err)
{
	memset(s, 0, sizeof(*s));
	s->threads = o->threads;
	s->any_base = o->any_base;
	s->classes = o->classes;
	if ((s->cpu = peft_cpu_open(o->threads, err)) == NULL)
		goto fail;
	peft_cpu_compute(s->cpu, o->compute);
	if (open_net(s, o, err) == -1)
		goto fail;
	if (peft_source_side(s->source, "tokenizer.json") != NULL &&
	    peft_codec_open(&s->codec, s->source, o->threads, err) == -1)
		goto fail;
	if (add_all(s, o, err) == -1)
		goto fail;
	return 0;
fail:
	peft_session_close(s);
	return -1;
}

void
peft_session_tell(const struct peft_session *s)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++) {
		const struct peft_named *a = &s->adapters[i];
		const char *layout = a->name == NULL || a->spec != NULL ?
		    NULL : peft_adapter_layout(a->parts[0].adapter);

		if (layout != NULL)
			peft_warn("adapter %s is read in the layout of %s",
			    a->name, layout);
	}
}

void
peft_session_close(struct peft_session *s)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++)
		peft_session_drop(s, i);
	free(s->adapters);
	peft_labels_free(&s->labels);
	peft_codec_close(&s->codec);
	peft_net_close(s->net);
	peft_source_close(s->source);
	peft_cpu_close(s->cpu);
	memset(s, 0, sizeof(*s));
}

const struct peft_labels *
peft_session_labels(const struct peft_session *s, int adapter)
{
	return adapter < 0 ? &s->labels : &s->adapters[adapter].parts->labels;
}

int
peft_session_find(const struct peft_session *s, const char *name,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++)
		if (s->adapters[i].name != NULL &&
		    strcmp(s->adapters[i].name, name) == 0)
			return (int)i;
	return peft_seterr(err, "no adapter is called %s", name);
}
