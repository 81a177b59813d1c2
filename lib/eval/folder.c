/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of adapters, read again while requests are answered. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "eval/session.h"

struct reload {
	struct peft_session	*s;
	void	(*tell)(void *, const char *, const char *);
	void	*ctx;
	size_t	 changed;
};

static bool
is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec :
	    a.tv_nsec > b.tv_nsec;
}

static bool
same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int
visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* The newest of a path and what lies in it: files that are put in place of
 * others change the folder, too. */
static struct timespec
newest(const char *path)
{
	struct timespec t = { 0 };
	struct dirent **in;
	struct stat st;
	char name[4096];
	int n;

	if (stat(path, &st) == -1)
		return t;
	t = st.st_mtim;
	if (!S_ISDIR(st.st_mode) || (n = scandir(path, &in, visible,
	    NULL)) == -1)
		return t;
	while (n-- > 0) {
		snprintf(name, sizeof(name), "%s/%s", path, in[n]->d_name);
		if (stat(name, &st) == 0 && is_later(st.st_mtim, t))
			t = st.st_mtim;
		free(in[n]);
	}
	free(in);
	return t;
}

/* "support.safetensors" is called support. */
static size_t
name_length(const char *file)
{
	static const char *const ends[] = { ".safetensors", ".gguf" };
	size_t n = strlen(file), i, k;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		k = strlen(ends[i]);
		if (n > k && strcmp(file + n - k, ends[i]) == 0)
			return n - k;
	}
	return n;
}

static int
find(const struct peft_session *s, const char *name)
{
	struct peft_err ignored;

	return peft_session_find(s, name, &ignored);
}

/* The new one is made under a number and a name of its own first, so that
 * the one before stays if it fails. */
static void
load(struct reload *r, const char *name, struct peft_part *part)
{
	struct peft_session *s = r->s;
	int old = find(s, name), i;
	struct peft_err err;

	if (old != -1 && !s->adapters[old].watched) {
		r->tell(r->ctx, name, "another adapter has this name");
		return;
	}
	if (old != -1 && strcmp(part->path,
	    s->adapters[old].parts[0].path) != 0) {
		peft_seterr(&err, "%s has this name, too: %s",
		    s->adapters[old].parts[0].path, part->path);
		r->tell(r->ctx, name, err.msg);
		return;
	}
	if (old != -1 && same(part->changed,
	    s->adapters[old].parts[0].changed))
		return;
	i = peft_session_add(s, old == -1 ? name : " ", part, 1, NULL, &err);
	if (i == -1) {
		r->tell(r->ctx, name, err.msg);
		return;
	}
	s->adapters[i].watched = true;
	r->changed++;
	if (old == -1)
		return;
	free(s->adapters[i].name);
	s->adapters[i].name = s->adapters[old].name;
	s->adapters[old].name = NULL;
	peft_session_drop(s, (size_t)old);
}

static void
load_file(struct reload *r, const char *file)
{
	struct peft_part part = { .weight = 1 };
	struct peft_buf path = { 0 };
	char *name = strndup(file, name_length(file));

	peft_buf_printf(&path, "%s/%s", r->s->folder, file);
	if (name == NULL || path.failed)
		r->tell(r->ctx, file, "no memory");
	else {
		part.path = path.data;
		part.changed = newest(path.data);
		load(r, name, &part);
	}
	free(name);
	peft_buf_free(&path);
}

/* Those whose path is no more. */
static void
drop_gone(struct reload *r)
{
	struct peft_session *s = r->s;
	struct stat st;
	size_t i;

	for (i = 0; i < s->nadapters; i++) {
		struct peft_named *a = &s->adapters[i];

		if (a->name == NULL || !a->watched ||
		    stat(a->parts[0].path, &st) == 0)
			continue;
		peft_session_drop(s, i);
		r->changed++;
	}
}

/* Combinations are made anew; one that cannot be goes. */
static void
combine_again(struct reload *r)
{
	struct peft_session *s = r->s;
	struct peft_err err;
	size_t i, n = s->nadapters;

	for (i = 0; i < n; i++) {
		struct peft_named a = s->adapters[i];

		if (a.name == NULL || a.spec == NULL)
			continue;
		s->adapters[i].name = s->adapters[i].spec = NULL;
		peft_session_drop(s, i);
		if (peft_session_combine(s, a.name, a.spec, &err) == -1)
			r->tell(r->ctx, a.name, err.msg);
		free(a.name);
		free(a.spec);
	}
}

size_t
peft_session_reload(struct peft_session *s,
    void (*tell)(void *, const char *, const char *), void *ctx)
{
	struct reload r = { s, tell, ctx, 0 };
	struct dirent **in;
	int n, i;

	if ((n = scandir(s->folder, &in, visible, alphasort)) == -1) {
		struct peft_err err;

		peft_seterrno(&err, "%s", s->folder);
		tell(ctx, "folder", err.msg);
		return 0;
	}
	drop_gone(&r);
	for (i = 0; i < n; i++) {
		load_file(&r, in[i]->d_name);
		free(in[i]);
	}
	free(in);
	if (r.changed > 0)
		combine_again(&r);
	return r.changed;
}
