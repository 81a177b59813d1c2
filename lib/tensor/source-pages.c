/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are mapped files: pages that were passed, files that change. */

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/source-impl.h"

/* Bytes from .. to of a raw tensor, and some before them: a fault brings in the
 * pages around it, too. */
static void
drop_range(const struct peft_source *s, const struct peft_raw *raw,
    size_t from, size_t to)
{
	const struct peft_file *f = &s->files[raw->file];
	size_t page = 4096, around = 65536;

	if (f->map == NULL || f->heap)
		return;
	to = to < raw->nbytes ? to : raw->nbytes;
	from = (raw->at + from) / around * around;
	to = (raw->at + to) / page * page;
	if (to > from)
		(void)madvise((void *)(uintptr_t)(f->map + from), to - from,
		    MADV_DONTNEED);
}

void
peft_source_drop_range(struct peft_source *s, size_t i, size_t from,
    size_t to)
{
	drop_range(s, &s->raws[s->wholes[i].part[PEFT_DATA]], from, to);
}

bool
peft_source_is_mapped(const struct peft_source *s, size_t i)
{
	const struct peft_whole *w = &s->wholes[i];
	const struct peft_raw *raw = &s->raws[w->part[PEFT_DATA]];
	const struct peft_file *f = &s->files[raw->file];

	/* what lies askew in the file was copied */
	return f->map != NULL && !f->heap && raw->copy == NULL &&
	    w->w.data == peft_source_bytes(s, raw);
}

void
peft_source_passed(struct peft_source *s, size_t i, size_t from, size_t to)
{
	struct peft_whole *w = &s->wholes[i];
	struct peft_raw *raw;

	if (peft_source_grafted(s, i))
		return;
	raw = &s->raws[w->part[PEFT_DATA]];
	/* not if what was handed out is a copy of the pages */
	if (w->w.data == peft_source_bytes(s, raw))
		drop_range(s, raw, from, to);
}

struct peft_stamp
peft_source_stamp(const struct stat *st)
{
	return (struct peft_stamp){ .dev = (uint64_t)st->st_dev,
	    .ino = (uint64_t)st->st_ino, .size = (uint64_t)st->st_size,
	    .changed = st->st_mtim };
}

static bool
differs(const struct peft_stamp *a, const struct peft_stamp *b)
{
	return a->size != b->size || a->changed.tv_sec != b->changed.tv_sec ||
	    a->changed.tv_nsec != b->changed.tv_nsec;
}

int
peft_source_copy_file(struct peft_file *f, int fd, struct peft_err *err)
{
	size_t n = (size_t)f->stamp.size, at = 0;
	uint8_t *copy = peft_calloc(n, 1, err);
	struct peft_stamp now;
	struct stat st;
	ssize_t k = 1;

	if (copy == NULL)
		return -1;
	f->map = copy;
	f->heap = true;
	f->len = n;
	while (at < n && (k = read(fd, copy + at, n - at)) > 0)
		at += (size_t)k;
	if (k == -1 || fstat(fd, &st) == -1)
		return peft_seterrno(err, "%s", f->label);
	now = peft_source_stamp(&st);
	if (at < n || differs(&f->stamp, &now))
		return peft_seterr(err, "%s: was changed while it was read",
		    f->label);
	return 0;
}

/* A file of the same name that took its place is another: the mapping still
 * shows the one that was opened, and nothing is wrong with that. */
int
peft_source_unchanged(const struct peft_source *s, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < s->nfiles; i++) {
		const struct peft_file *f = &s->files[i];
		struct peft_stamp now;
		struct stat st;

		if (f->map == NULL || f->heap || stat(f->label, &st) == -1)
			continue;
		now = peft_source_stamp(&st);
		if (now.dev != f->stamp.dev || now.ino != f->stamp.ino)
			continue;
		if (differs(&now, &f->stamp))
			return peft_seterr(err, "%s: was changed while it was "
			    "read", f->label);
	}
	return 0;
}
