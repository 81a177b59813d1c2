/* SPDX-License-Identifier: Apache-2.0 */
/* Output that appears whole or not at all: folders. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/nameless.h"
#include "base/out.h"

struct member {
	char			*name;
	struct peft_nameless	 file;
};

struct peft_outdir {
	char		*path;		/* without a slash at its end */
	bool		 exists;	/* and is to be replaced */
	struct member	*members;
	size_t		 n, cap;
};

/* Only a folder of plain files may be replaced: nobody's home. */
static int
replaceable(const char *path, struct peft_err *err)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	struct stat st;
	int r = 0;

	if (d == NULL)
		return peft_seterrno(err, "%s", path);
	while (r == 0 && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(d), e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode))
			r = peft_seterr(err, "%s holds %s, which is not a "
			    "plain file: not replaced", path, e->d_name);
	}
	closedir(d);
	return r;
}

static void
release(struct peft_outdir *o)
{
	size_t i;

	for (i = 0; i < o->n; i++) {
		peft_nameless_close(&o->members[i].file);
		free(o->members[i].name);
	}
	free(o->members);
	free(o->path);
	free(o);
}

struct peft_outdir *
peft_outdir_open(const char *path, bool force, struct peft_err *err)
{
	struct peft_outdir *o = peft_calloc(1, sizeof(*o), err);
	struct stat st;
	size_t n;

	if (o == NULL)
		return NULL;
	if ((o->path = peft_strdup(path, err)) == NULL)
		goto fail;
	for (n = strlen(o->path); n > 1 && o->path[n - 1] == '/';)
		o->path[--n] = '\0';
	if (lstat(o->path, &st) == 0) {
		o->exists = true;
		if (!force) {
			peft_seterr(err, "%s exists (-f overwrites it)", path);
			goto fail;
		}
		if (!S_ISDIR(st.st_mode)) {
			peft_seterr(err, "%s exists and is not a folder",
			    path);
			goto fail;
		}
		if (replaceable(o->path, err) == -1)
			goto fail;
	}
	return o;
fail:
	release(o);
	return NULL;
}

FILE *
peft_outdir_file(struct peft_outdir *o, const char *name,
    struct peft_err *err)
{
	struct member *grown, *m;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL) {
		peft_seterr(err, "%s: '%s' is no name for a file", o->path,
		    name);
		return NULL;
	}
	grown = peft_grow(o->members, o->n, &o->cap, sizeof(*m), err);
	if (grown == NULL)
		return NULL;
	o->members = grown;
	m = &o->members[o->n];
	memset(m, 0, sizeof(*m));
	if ((m->name = peft_strdup(name, err)) == NULL)
		return NULL;
	if (peft_nameless_open(&m->file, o->path, err) == -1) {
		free(m->name);
		return NULL;
	}
	o->n++;
	return m->file.fp;
}

/* Remove a folder of plain files and all in it. */
static void
remove_folder(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	(void)rmdir(path);
}

/* Give the members their names in the temporary folder. */
static int
fill(struct peft_outdir *o, const char *temp, struct peft_err *err)
{
	struct peft_buf path = { 0 };
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < o->n; i++) {
		peft_buf_clear(&path);
		peft_buf_printf(&path, "%s/%s", temp, o->members[i].name);
		r = path.failed ? peft_seterr(err, "%s: no memory", temp) :
		    peft_nameless_give(&o->members[i].file, path.data, false,
		    err);
	}
	peft_buf_free(&path);
	return r;
}

static int
put_in_place(struct peft_outdir *o, const char *temp,
    const struct peft_check *check, struct peft_err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	(void)chmod(temp, 0777 & ~mask);
	if (fill(o, temp, err) == -1)
		return -1;
	if (check != NULL && check->fn != NULL &&
	    check->fn(check->ctx, temp, err) == -1)
		return -1;
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, o->path,
	    o->exists ? RENAME_EXCHANGE : RENAME_NOREPLACE) == -1)
		return peft_seterrno(err, "%s", o->path);
	return peft_sync_folder(o->path, err);
}

int
peft_outdir_commit(struct peft_outdir *o, struct peft_err *err)
{
	return peft_outdir_commit_checked(o, NULL, err);
}

int
peft_outdir_commit_checked(struct peft_outdir *o,
    const struct peft_check *check, struct peft_err *err)
{
	struct peft_buf temp = { 0 };
	char *dir;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < o->n; i++)
		r = peft_nameless_sync(&o->members[i].file,
		    o->members[i].name, err);
	if (r == 0 && (dir = peft_folder_of(o->path, err)) == NULL)
		r = -1;
	else if (r == 0) {
		peft_buf_printf(&temp, "%s/.peft-XXXXXX", dir);
		free(dir);
		if (temp.failed || mkdtemp(temp.data) == NULL)
			r = peft_seterrno(err, "%s", o->path);
		else {
			r = put_in_place(o, temp.data, check, err);
			/* what was there, or what could not be put there */
			if (r == -1 || o->exists)
				remove_folder(temp.data);
		}
	}
	peft_buf_free(&temp);
	release(o);
	return r;
}

void
peft_outdir_abort(struct peft_outdir *o)
{
	if (o != NULL)
		release(o);
}
