/* SPDX-License-Identifier: Apache-2.0 */
/* Files that have no name until they are whole. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/nameless.h"

char *
peft_folder_of(const char *path, struct peft_err *err)
{
	char *dir = peft_strdup(path, err), *slash;
	size_t n;

	if (dir == NULL)
		return NULL;
	for (n = strlen(dir); n > 1 && dir[n - 1] == '/';)
		dir[--n] = '\0';
	if ((slash = strrchr(dir, '/')) == NULL) {
		free(dir);
		return peft_strdup(".", err);
	}
	slash[slash == dir ? 1 : 0] = '\0';
	return dir;
}

/* Where O_TMPFILE is unknown: a hidden name in the same folder. */
static int
open_named(struct peft_nameless *f, const char *dir, struct peft_err *err)
{
	struct peft_buf name = { 0 };
	int fd;

	peft_buf_printf(&name, "%s/.peft-XXXXXX", dir);
	if (name.failed)
		return peft_seterr(err, "%s: no memory", dir);
	if ((fd = mkostemp(name.data, O_CLOEXEC)) == -1) {
		peft_seterrno(err, "%s", dir);
		peft_buf_free(&name);
		return -1;
	}
	f->temp = name.data;
	return fd;
}

int
peft_nameless_open(struct peft_nameless *f, const char *place,
    struct peft_err *err)
{
	char *dir = peft_folder_of(place, err);
	mode_t mask;
	int fd;

	memset(f, 0, sizeof(*f));
	if (dir == NULL)
		return -1;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	if (fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR ||
	    errno == EINVAL)) {
		fd = open_named(f, dir, err);
		mask = umask(0);
		umask(mask);
		if (fd != -1)
			(void)fchmod(fd, 0666 & ~mask);
	} else if (fd == -1)
		peft_seterrno(err, "%s: cannot write to %s", place, dir);
	free(dir);
	if (fd == -1)
		return -1;
	if ((f->fp = fdopen(fd, "w+")) == NULL) {
		peft_seterrno(err, "%s", place);
		close(fd);
		peft_nameless_close(f);
		return -1;
	}
	(void)setvbuf(f->fp, NULL, _IOFBF, 1 << 18);
	return 0;
}

int
peft_nameless_sync(struct peft_nameless *f, const char *label,
    struct peft_err *err)
{
	errno = 0;
	if (ferror(f->fp) || fflush(f->fp) == EOF ||
	    fsync(fileno(f->fp)) == -1) {
		if (errno == 0)
			errno = EIO;
		return peft_seterrno(err, "%s", label);
	}
	return 0;
}

int
peft_sync_folder(const char *path, struct peft_err *err)
{
	char *dir = peft_folder_of(path, err);
	int fd, r;

	if (dir == NULL)
		return -1;
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		peft_seterrno(err, "%s", dir);
		free(dir);
		return -1;
	}
	/* some file systems cannot sync folders: nothing to be done then */
	r = fsync(fd) == -1 && errno != EINVAL ? peft_seterrno(err, "%s",
	    dir) : 0;
	close(fd);
	free(dir);
	return r;
}

/* Link the nameless file to a hidden name beside path, so that rename can
 * put it in the place of what is there. */
static int
link_beside(struct peft_nameless *f, const char *from, const char *path,
    struct peft_err *err)
{
	struct peft_buf name = { 0 };
	char *dir = peft_folder_of(path, err);
	int tries;

	if (dir == NULL)
		return -1;
	for (tries = 0; tries < 1000; tries++) {
		peft_buf_clear(&name);
		peft_buf_printf(&name, "%s/.peft-%ld-%d", dir, (long)getpid(),
		    tries);
		if (name.failed || linkat(AT_FDCWD, from, AT_FDCWD, name.data,
		    AT_SYMLINK_FOLLOW) == 0 || errno != EEXIST)
			break;
	}
	free(dir);
	if (name.failed || access(name.data, F_OK) == -1) {
		peft_seterrno(err, "%s", path);
		peft_buf_free(&name);
		return -1;
	}
	f->temp = name.data;
	return 0;
}

int
peft_nameless_give(struct peft_nameless *f, const char *path, bool force,
    struct peft_err *err)
{
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fileno(f->fp));
	if (f->temp == NULL && linkat(AT_FDCWD, from, AT_FDCWD, path,
	    AT_SYMLINK_FOLLOW) == 0)
		return peft_sync_folder(path, err);
	if (f->temp == NULL) {
		if (errno != EEXIST || !force)
			return peft_seterrno(err, "%s", path);
		if (link_beside(f, from, path, err) == -1)
			return -1;
	}
	if (renameat2(AT_FDCWD, f->temp, AT_FDCWD, path,
	    force ? 0 : RENAME_NOREPLACE) == -1)
		return peft_seterrno(err, "%s", path);
	free(f->temp);
	f->temp = NULL;
	return peft_sync_folder(path, err);
}

void
peft_nameless_close(struct peft_nameless *f)
{
	if (f->fp != NULL)
		fclose(f->fp);
	if (f->temp != NULL)
		unlink(f->temp);
	free(f->temp);
	memset(f, 0, sizeof(*f));
}
