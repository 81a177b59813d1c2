/* SPDX-License-Identifier: Apache-2.0 */
/* The folder that a pack is unpacked into. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/nameless.h"
#include "pack/place.h"

/* Not there, or an empty folder. */
static int
is_free(const char *path, struct peft_err *err)
{
	const struct dirent *e;
	DIR *d = opendir(path);
	int r = 0;

	if (d == NULL)
		return errno == ENOENT ? 0 : peft_seterrno(err, "%s: unpacked "
		    "into a new or an empty folder only", path);
	while (r == 0 && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = peft_seterr(err, "%s holds %s: unpacked into a new "
			    "or an empty folder only", path, e->d_name);
	closedir(d);
	return r;
}

int
peft_place_open(struct peft_place *p, const char *path, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	mode_t mask = umask(0);
	char *dir;

	umask(mask);
	*p = (struct peft_place){ .path = path, .fd = -1 };
	if (is_free(path, err) == -1 ||
	    (dir = peft_folder_of(path, err)) == NULL)
		return -1;
	peft_buf_printf(&b, "%s/.peft-XXXXXX", dir);
	free(dir);
	if (b.failed || mkdtemp(b.data) == NULL) {
		peft_seterrno(err, "%s", path);
		peft_buf_free(&b);
		return -1;
	}
	p->temp = b.data;
	(void)chmod(p->temp, 0777 & ~mask);
	p->fd = open(p->temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return p->fd == -1 ? peft_seterrno(err, "%s", p->temp) : 0;
}

int
peft_place_room(const struct peft_place *p, size_t nbytes,
    struct peft_err *err)
{
	struct statvfs v;

	if (fstatvfs(p->fd, &v) == -1)
		return peft_seterrno(err, "%s", p->path);
	/* some file systems do not tell */
	if (v.f_blocks == 0 || nbytes / v.f_frsize <= v.f_bavail)
		return 0;
	return peft_seterr(err, "%s: the manifest calls for %zu bytes, the "
	    "file system has room for %zu", p->path, nbytes,
	    (size_t)v.f_bavail * v.f_frsize);
}

int
peft_place_file(const struct peft_place *place, const char *name,
    struct peft_err *err)
{
	const char *p = name, *slash;
	int dir = dup(place->fd), next, fd;
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
		peft_seterrno(err, "%s: %s", place->path, name);
	if (dir != -1)
		close(dir);
	return fd;
}

int
peft_place_write(const struct peft_place *place, int fd, const char *name,
    const char *p, size_t n, struct peft_err *err)
{
	ssize_t k;

	for (; n > 0; p += k, n -= (size_t)k)
		if ((k = write(fd, p, n)) == -1) {
			if (errno != EINTR)
				return peft_seterrno(err, "%s: %s",
				    place->path, name);
			k = 0;
		}
	return 0;
}

/* rename() takes the place of an empty folder, and of no other. */
int
peft_place_commit(struct peft_place *p, struct peft_err *err)
{
	if (fsync(p->fd) == -1 || rename(p->temp, p->path) == -1)
		return peft_seterrno(err, "%s", p->path);
	free(p->temp);
	p->temp = NULL;
	return peft_sync_folder(p->path, err);
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

void
peft_place_close(struct peft_place *p)
{
	if (p->temp != NULL)
		(void)nftw(p->temp, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (p->fd != -1)
		close(p->fd);
	free(p->temp);
	*p = (struct peft_place){ .fd = -1 };
}
