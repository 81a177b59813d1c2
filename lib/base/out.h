/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_OUT_H
#define PEFT_BASE_OUT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/*
 * Output that appears whole or not at all.
 *
 * A file is written without a name (O_TMPFILE; a hidden temporary name where
 * the file system has none of that) beside its place, and gets its name at
 * commit: flush, fsync, link or rename, fsync of the folder.  Whatever kills
 * the program before that leaves nothing behind.  A path that exists is
 * refused at open unless `force'; so is a folder that cannot be written.
 *
 * path NULL or "-" is standard output: commit flushes, and there is no way
 * back.
 */
struct peft_out;

struct peft_out	*peft_out_open(const char *path, bool force,
		    struct peft_err *) PEFT_MUSTCHECK;
FILE		*peft_out_fp(struct peft_out *);
const char	*peft_out_label(const struct peft_out *);
/* Write, with the error named; the usual way to put bytes. */
int		 peft_out_write(struct peft_out *, const void *, size_t,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Both end the life of the struct; commit does so also when it fails. */
int		 peft_out_commit(struct peft_out *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_out_abort(struct peft_out *);	/* NULL is allowed */

/* A last look: fn is called when all is written and synced, and before the
 * output has its name; path leads to it while the call lasts.  -1: it never
 * gets its name.  (Standard output cannot be looked at: fn is not called.) */
struct peft_check {
	int	(*fn)(void *ctx, const char *path, struct peft_err *);
	void	*ctx;
};
int		 peft_out_commit_checked(struct peft_out *,
		    const struct peft_check *, struct peft_err *)
		    PEFT_MUSTCHECK;

/*
 * A folder of files, likewise all or nothing: files are nameless until
 * commit, which makes a temporary folder, links them in, and renames it.
 * With `force' an existing folder is replaced if it holds nothing but
 * regular files; anything else is refused.
 */
struct peft_outdir;

struct peft_outdir *peft_outdir_open(const char *path, bool force,
		    struct peft_err *) PEFT_MUSTCHECK;
/* A new file `name' (no slash) in it; it belongs to the outdir. */
FILE		*peft_outdir_file(struct peft_outdir *, const char *name,
		    struct peft_err *) PEFT_MUSTCHECK;
int		 peft_outdir_commit(struct peft_outdir *, struct peft_err *)
		    PEFT_MUSTCHECK;
int		 peft_outdir_commit_checked(struct peft_outdir *,
		    const struct peft_check *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_outdir_abort(struct peft_outdir *);

/* fwrite to a FILE of either, with the error named. */
int		 peft_fwrite(FILE *, const char *label, const void *, size_t,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
