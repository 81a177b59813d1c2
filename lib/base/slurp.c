/* SPDX-License-Identifier: Apache-2.0 */
/* A whole file, as it is on disk. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in.h"

int
peft_in_regular(const char *path, struct peft_err *err)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return peft_seterrno(err, "%s", path);
	if (S_ISREG(st.st_mode))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return peft_seterr(err, "%s: not a file", path);
	errno = EISDIR;
	return peft_seterrno(err, "%s", path);
}

int
peft_in_slurp(const char *path, size_t max, struct peft_buf *b,
    struct peft_err *err)
{
	char chunk[1 << 16];
	ssize_t n = 0;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return peft_seterrno(err, "%s", path);
	while (b->len <= max && !b->failed &&
	    ((n = read(fd, chunk, sizeof(chunk))) > 0 ||
	    (n == -1 && errno == EINTR)))
		if (n > 0)
			peft_buf_put(b, chunk, (size_t)n);
	if (n == -1)
		peft_seterrno(err, "%s", path);
	close(fd);
	if (n == -1)
		return -1;
	if (b->failed)
		return peft_seterr(err, "%s: no memory", path);
	if (b->len > max)
		return peft_seterr(err, "%s: more than %zu bytes", path, max);
	return 0;
}
