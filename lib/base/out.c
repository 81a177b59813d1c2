/* SPDX-License-Identifier: Apache-2.0 */
/* Output that appears whole or not at all: files. */

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

struct peft_out {
	char			*path;		/* NULL: standard output */
	bool			 force;
	struct peft_nameless	 file;
};

int
peft_fwrite(FILE *fp, const char *label, const void *p, size_t n,
    struct peft_err *err)
{
	errno = 0;
	if (n > 0 && fwrite(p, 1, n, fp) != n)
		/* it is the kernel that finds no file behind a mapping */
		return errno == EFAULT ? peft_seterr(err, "a file was cut "
		    "while it was read") : peft_seterrno(err, "%s", label);
	return 0;
}

struct peft_out *
peft_out_open(const char *path, bool force, struct peft_err *err)
{
	struct peft_out *out = peft_calloc(1, sizeof(*out), err);
	struct stat st;

	if (out == NULL)
		return NULL;
	out->force = force;
	if (path == NULL || strcmp(path, "-") == 0)
		return out;
	if ((out->path = peft_strdup(path, err)) == NULL)
		goto fail;
	if (lstat(path, &st) == 0) {
		if (!force) {
			peft_seterr(err, "%s exists (-f overwrites it)", path);
			goto fail;
		}
		if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
			peft_seterr(err, "%s exists and is not a file", path);
			goto fail;
		}
	}
	if (peft_nameless_open(&out->file, path, err) == -1)
		goto fail;
	return out;
fail:
	free(out->path);
	free(out);
	return NULL;
}

FILE *
peft_out_fp(struct peft_out *out)
{
	return out->path == NULL ? stdout : out->file.fp;
}

const char *
peft_out_label(const struct peft_out *out)
{
	return out->path == NULL ? "standard output" : out->path;
}

int
peft_out_write(struct peft_out *out, const void *p, size_t n,
    struct peft_err *err)
{
	return peft_fwrite(peft_out_fp(out), peft_out_label(out), p, n, err);
}

static int
look(const struct peft_nameless *file, const struct peft_check *check,
    struct peft_err *err)
{
	char path[64];

	if (check == NULL || check->fn == NULL)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(file->fp));
	return check->fn(check->ctx, path, err);
}

int
peft_out_commit(struct peft_out *out, struct peft_err *err)
{
	return peft_out_commit_checked(out, NULL, err);
}

int
peft_out_commit_checked(struct peft_out *out, const struct peft_check *check,
    struct peft_err *err)
{
	int r = 0;

	if (out->path == NULL) {
		errno = 0;
		if (fflush(stdout) == EOF || ferror(stdout))
			r = peft_seterrno(err, "standard output");
	} else if ((r = peft_nameless_sync(&out->file, out->path, err)) == 0 &&
	    (r = look(&out->file, check, err)) == 0)
		r = peft_nameless_give(&out->file, out->path, out->force, err);
	if (out->path != NULL)
		peft_nameless_close(&out->file);
	free(out->path);
	free(out);
	return r;
}

void
peft_out_abort(struct peft_out *out)
{
	if (out == NULL)
		return;
	if (out->path != NULL)
		peft_nameless_close(&out->file);
	free(out->path);
	free(out);
}
