/* SPDX-License-Identifier: Apache-2.0 */
/* A model and the adapters over it. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/session.h"

/* "[NAME=]PATH": the name ends at the first = that no slash precedes. */
static int
split_name(const char *spec, char **name, const char **path,
    struct peft_err *err)
{
	size_t n = strcspn(spec, "=/"), end, begin;

	if (n > 0 && spec[n] == '=') {
		*path = spec + n + 1;
		begin = 0;
		end = n;
	} else {
		*path = spec;
		for (end = strlen(spec); end > 1 && spec[end - 1] == '/';)
			end--;
		for (begin = end; begin > 0 && spec[begin - 1] != '/';)
			begin--;
	}
	if ((*name = peft_calloc(end - begin + 1, 1, err)) == NULL)
		return -1;
	memcpy(*name, spec + begin, end - begin);
	return 0;
}

static int
check_base(const struct peft_adapter *a, const char *base, const char *name,
    struct peft_err *err)
{
	const char *want = peft_adapter_meta(a, "peft.base");

	if (want == NULL || strcmp(want, base) == 0)
		return 0;
	return peft_setfail(err, PEFT_CHECK, "adapter %s was trained on the "
	    "base %.23s..., this is %.23s... (--any-base takes it all the same)",
	    name, want, base);
}

/* Its name and its file, and what head it brings. */
static int
find_adapter(struct peft_session *s, const struct peft_sessionopt *o,
    size_t i, struct peft_headopt *all, struct peft_err *err)
{
	struct peft_named *a = &s->adapters[i];
	struct peft_headopt head;
	const char *path;
	size_t k;

	if (split_name(o->adapters[i], &a->name, &path, err) == -1)
		return -1;
	s->nadapters++;
	for (k = 0; k < i; k++)
		if (strcmp(s->adapters[k].name, a->name) == 0)
			return peft_seterr(err, "two adapters are called %s",
			    a->name);
	if ((a->source = peft_source_open(path, err)) == NULL ||
	    peft_head_of_adapter(a->source, &head, &a->labels, err) == -1)
		return -1;
	if (peft_task_classes(head.task) && !o->classes)
		return peft_setfail(err, PEFT_CHECK, "adapter %s is for %s, it "
		    "writes no text: peft-eval measures it, and with "
		    "--predict asks it", a->name, peft_task_types[head.task]);
	return peft_head_join(all, &head, a->name, err);
}

static int
add_adapter(struct peft_session *s, const struct peft_sessionopt *o, size_t i,
    char *base, struct peft_err *err)
{
	struct peft_named *a = &s->adapters[i];

	if ((a->adapter = peft_adapter_open(a->source,
	    peft_net_sites(s->net), err)) == NULL ||
	    peft_head_names(&a->labels, s->source, peft_net_config(s->net),
	    err) == -1)
		return -1;
	if (peft_adapter_meta(a->adapter, "peft.base") != NULL &&
	    !o->any_base) {
		if (base[0] == '\0' && peft_source_hash(s->source, o->threads,
		    base, err) == -1)
			return -1;
		if (check_base(a->adapter, base, a->name, err) == -1)
			return -1;
	}
	return peft_adapter_attach(a->adapter, peft_net_sites(s->net), (int)i,
	    1, false, err);
}

/* The model with the head that the adapters bring, if they do. */
static int
open_net(struct peft_session *s, const struct peft_sessionopt *o,
    struct peft_err *err)
{
	struct peft_headopt head = { .task = PEFT_TASK_AUTO };
	const struct peft_config *c;
	size_t i;

	for (i = 0; i < o->nadapters; i++)
		if (find_adapter(s, o, i, &head, err) == -1)
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

int
peft_session_open(struct peft_session *s, const struct peft_sessionopt *o,
    struct peft_err *err)
{
	char base[7 + PEFT_SHA256_HEX] = "";
	size_t i;

	memset(s, 0, sizeof(*s));
	if ((s->cpu = peft_cpu_open(o->threads, err)) == NULL)
		goto fail;
	peft_cpu_compute(s->cpu, o->compute);
	s->adapters = peft_calloc(o->nadapters + 1, sizeof(*s->adapters), err);
	if (s->adapters == NULL || open_net(s, o, err) == -1)
		goto fail;
	if (peft_source_side(s->source, "tokenizer.json") != NULL &&
	    peft_codec_open(&s->codec, s->source, err) == -1)
		goto fail;
	for (i = 0; i < o->nadapters; i++)
		if (add_adapter(s, o, i, base, err) == -1)
			goto fail;
	return 0;
fail:
	peft_session_close(s);
	return -1;
}

void
peft_session_close(struct peft_session *s)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++) {
		peft_adapter_close(s->adapters[i].adapter);
		peft_source_close(s->adapters[i].source);
		peft_labels_free(&s->adapters[i].labels);
		free(s->adapters[i].name);
	}
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
	return adapter < 0 ? &s->labels : &s->adapters[adapter].labels;
}

int
peft_session_find(const struct peft_session *s, const char *name,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < s->nadapters; i++)
		if (strcmp(s->adapters[i].name, name) == 0)
			return (int)i;
	return peft_seterr(err, "no adapter is called %s", name);
}
