/* SPDX-License-Identifier: Apache-2.0 */
/* Packs, read: every member is checked against the manifest. */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/in.h"
#include "pack/manifest.h"
#include "pack/pack.h"
#include "pack/place.h"

enum { CHUNK = 1 << 16 };
static const size_t max_manifest = (size_t)16 << 20;

struct reader {
	struct peft_in		*in;		/* unpacks; tar is ours */
	struct archive		*a;
	struct peft_manifest	 m;
	struct peft_place	 place;		/* temp NULL: only looked at */
	struct peft_err		 trouble;	/* of in, as libarchive reads */
	bool			 broken;
	char			*chunk;	/* [last] of CHUNK, what a got */
	size_t			 last;
	int64_t			 fed;
};

static const char *
label(const struct reader *r)
{
	return peft_in_label(r->in);
}

static int
failed(const struct reader *r, struct peft_err *err)
{
	const char *why = archive_error_string(r->a);

	if (r->broken) {
		*err = r->trouble;
		return -1;
	}
	return peft_seterr(err, "%s: is damaged or cut: %s", label(r),
	    why == NULL ? "no tar archive" : why);
}

static la_ssize_t
feed(struct archive *a, void *ctx, const void **out)
{
	struct reader *r = ctx;
	ssize_t n = peft_in_read(r->in, r->chunk, CHUNK, &r->trouble);

	*out = r->chunk;
	r->broken = n == -1;
	if (r->broken)
		archive_set_error(a, EIO, "%s", r->trouble.msg);
	r->last = n > 0 ? (size_t)n : 0;
	r->fed += n > 0 ? n : 0;
	return n;
}

static int
read_manifest(struct reader *r, struct peft_err *err)
{
	struct archive_entry *e;
	struct peft_buf b = { 0 };
	const char *name;
	char chunk[CHUNK];
	la_ssize_t n;
	int s;

	if (archive_read_next_header(r->a, &e) != ARCHIVE_OK)
		return failed(r, err);
	name = archive_entry_pathname(e);
	if (archive_entry_filetype(e) != AE_IFREG || name == NULL ||
	    strcmp(name, PEFT_MANIFEST) != 0)
		return peft_seterr(err, "%s: not a pack: its first member is "
		    "not %s", label(r), PEFT_MANIFEST);
	while ((n = archive_read_data(r->a, chunk, sizeof(chunk))) > 0 &&
	    b.len <= max_manifest)
		peft_buf_put(&b, chunk, (size_t)n);
	if (n < 0)
		s = failed(r, err);
	else if (b.failed || b.len > max_manifest)
		s = peft_seterr(err, "%s: the manifest is too large",
		    label(r));
	else if ((s = peft_manifest_parse(&r->m, b.data == NULL ? "" :
	    b.data, b.len, err)) == -1)
		peft_errprefix(err, "%s", label(r));
	peft_buf_free(&b);
	return s;
}

/* What will be unpacked is known before the first byte of it. */
static int
check_room(const struct reader *r, struct peft_err *err)
{
	size_t i, sum = 0;

	for (i = 0; i < r->m.n; i++)
		if (__builtin_add_overflow(sum, r->m.at[i].size, &sum))
			sum = SIZE_MAX;
	return r->place.temp == NULL ? 0 : peft_place_room(&r->place, sum,
	    err);
}

static int
read_data(struct reader *r, const struct peft_member *m, int fd,
    struct peft_err *err)
{
	char chunk[CHUNK], hex[PEFT_SHA256_HEX];
	struct peft_sha256 h;
	size_t size = 0;
	la_ssize_t n;

	peft_sha256_init(&h);
	while ((n = archive_read_data(r->a, chunk, sizeof(chunk))) > 0) {
		size += (size_t)n;
		if (size > m->size)
			break;
		peft_sha256_add(&h, chunk, (size_t)n);
		if (fd != -1 && peft_place_write(&r->place, fd, m->name, chunk,
		    (size_t)n, err) == -1)
			return -1;
	}
	if (n < 0)
		return failed(r, err);
	peft_sha256_hex(&h, hex);
	if (size != m->size || strcmp(hex, m->digest) != 0)
		return peft_setfail(err, PEFT_CHECK, "%s: %s is not what the "
		    "manifest says", label(r), m->name);
	if (fd != -1 && fsync(fd) == -1)
		return peft_seterrno(err, "%s: %s", r->place.path, m->name);
	return 0;
}

static int
read_member(struct reader *r, struct archive_entry *e,
    const struct peft_member **out, struct peft_err *err)
{
	const char *name = archive_entry_pathname(e);
	struct peft_member *m;
	int fd = -1, s;

	if (name == NULL || !peft_pack_name_ok(name))
		return peft_seterr(err, "%s: a member is called '%s'",
		    label(r), name == NULL ? "" : name);
	if (archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) != NULL ||
	    archive_entry_symlink(e) != NULL)
		return peft_seterr(err, "%s: %s is not a regular file",
		    label(r), name);
	if ((m = peft_manifest_find(&r->m, name)) == NULL)
		return peft_seterr(err, "%s: %s is not in the manifest",
		    label(r), name);
	if (m->seen)
		return peft_seterr(err, "%s: %s is there twice", label(r),
		    name);
	m->seen = true;
	*out = m;
	if (r->place.temp != NULL &&
	    (fd = peft_place_file(&r->place, name, err)) == -1)
		return -1;
	s = read_data(r, m, fd, err);
	if (fd != -1)
		close(fd);
	return s;
}

/* Behind the last member there are zeros and nothing else.  libarchive has
 * taken what it wanted of the last chunk. */
static int
check_end(struct reader *r, struct peft_err *err)
{
	int64_t left = r->fed - archive_filter_bytes(r->a, -1);
	size_t i = left < 0 || left > (int64_t)r->last ? 0 :
	    r->last - (size_t)left;
	ssize_t n = (ssize_t)r->last;

	for (; n > 0; i = 0) {
		for (; i < (size_t)n; i++)
			if (r->chunk[i] != '\0')
				return peft_seterr(err, "%s: has trailing "
				    "bytes behind the archive", label(r));
		n = peft_in_read(r->in, r->chunk, CHUNK, err);
	}
	return (int)n;
}

static int
read_members(struct reader *r, int (*list)(void *,
    const struct peft_packentry *, struct peft_err *), void *ctx,
    struct peft_err *err)
{
	const struct peft_member *m = NULL;
	struct archive_entry *e;
	size_t i;
	int s;

	while ((s = archive_read_next_header(r->a, &e)) == ARCHIVE_OK) {
		if (read_member(r, e, &m, err) == -1)
			return -1;
		if (list != NULL) {
			struct peft_packentry x = { m->name, m->size,
			    m->digest };

			if (list(ctx, &x, err) == -1)
				return -1;
		}
	}
	if (s != ARCHIVE_EOF)
		return failed(r, err);
	for (i = 0; i < r->m.n; i++)
		if (!r->m.at[i].seen)
			return peft_seterr(err, "%s: %s is in the manifest and "
			    "not in the pack", label(r), r->m.at[i].name);
	return check_end(r, err);
}

static int
open_pack(struct reader *r, const char *path, struct peft_err *err)
{
	if ((r->in = peft_in_open(path, err)) == NULL ||
	    (r->chunk = peft_calloc(CHUNK, 1, err)) == NULL)
		return -1;
	if ((r->a = archive_read_new()) == NULL)
		return peft_seterr(err, "no memory");
	archive_read_support_format_tar(r->a);
	return archive_read_open(r->a, r, NULL, feed, NULL) == ARCHIVE_OK ?
	    0 : failed(r, err);
}

int
peft_pack_read(const char *path, const char *folder, int (*list)(void *,
    const struct peft_packentry *, struct peft_err *), void *ctx,
    struct peft_err *err)
{
	struct reader r = { .place = { .fd = -1 } };
	int s = open_pack(&r, path, err);

	if (s == 0 && folder != NULL)
		s = peft_place_open(&r.place, folder, err);
	if (s == 0 && (s = read_manifest(&r, err)) == 0 &&
	    (s = check_room(&r, err)) == 0)
		s = read_members(&r, list, ctx, err);
	if (s == 0 && folder != NULL)
		s = peft_place_commit(&r.place, err);
	peft_place_close(&r.place);
	if (r.a != NULL)
		archive_read_free(r.a);
	peft_manifest_free(&r.m);
	peft_in_close(r.in);
	free(r.chunk);
	return s;
}
