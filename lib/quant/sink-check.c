/* SPDX-License-Identifier: Apache-2.0 */
/* Is what was written what can be read? */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "quant/sink-impl.h"

enum { CHUNK = 1 << 20 };

/* The bytes of a weight and its scales, as the disk has them now. */
static int
sum_again(int fd, const struct peft_written *w, uint8_t *chunk,
    uint64_t *sum)
{
	struct peft_sum s = { 0 };
	uint64_t at, left;
	ssize_t n;

	for (at = w->begin; at < w->end; at += (uint64_t)n) {
		left = w->end - at;
		n = pread(fd, chunk, left < CHUNK ? (size_t)left : CHUNK,
		    (off_t)at);
		if (n == -1 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n <= 0)
			return -1;
		peft_sum_add(&s, chunk, (size_t)n);
	}
	*sum = peft_sum_end(&s);
	return 0;
}

static int
open_shard(const struct peft_sink *k, const char *path, size_t shard,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	char name[64];
	int fd = -1;

	peft_buf_puts(&b, path);
	if (k->kind == PEFT_OUT_FOLDER) {
		peft_sink_shard_name(k, shard, name);
		peft_buf_printf(&b, "/%s", name);
	}
	if (b.failed)
		peft_seterr(err, "no memory");
	else if ((fd = open(b.data, O_RDONLY | O_CLOEXEC)) == -1)
		peft_seterrno(err, "%s", b.data);
	peft_buf_free(&b);
	return fd;
}

int
peft_sink_check(const struct peft_sink *k, const char *path,
    struct peft_err *err)
{
	uint8_t *chunk = peft_calloc(CHUNK, 1, err);
	size_t i, shard = SIZE_MAX;
	uint64_t sum = 0;
	int fd = -1, r = chunk == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < k->n; i++) {
		const struct peft_written *w = &k->weights[i];

		if (w->shard != shard) {
			if (fd != -1)
				close(fd);
			fd = open_shard(k, path, shard = w->shard, err);
			r = fd == -1 ? -1 : 0;
		}
		if (r == 0 && (sum_again(fd, w, chunk, &sum) == -1 ||
		    sum != w->sum))
			r = peft_seterr(err, "weight %s does not read as it "
			    "was written: is the disk sound?",
			    k->specs[i].name);
	}
	if (fd != -1)
		close(fd);
	free(chunk);
	return r;
}
