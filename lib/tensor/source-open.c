/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a source: what kind it is, and the lists all kinds fill. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/source-impl.h"

int
peft_source_add_raw(struct peft_source *s, const struct peft_raw *raw,
    struct peft_err *err)
{
	struct peft_raw *grown;
	const char *c;

	/* names go to terminals and into lists of lines */
	for (c = raw->name; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return peft_seterr(err, "tensor %s: a control character "
			    "in its name", raw->name);
	grown = peft_grow(s->raws, s->nraws, &s->capraws, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	s->raws = grown;
	s->raws[s->nraws] = *raw;
	s->raws[s->nraws].name = peft_strdup(raw->name, err);
	if (s->raws[s->nraws].name == NULL)
		return -1;
	s->nraws++;
	raw = &s->raws[s->nraws - 1];
	switch (peft_map_add(&s->raw_index, raw->name, strlen(raw->name),
	    s->nraws - 1, err)) {
	case 1:
		return 0;
	case 0:
		return peft_seterr(err, "tensor %s is there twice", raw->name);
	}
	return -1;
}

int
peft_source_add_meta(struct peft_source *s, const char *key,
    const char *value, struct peft_err *err)
{
	struct peft_st_pair *grown, *p;

	grown = peft_grow(s->meta, s->nmeta, &s->capmeta, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	s->meta = grown;
	p = &s->meta[s->nmeta];
	p->key = peft_strdup(key, err);
	p->value = peft_strdup(value, err);
	if (p->key == NULL || p->value == NULL) {
		free(p->key);
		free(p->value);
		return -1;
	}
	s->nmeta++;
	return 0;
}

int
peft_source_add_file(struct peft_source *s, const char *label,
    struct peft_err *err)
{
	struct peft_file *grown;

	grown = peft_grow(s->files, s->nfiles, &s->capfiles, sizeof(*grown),
	    err);
	if (grown == NULL)
		return -1;
	s->files = grown;
	memset(&s->files[s->nfiles], 0, sizeof(*grown));
	if ((s->files[s->nfiles].label = peft_strdup(label, err)) == NULL)
		return -1;
	s->nfiles++;
	return 0;
}

/* A tensor peft.file/NAME is the side file NAME. */
static const char side_prefix[] = "peft.file/";

bool
peft_source_is_head(const char *name)
{
	static const char shape[] = ".weight_shape";
	size_t n = strlen(name), tail = sizeof(shape) - 1;

	return strncmp(name, side_prefix, sizeof(side_prefix) - 1) == 0 ||
	    strstr(name, ".quant_state.bitsandbytes__") != NULL ||
	    (n >= tail && strcmp(name + n - tail, shape) == 0);
}

static int
add_side(struct peft_source *s, const char *name, const uint8_t *p, size_t n,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;

	if (strcmp(name, ".pad") == 0)
		return 0;		/* puts what follows at an even place */
	for (i = 0; peft_side_names[i] != NULL; i++)
		if (strcmp(peft_side_names[i], name) == 0) {
			peft_buf_put(&b, p, n);
			return peft_sides_add(&s->sides, name, &b, err);
		}
	return peft_seterr(err, "%s%s: no side file of that name is known",
	    side_prefix, name);
}

/* The tensors of a safetensors header; side files are taken out where their
 * bytes are at hand. */
int
peft_source_add_st(struct peft_source *s, const struct peft_st *st,
    size_t file, size_t data, struct peft_err *err)
{
	const uint8_t *map = s->files[file].map;
	size_t i;

	for (i = 0; i < st->n; i++) {
		const struct peft_st_entry *e = &st->entries[i];
		struct peft_raw raw = { .name = e->name, .dtype = e->dtype,
		    .ndim = e->ndim, .file = file, .at = data + e->begin,
		    .nbytes = e->nbytes, .weight = PEFT_NONE };

		if (map != NULL && strncmp(e->name, side_prefix,
		    sizeof(side_prefix) - 1) == 0) {
			if (add_side(s, e->name + sizeof(side_prefix) - 1,
			    map + raw.at, raw.nbytes, err) == -1)
				return -1;
			continue;
		}
		memcpy(raw.shape, e->shape, sizeof(raw.shape));
		if (peft_source_add_raw(s, &raw, err) == -1)
			return -1;
	}
	for (i = 0; i < st->nmeta; i++)
		if (peft_source_add_meta(s, st->meta[i].key,
		    st->meta[i].value, err) == -1)
			return -1;
	return 0;
}

static int
open_st(struct peft_source *s, size_t file, struct peft_err *err)
{
	const struct peft_file *f = &s->files[file];
	struct peft_st st;
	size_t len, data;
	int r;

	if (f->len < PEFT_ST_PREFIX)
		return peft_seterr(err, "not a model: %zu bytes", f->len);
	if (peft_st_length(f->map, &len, err) == -1)
		return -1;
	if (len > f->len - PEFT_ST_PREFIX)
		return peft_seterr(err, "ends early, within the header");
	if (peft_st_parse(&st, (const char *)f->map + PEFT_ST_PREFIX, len,
	    err) == -1)
		return -1;
	data = PEFT_ST_PREFIX + len;
	if (st.nbytes != f->len - data)
		r = peft_seterr(err, "%s: %zu bytes of data, the header calls "
		    "for %zu", st.nbytes > f->len - data ? "ends early" :
		    "has trailing bytes", f->len - data, st.nbytes);
	else
		r = peft_source_add_st(s, &st, file, data, err);
	peft_st_free(&st);
	return r;
}

/* A pickle begins with 0x80 and its version; so does the length of some
 * headers (128, 384, ...), behind which there is a brace. */
static bool
is_pickle(const struct peft_file *f)
{
	static const uint8_t nothing[4];

	if (f->len < 4)
		return false;
	if (memcmp(f->map, "PK\3\4", 4) == 0)
		return true;
	return f->map[0] == 0x80 && f->map[1] <= 5 && !(f->len > 8 &&
	    memcmp(f->map + 4, nothing, 4) == 0 && f->map[8] == '{');
}

/* Pickles run code when they are read; their name is said and why not. */
static int
refuse_pickle(const struct peft_file *f, struct peft_err *err)
{
	if (is_pickle(f))
		return peft_seterr(err, "is a PyTorch pickle, which can run "
		    "code when it is read; save it as safetensors "
		    "(save_pretrained(..., safe_serialization=True))");
	return 0;
}

int
peft_source_open_bytes(struct peft_source *s, size_t file,
    struct peft_err *err)
{
	const struct peft_file *f = &s->files[file];
	int r;

	if ((r = refuse_pickle(f, err)) == 0) {
		if (f->len >= 4 && memcmp(f->map, "GGUF", 4) == 0) {
			s->kind = PEFT_GGUF;
			r = peft_source_open_gguf(s, file, err);
		} else
			r = open_st(s, file, err);
	}
	return r == -1 ? peft_errprefix(err, "%s", s->files[file].label) : 0;
}

/* Map a file behind those that are there. */
int
peft_source_map_file(struct peft_source *s, const char *path,
    struct peft_err *err)
{
	struct peft_file *f;
	struct stat st;
	void *map = NULL;
	int fd;

	if (peft_source_add_file(s, path, err) == -1)
		return -1;
	f = &s->files[s->nfiles - 1];
	/* what a folder or a split model names may be a pipe */
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) == -1)
		return peft_seterrno(err, "%s", path);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		close(fd);
		return peft_seterr(err, "%s: not a file", path);
	}
	f->stamp = peft_source_stamp(&st);
	if (s->copies && st.st_size > 0) {
		int r = peft_source_copy_file(f, fd, err);

		close(fd);
		return r;
	}
	if (st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE,
		    fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return peft_seterrno(err, "%s", path);
	f->map = map;
	f->len = (size_t)st.st_size;
	if (map == NULL)
		return peft_seterr(err, "%s: is empty", path);
	return 0;
}

int
peft_source_open_file(struct peft_source *s, const char *path,
    struct peft_err *err)
{
	size_t file = s->nfiles;

	if (peft_source_map_file(s, path, err) == -1)
		return -1;
	return peft_source_open_bytes(s, file, err);
}

static int
open_path(struct peft_source *s, const char *path, struct peft_err *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		return peft_source_open_pipe(s, stdin, err);
	if (stat(path, &st) == -1)
		return peft_seterrno(err, "%s", path);
	if (S_ISDIR(st.st_mode))
		return peft_source_open_folder(s, path, err);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		if ((s->opened = fopen(path, "re")) == NULL)
			return peft_seterrno(err, "%s", path);
		return peft_source_open_pipe(s, s->opened, err);
	}
	return peft_source_open_file(s, path, err);
}

static struct peft_source *
open_source(const char *path, bool copies, bool sides_only,
    struct peft_err *err)
{
	struct peft_source *s = peft_calloc(1, sizeof(*s), err);

	if (s == NULL)
		return NULL;
	s->kind = PEFT_BUNDLE;
	s->copies = copies;
	s->sides_only = sides_only;
	s->label = peft_strdup(strcmp(path, "-") == 0 ? "standard input" :
	    path, err);
	if (s->label == NULL || open_path(s, path, err) == -1)
		goto fail;
	if (peft_source_make_weights(s, err) == -1) {
		peft_errprefix(err, "%s", s->label);
		goto fail;
	}
	return s;
fail:
	peft_source_close(s);
	return NULL;
}

struct peft_source *
peft_source_open(const char *path, struct peft_err *err)
{
	return open_source(path, false, false, err);
}

struct peft_source *
peft_source_open_copy(const char *path, struct peft_err *err)
{
	return open_source(path, true, false, err);
}

struct peft_source *
peft_source_open_sides(const char *path, struct peft_err *err)
{
	return open_source(path, false, true, err);
}
