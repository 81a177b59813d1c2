/* SPDX-License-Identifier: Apache-2.0 */
/* Packs, read: every member is checked against the manifest. */

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pack/manifest.h"
#include "pack/pack.h"

enum { CHUNK = 1 << 16 };
static const size_t max_manifest = (size_t)16 << 20;

struct reader {
	struct archive		*a;
	const char		*label;
	struct peft_manifest	 m;
	char			*temp;		/* folder being filled, or NULL */
	int			 dirfd;
};

static int
failed(const struct reader *r, struct peft_err *err)
{
	return peft_seterr(err, "%s: damaged or cut: %s", r->label,
	    archive_error_string(r->a));
}

static int
read_manifest(struct reader *r, struct peft_err *err)
{
	struct archive_entry *e;
	struct peft_buf b = { 0 };
	char chunk[CHUNK];
	la_ssize_t n;
	int s;

	if (archive_read_next_header(r->a, &e) != ARCHIVE_OK)
		return failed(r, err);
	if (archive_entry_filetype(e) != AE_IFREG ||
	    strcmp(archive_entry_pathname(e), PEFT_MANIFEST) != 0)
		return peft_seterr(err, "%s: not a pack: its first member is "
		    "not %s", r->label, PEFT_MANIFEST);
	while ((n = archive_read_data(r->a, chunk, sizeof(chunk))) > 0 &&
	    b.len <= max_manifest)
		peft_buf_put(&b, chunk, (size_t)n);
	s = n < 0 ? failed(r, err) : b.failed || b.len > max_manifest ?
	    peft_seterr(err, "%s: the manifest is too large", r->label) :
	    peft_manifest_parse(&r->m, b.data == NULL ? "" : b.data, b.len,
	    err);
	peft_buf_free(&b);
	return s;
}

/* Make the folders that a name is in; open the file in the last of them. */
static int
create(const struct reader *r, const char *name, struct peft_err *err)
{
	const char *p = name, *slash;
	int dir = dup(r->dirfd), next, fd;
	char part[256];

	while (dir != -1 && (slash = strchr(p, '/')) != NULL) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - p), p);
		(void)mkdirat(dir, part, 0777);
		next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		close(dir);
		dir = next;
		p = slash + 1;
	}
	fd = dir == -1 ? -1 : openat(dir, p, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd == -1)
		peft_seterrno(err, "%s", name);
	if (dir != -1)
		close(dir);
	return fd;
}

static int
write_all(int fd, const char *p, size_t n, const char *name,
    struct peft_err *err)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k)
		if ((k = write(fd, p, n)) == -1) {
			if (errno != EINTR)
				return peft_seterrno(err, "%s", name);
			k = 0;
		}
	return 0;
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
		if (fd != -1 && write_all(fd, chunk, (size_t)n, m->name,
		    err) == -1)
			return -1;
	}
	if (n < 0)
		return failed(r, err);
	peft_sha256_hex(&h, hex);
	if (size != m->size || strcmp(hex, m->digest) != 0)
		return peft_setfail(err, PEFT_CHECK, "%s: %s is not what the "
		    "manifest says", r->label, m->name);
	if (fd != -1 && fsync(fd) == -1)
		return peft_seterrno(err, "%s", m->name);
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
		    r->label, name == NULL ? "" : name);
	if (archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) != NULL ||
	    archive_entry_symlink(e) != NULL)
		return peft_seterr(err, "%s: %s is not a regular file",
		    r->label, name);
	if ((m = peft_manifest_find(&r->m, name)) == NULL)
		return peft_seterr(err, "%s: %s is not in the manifest",
		    r->label, name);
	if (m->seen)
		return peft_seterr(err, "%s: %s is there twice", r->label,
		    name);
	m->seen = true;
	*out = m;
	if (r->temp != NULL && (fd = create(r, name, err)) == -1)
		return -1;
	s = read_data(r, m, fd, err);
	if (fd != -1)
		close(fd);
	return s;
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
			    "not in the pack", r->label, r->m.at[i].name);
	return 0;
}

static int
open_pack(struct reader *r, const char *path, struct peft_err *err)
{
	bool std = path == NULL || strcmp(path, "-") == 0;
	int s;

	r->label = std ? "standard input" : path;
	if ((r->a = archive_read_new()) == NULL)
		return peft_seterr(err, "no memory");
	archive_read_support_filter_zstd(r->a);
	archive_read_support_format_tar(r->a);
	/* read on behind the end of the tar: only zeros may be there */
	if (archive_read_set_format_option(r->a, "tar",
	    "read_concatenated_archives", "1") != ARCHIVE_OK)
		return failed(r, err);
	s = std ? archive_read_open_fd(r->a, STDIN_FILENO, CHUNK) :
	    archive_read_open_filename(r->a, path, CHUNK);
	return s == ARCHIVE_OK ? 0 : peft_seterr(err, "%s: %s", r->label,
	    archive_error_string(r->a));
}

static int
remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

/* A folder beside the one asked for, filled first and then renamed. */
static int
open_temp(struct reader *r, const char *folder, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (rmdir(folder) == -1 && errno != ENOENT)
		return peft_seterrno(err, "%s: unpacked into a new or an empty "
		    "folder only", folder);
	peft_buf_puts(&b, folder);
	while (b.len > 1 && b.data[b.len - 1] == '/')
		b.data[--b.len] = '\0';
	peft_buf_puts(&b, ".peft-XXXXXX");
	if (b.failed || mkdtemp(b.data) == NULL) {
		peft_buf_free(&b);
		return peft_seterrno(err, "%s", folder);
	}
	(void)chmod(b.data, 0755);
	r->temp = b.data;
	r->dirfd = open(r->temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->dirfd == -1 ? peft_seterrno(err, "%s", r->temp) : 0;
}

int
peft_pack_read(const char *path, const char *folder, int (*list)(void *,
    const struct peft_packentry *, struct peft_err *), void *ctx,
    struct peft_err *err)
{
	struct reader r = { .dirfd = -1 };
	int s = open_pack(&r, path, err);

	if (s == 0 && folder != NULL)
		s = open_temp(&r, folder, err);
	if (s == 0)
		s = read_manifest(&r, err);
	if (s == 0)
		s = read_members(&r, list, ctx, err);
	if (s == 0 && r.temp != NULL && (fsync(r.dirfd) == -1 ||
	    rename(r.temp, folder) == -1))
		s = peft_seterrno(err, "%s", folder);
	if (s == -1 && r.temp != NULL)
		(void)nftw(r.temp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (r.dirfd != -1)
		close(r.dirfd);
	free(r.temp);
	archive_read_free(r.a);
	peft_manifest_free(&r.m);
	return s;
}
