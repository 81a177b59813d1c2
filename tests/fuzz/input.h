/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_FUZZ_INPUT_H
#define PEFT_FUZZ_INPUT_H

#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What fuzz targets share: a claim, inputs that have a path, inputs of
 * several parts. */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define FUZZ_CLAIM(x) do {						\
	if (!(x)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);	\
		abort();						\
	}								\
} while (0)

/* Bytes as a file (in memory), or in a pipe whose other end is closed. */
struct fuzz_path {
	int	fd;
	char	path[32];
};

/* What a pipe holds unread. */
enum { FUZZ_PIPE = 65536 };

static inline struct fuzz_path
fuzz_of_fd(int fd)
{
	struct fuzz_path p = { .fd = fd };

	snprintf(p.path, sizeof(p.path), "/proc/self/fd/%d", fd);
	return p;
}

static inline void
fuzz_fill(int fd, const void *data, size_t size)
{
	if (size > 0 && write(fd, data, size) != (ssize_t)size)
		abort();
}

static inline struct fuzz_path
fuzz_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", 0);

	if (fd == -1)
		abort();
	fuzz_fill(fd, data, size);
	return fuzz_of_fd(fd);
}

static inline struct fuzz_path
fuzz_pipe(const void *data, size_t size)
{
	int fds[2];

	if (size > FUZZ_PIPE || pipe(fds) == -1)
		abort();
	fuzz_fill(fds[1], data, size);
	close(fds[1]);
	return fuzz_of_fd(fds[0]);
}

static inline void
fuzz_close(const struct fuzz_path *p)
{
	close(p->fd);
}

/* A folder for what is written, in TMPDIR; it goes with all it holds. */
struct fuzz_folder {
	char	path[256];
};

static inline struct fuzz_folder
fuzz_folder(void)
{
	const char *tmp = getenv("TMPDIR");
	struct fuzz_folder f;

	snprintf(f.path, sizeof(f.path), "%s/fuzz-XXXXXX", tmp == NULL ?
	    "/tmp" : tmp);
	if (mkdtemp(f.path) == NULL)
		abort();
	return f;
}

static inline int
fuzz_remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void
fuzz_remove(const struct fuzz_folder *f)
{
	nftw(f->path, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The input up to a line, and what is behind it (NULL without the line). */
struct fuzz_parts {
	const char	*first, *second;
	size_t		 nfirst, nsecond;
};

static inline struct fuzz_parts
fuzz_split(const uint8_t *data, size_t size, const char *line)
{
	struct fuzz_parts p = { .first = (const char *)data, .nfirst = size };
	const char *at = size == 0 ? NULL : memmem(p.first, size, line,
	    strlen(line));

	if (at != NULL) {
		p.nfirst = (size_t)(at - p.first);
		p.second = at + strlen(line);
		p.nsecond = size - p.nfirst - strlen(line);
	}
	return p;
}

#endif
