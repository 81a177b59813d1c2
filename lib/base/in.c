/* SPDX-License-Identifier: Apache-2.0 */
/* Text input, unpacked on the way. */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in.h"

enum { CHUNK = 1 << 16 };
static const size_t maxline = (size_t)256 << 20;

struct peft_in {
	const char	*label;
	char		*path;
	int		 fd;
	bool		 partial, tail, unended;
	struct archive	*ar;		/* NULL: the file is read as it is */
	char		*packed;	/* [npacked] of CHUNK, for libarchive */
	size_t		 npacked;
	int64_t		 fed;		/* bytes given to libarchive */
	bool		 drained;	/* and there are no more */
	char		*buf;		/* [have] of cap; lines start at pos */
	size_t		 pos, have, cap;
	bool		 eof;
	size_t		 lineno;
};

/* What was peeked at goes to libarchive first. */
static la_ssize_t
feed(struct archive *ar, void *ctx, const void **out)
{
	struct peft_in *in = ctx;
	ssize_t n = (ssize_t)in->npacked;

	*out = in->packed;
	in->npacked = 0;
	if (n == 0) {
		do
			n = read(in->fd, in->packed, CHUNK);
		while (n == -1 && errno == EINTR);
		in->drained = n == 0;
	}
	if (n == -1)
		archive_set_error(ar, errno, "%s", strerror(errno));
	else
		in->fed += n;
	return n;
}

/* libarchive's words differ with its version and the format, and may be
 * none; that it asked for bytes behind the end means a cut. */
static int
damaged(const struct peft_in *in, struct peft_err *err)
{
	const char *why = archive_error_string(in->ar);

	return peft_seterr(err, "%s: is damaged or cut: %s (%s)", in->label,
	    in->drained ? "ends within packed data" : "does not unpack",
	    why == NULL ? "no reason given" : why);
}

/* Behind the last byte of text: the packed stream was all of the file? */
static int
check_end(struct peft_in *in, struct peft_err *err)
{
	const void *p;

	while (!in->drained && archive_filter_bytes(in->ar, -1) == in->fed)
		if (feed(in->ar, in, &p) == -1)
			return peft_seterrno(err, "%s", in->label);
	return archive_filter_bytes(in->ar, -1) == in->fed ? 0 :
	    peft_seterr(err, "%s: has trailing bytes behind the packed data",
	    in->label);
}

static bool
is_packed(const char *p, size_t n)
{
	return (n >= 2 && memcmp(p, "\x1f\x8b", 2) == 0) ||
	    (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0);
}

static ssize_t
read_some(struct peft_in *in, char *dst, size_t n, struct peft_err *err)
{
	la_ssize_t got;

	if (in->ar != NULL) {
		got = archive_read_data(in->ar, dst, n);
		if (got < 0)
			return damaged(in, err);
		return got == 0 ? check_end(in, err) : got;
	}
	do
		got = read(in->fd, dst, n);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return peft_seterrno(err, "%s", in->label);
	return got;
}

static int
open_packed(struct peft_in *in, struct peft_err *err)
{
	struct archive_entry *entry;

	in->packed = in->buf;
	in->npacked = in->have;
	in->have = 0;
	in->eof = false;
	if ((in->buf = peft_calloc(in->cap, 1, err)) == NULL)
		return -1;
	if ((in->ar = archive_read_new()) == NULL)
		return peft_seterr(err, "%s: no memory", in->label);
	archive_read_support_filter_gzip(in->ar);
	archive_read_support_filter_zstd(in->ar);
	archive_read_support_format_raw(in->ar);
	archive_read_support_format_empty(in->ar);
	if (archive_read_open(in->ar, in, NULL, feed, NULL) != ARCHIVE_OK)
		return damaged(in, err);
	/* of a magic and no more it makes text */
	if (archive_filter_count(in->ar) < 2)
		return peft_seterr(err, "%s: is damaged or cut: the head of "
		    "packed data is not whole", in->label);
	switch (archive_read_next_header(in->ar, &entry)) {
	case ARCHIVE_OK:
		break;
	case ARCHIVE_EOF:
		in->eof = true;
		break;
	default:
		return damaged(in, err);
	}
	return 0;
}

struct peft_in *
peft_in_open(const char *path, struct peft_err *err)
{
	bool std = path == NULL || strcmp(path, "-") == 0;
	struct peft_in *in = peft_calloc(1, sizeof(*in), err);
	struct stat st;
	ssize_t n;

	if (in == NULL)
		return NULL;
	in->fd = -1;
	in->path = peft_strdup(std ? "standard input" : path, err);
	if ((in->label = in->path) == NULL)
		goto fail;
	in->fd = std ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (in->fd == -1 || fstat(in->fd, &st) == -1) {
		peft_seterrno(err, "%s", in->label);
		goto fail;
	}
	if (S_ISDIR(st.st_mode)) {
		peft_seterr(err, "%s: is a folder", in->label);
		goto fail;
	}
	in->cap = CHUNK;
	if ((in->buf = peft_calloc(in->cap, 1, err)) == NULL)
		goto fail;
	/* a pipe may give less than the magic's four bytes at first */
	while (in->have < 4) {
		n = read_some(in, in->buf + in->have, in->cap - in->have, err);
		if (n == -1)
			goto fail;
		if (n == 0) {
			in->eof = true;
			break;
		}
		in->have += (size_t)n;
	}
	if (is_packed(in->buf, in->have) && open_packed(in, err) == -1)
		goto fail;
	return in;
fail:
	peft_in_close(in);
	return NULL;
}

const char *
peft_in_label(const struct peft_in *in)
{
	return in->label;
}

bool
peft_in_unended(const struct peft_in *in)
{
	return in->unended;
}

size_t
peft_in_lineno(const struct peft_in *in)
{
	return in->lineno;
}

void
peft_in_partial(struct peft_in *in)
{
	in->partial = true;
}

void
peft_in_tail(struct peft_in *in)
{
	in->tail = true;
}

/* More bytes behind what is there: 1, 0 at the end, -1. */
static int
more(struct peft_in *in, struct peft_err *err)
{
	size_t cap;
	ssize_t n;
	char *p;

	if (in->eof)
		return 0;
	if (in->pos > 0) {
		memmove(in->buf, in->buf + in->pos, in->have - in->pos);
		in->have -= in->pos;
		in->pos = 0;
	}
	if (in->have == in->cap) {
		cap = in->cap * 2;
		if (cap > maxline || (p = realloc(in->buf, cap)) == NULL)
			return peft_seterr(err, "%s:%zu: a line of more than "
			    "%zu bytes", in->label, in->lineno + 1, in->have);
		in->buf = p;
		in->cap = cap;
	}
	n = read_some(in, in->buf + in->have, in->cap - in->have, err);
	if (n == -1)
		return -1;
	in->eof = n == 0;
	in->have += (size_t)n;
	return n > 0;
}

int
peft_in_line(struct peft_in *in, char **line, size_t *len,
    struct peft_err *err)
{
	size_t seen = 0;
	char *nl;
	int r;

	for (;;) {
		size_t n = in->have - in->pos;

		nl = n == seen ? NULL :
		    memchr(in->buf + in->pos + seen, '\n', n - seen);
		if (nl != NULL)
			break;
		seen = n;
		if ((r = more(in, err)) == 1)
			continue;
		if (r == -1)
			return -1;
		if (seen == 0 || in->partial)
			return 0;
		if (in->tail) {
			in->unended = true;
			nl = in->buf + in->have++;	/* more() left room */
			break;
		}
		return peft_seterr(err, "%s:%zu: the last line has no newline: "
		    "the input was cut short", in->label, in->lineno + 1);
	}
	*line = in->buf + in->pos;
	*len = (size_t)(nl - *line);
	*nl = '\0';
	in->pos += *len + 1;
	in->lineno++;
	return 1;
}

bool
peft_in_ready(struct peft_in *in, int fd, bool wait)
{
	struct pollfd p[] = { { in->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };

	return in->eof || in->ar != NULL || memchr(in->buf + in->pos, '\n',
	    in->have - in->pos) != NULL || (poll(p, 2, wait ? -1 : 0) > 0 &&
	    p[0].revents != 0);
}

int
peft_in_peek(struct peft_in *in, const char **p, size_t *n,
    struct peft_err *err)
{
	size_t i;
	int r;

	for (;;) {
		for (i = in->pos; i < in->have; i++)
			if (memchr(" \t\r\n", in->buf[i], 4) == NULL)
				break;
		*p = in->buf + in->pos;
		*n = in->have - in->pos;
		if (i < in->have || *n > CHUNK)
			return 1;
		if ((r = more(in, err)) != 1)
			return r;
	}
}

void
peft_in_close(struct peft_in *in)
{
	if (in == NULL)
		return;
	if (in->ar != NULL)
		archive_read_free(in->ar);
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	free(in->packed);
	free(in->buf);
	free(in->path);
	free(in);
}

ssize_t
peft_in_read(struct peft_in *in, void *dst, size_t n, struct peft_err *err)
{
	size_t have = in->have - in->pos;

	if (have == 0)
		return in->eof ? 0 : read_some(in, dst, n, err);
	n = n < have ? n : have;
	memcpy(dst, in->buf + in->pos, n);
	in->pos += n;
	return (ssize_t)n;
}
