/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_IN_H
#define PEFT_BASE_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Text input: a file, or standard input for NULL and "-".  What begins with
 * the magic of gzip or zstd is unpacked on the way (by libarchive), whatever
 * its name; a cut or damaged stream is an error (but libarchive does not look
 * at gzip's check sum, only at zstd's).
 */
struct peft_in;

struct peft_in	*peft_in_open(const char *path, struct peft_err *)
		    PEFT_MUSTCHECK;
const char	*peft_in_label(const struct peft_in *);	/* for messages */
/* The next line without its newline, at *line until the next call: 1, 0, -1.
 * A last line without a newline is an error: the file was cut.  Lines over
 * 256 MiB are refused.  peft_in_lineno() counts from 1. */
int		 peft_in_line(struct peft_in *, char **line, size_t *len,
		    struct peft_err *) PEFT_MUSTCHECK;
size_t		 peft_in_lineno(const struct peft_in *);
/* Accept a last line without its newline (--partial drops it). */
void		 peft_in_partial(struct peft_in *);
/* Give a last line without its newline as well, for formats that say
 * themselves whether they are whole. */
void		 peft_in_tail(struct peft_in *);
bool		 peft_in_unended(const struct peft_in *); /* there was one */
/* What comes next, some of it, and it stays there: 1, at *p until the next
 * call, not white space alone unless there are 64 KiB of it; 0 nothing else
 * does; -1. */
int		 peft_in_peek(struct peft_in *, const char **p, size_t *n,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_in_close(struct peft_in *);
/* Is there a line, or at least something to read?  fd (-1: none) is waited
 * for besides, if `wait'; false: nothing, or only fd has something. */
bool		 peft_in_ready(struct peft_in *, int fd, bool wait);

/* Or bytes, unpacked, as many as come at once: n, 0 at the end, -1. */
ssize_t		 peft_in_read(struct peft_in *, void *, size_t n,
		    struct peft_err *) PEFT_MUSTCHECK;

/* 0: a file, which is there to be read; what is in a folder may also be a pipe
 * that nobody writes to, or a device. */
int		 peft_in_regular(const char *path, struct peft_err *)
		    PEFT_MUSTCHECK;
/* A whole file, at most max bytes, as it is on disk (not unpacked). */
int		 peft_in_slurp(const char *path, size_t max, struct peft_buf *,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
