/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_NAMELESS_H
#define PEFT_BASE_NAMELESS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/*
 * A file without a name, in the folder of the place it is meant for: the
 * common part of out.c and outdir.c.  Where the file system knows no
 * O_TMPFILE it has a hidden temporary name, which close removes.
 */
struct peft_nameless {
	FILE	*fp;
	char	*temp;		/* the temporary name, or NULL */
};

/* place: the path that it will get (only its folder matters). */
int	peft_nameless_open(struct peft_nameless *, const char *place,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Flush and fsync. */
int	peft_nameless_sync(struct peft_nameless *, const char *label,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Give it its name; with force it takes the place of what is there.  fsyncs
 * the folder. */
int	peft_nameless_give(struct peft_nameless *, const char *path, bool force,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_nameless_close(struct peft_nameless *);

/* fsync of the folder that path is in. */
int	peft_sync_folder(const char *path, struct peft_err *) PEFT_MUSTCHECK;
/* The folder part of path ("." if it has none), to be freed; NULL with *err
 * set. */
char	*peft_folder_of(const char *path, struct peft_err *);

#endif
