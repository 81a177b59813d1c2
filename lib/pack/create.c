/* SPDX-License-Identifier: Apache-2.0 */
/* Packs, written. */

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "pack/manifest.h"
#include "pack/pack.h"

enum { CHUNK = 1 << 16, DEPTH = 16 };

bool
peft_pack_name_ok(const char *name)
{
	size_t n = strlen(name), i;
	const char *p = name, *end;

	if (n == 0 || n > 200)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == '\\' ||
		    name[i] == 0x7f)
			return false;
	for (;; p = end + 1) {
		end = strchr(p, '/');
		i = end == NULL ? strlen(p) : (size_t)(end - p);
		if (i == 0 || (i == 1 && p[0] == '.') ||
		    (i == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (end == NULL)
			return true;
	}
}

static int
add_file(struct peft_manifest *m, const char *path, const char *name,
    const struct stat *st, struct peft_err *err)
{
	char chunk[CHUNK], hex[PEFT_SHA256_HEX];
	struct peft_sha256 h;
	size_t size = 0;
	ssize_t n;
	int fd;

	(void)st;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return peft_seterrno(err, "%s", path);
	peft_sha256_init(&h);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 ||
	    (n == -1 && errno == EINTR)) {
		peft_sha256_add(&h, chunk, n > 0 ? (size_t)n : 0);
		size += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (n == -1)
		return peft_seterrno(err, "%s", path);
	peft_sha256_hex(&h, hex);
	return peft_manifest_add(m, name, path, size, hex, err);
}

static int add(struct peft_manifest *, const char *path, const char *name,
    int depth, struct peft_err *);

static int
add_folder(struct peft_manifest *m, const char *path, const char *name,
    int depth, struct peft_err *err)
{
	struct peft_buf p = { 0 }, q = { 0 };
	DIR *d = opendir(path);
	const struct dirent *e;
	int r = 0;

	if (d == NULL)
		return peft_seterrno(err, "%s", path);
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		peft_buf_clear(&p);
		peft_buf_clear(&q);
		peft_buf_printf(&p, "%s/%s", path, e->d_name);
		peft_buf_printf(&q, "%s/%s", name, e->d_name);
		r = p.failed || q.failed ? peft_seterr(err, "no memory") :
		    add(m, p.data, q.data, depth + 1, err);
	}
	closedir(d);
	peft_buf_free(&p);
	peft_buf_free(&q);
	return r;
}

static int
add(struct peft_manifest *m, const char *path, const char *name, int depth,
    struct peft_err *err)
{
	struct stat st;

	if (depth > DEPTH)
		return peft_seterr(err, "%s: folders nested too deep", path);
	if (!peft_pack_name_ok(name) || strcmp(name, PEFT_MANIFEST) == 0)
		return peft_seterr(err, "%s: '%s' is no name for a pack",
		    path, name);
	if (lstat(path, &st) == -1)
		return peft_seterrno(err, "%s", path);
	if (S_ISDIR(st.st_mode))
		return add_folder(m, path, name, depth, err);
	if (!S_ISREG(st.st_mode))
		return peft_seterr(err, "%s: neither a file nor a folder",
		    path);
	return add_file(m, path, name, &st, err);
}

/* The last part of a path names it in the pack. */
static int
add_path(struct peft_manifest *m, const char *path, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const char *name;
	int r;

	peft_buf_puts(&b, path);
	while (b.len > 1 && b.data[b.len - 1] == '/')
		b.data[--b.len] = '\0';
	if (b.failed)
		return peft_seterr(err, "no memory");
	name = strrchr(b.data, '/') == NULL ? b.data :
	    strrchr(b.data, '/') + 1;
	r = add(m, b.data, name, 0, err);
	peft_buf_free(&b);
	return r;
}

static int
failed(struct archive *a, const char *label, struct peft_err *err)
{
	return peft_seterr(err, "%s: %s", label, archive_error_string(a));
}

/* A header that says nothing of the machine it was made on. */
static int
put_header(struct archive *a, const char *name, size_t size,
    const char *label, struct peft_err *err)
{
	struct archive_entry *e = archive_entry_new();
	int r;

	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(e, 0, 0);
	r = archive_write_header(a, e);
	archive_entry_free(e);
	return r == ARCHIVE_OK ? 0 : failed(a, label, err);
}

/* The file again, which must be as it was when its digest was taken. */
static int
put_file(struct archive *a, const struct peft_member *m, const char *label,
    struct peft_err *err)
{
	char chunk[CHUNK], hex[PEFT_SHA256_HEX];
	struct peft_sha256 h;
	ssize_t n = 0;
	int fd, r;

	if ((r = put_header(a, m->name, m->size, label, err)) == -1)
		return -1;
	if ((fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) == -1)
		return peft_seterrno(err, "%s", m->path);
	peft_sha256_init(&h);
	while (r == 0 && (n = read(fd, chunk, sizeof(chunk))) > 0) {
		peft_sha256_add(&h, chunk, (size_t)n);
		if (archive_write_data(a, chunk, (size_t)n) != n)
			r = failed(a, label, err);
	}
	if (r == 0 && n == -1)
		r = peft_seterrno(err, "%s", m->path);
	close(fd);
	peft_sha256_hex(&h, hex);
	if (r == 0 && strcmp(hex, m->digest) != 0)
		r = peft_seterr(err, "%s: changed while it was packed",
		    m->path);
	return r;
}

static la_ssize_t
write_out(struct archive *a, void *ctx, const void *p, size_t n)
{
	FILE *fp = ctx;

	errno = 0;
	if (fwrite(p, 1, n, fp) == n)
		return (la_ssize_t)n;
	archive_set_error(a, errno, "%s", strerror(errno));
	return -1;
}

static int
write_pack(struct archive *a, FILE *out, const char *label,
    const struct peft_manifest *m, struct peft_err *err)
{
	struct peft_buf text = { 0 };
	size_t i;
	int r;

	/* no zeros behind the end of the compressed stream */
	if (archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
	    archive_write_set_format_ustar(a) != ARCHIVE_OK ||
	    archive_write_add_filter_zstd(a) != ARCHIVE_OK ||
	    archive_write_set_filter_option(a, "zstd", "compression-level",
	    "3") != ARCHIVE_OK || archive_write_open(a, out, NULL, write_out,
	    NULL) != ARCHIVE_OK)
		return failed(a, label, err);
	peft_manifest_print(&text, m);
	r = text.failed ? peft_seterr(err, "no memory for the manifest") :
	    put_header(a, PEFT_MANIFEST, text.len, label, err);
	if (r == 0 && archive_write_data(a, text.data, text.len) !=
	    (la_ssize_t)text.len)
		r = failed(a, label, err);
	peft_buf_free(&text);
	for (i = 0; r == 0 && i < m->n; i++)
		r = put_file(a, &m->at[i], label, err);
	if (r == 0 && archive_write_close(a) != ARCHIVE_OK)
		r = failed(a, label, err);
	return r;
}

int
peft_pack_create(FILE *out, const char *label, char *const *paths, size_t n,
    struct peft_err *err)
{
	struct peft_manifest m = { 0 };
	struct archive *a;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++)
		r = add_path(&m, paths[i], err);
	if (r == 0)
		r = peft_manifest_sort(&m, err);
	if (r == 0 && m.n == 0)
		r = peft_seterr(err, "there is nothing to pack");
	if (r == 0) {
		if ((a = archive_write_new()) == NULL)
			r = peft_seterr(err, "no memory");
		else {
			r = write_pack(a, out, label, &m, err);
			archive_write_free(a);
		}
	}
	peft_manifest_free(&m);
	return r;
}
