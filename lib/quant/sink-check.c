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
    XXH3_state_t *s, uint64_t *sum)
{
	uint64_t at, left;
	ssize_t n;

	(void)XXH3_64bits_reset(s);
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
		(void)XXH3_64bits_update(s, chunk, (size_t)n);
	}
	*sum = XXH3_64bits_digest(s);
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

struct check {
	const struct peft_sink	*k;
	const char		*path;
	uint8_t			*chunks;	/* CHUNK a thread */
	XXH3_state_t		**states;	/* one a thread */
	struct peft_err		*errs;		/* one a weight */
	int			*failed;
};

static void
check_weight(void *ctx, size_t i, int thread)
{
	const struct check *c = ctx;
	const struct peft_written *w = &c->k->weights[i];
	int fd = open_shard(c->k, c->path, w->shard, &c->errs[i]);
	uint64_t sum = 0;

	c->failed[i] = fd == -1;
	if (fd == -1)
		return;
	if (sum_again(fd, w, c->chunks + (size_t)thread * CHUNK,
	    c->states[thread], &sum) == -1 || sum != w->sum)
		c->failed[i] = peft_seterr(&c->errs[i], "weight %s does not "
		    "read as it was written: is the disk sound?",
		    c->k->specs[i].name);
	close(fd);
}

static int
check_all(struct check *c, struct peft_err *err)
{
	const struct peft_sink *k = c->k;
	size_t i;

	if (k->pool != NULL)
		peft_pool_run(k->pool, k->n, check_weight, c);
	else
		for (i = 0; i < k->n; i++)
			check_weight(c, i, 0);
	for (i = 0; i < k->n; i++)
		if (c->failed[i]) {
			*err = c->errs[i];
			return -1;
		}
	return 0;
}

int
peft_sink_check(const struct peft_sink *k, const char *path,
    struct peft_err *err)
{
	int threads = k->pool == NULL ? 1 : peft_pool_threads(k->pool), r, i;
	struct check c = { .k = k, .path = path };

	c.chunks = peft_calloc((size_t)threads * CHUNK, 1, err);
	c.states = peft_calloc((size_t)threads, sizeof(*c.states), err);
	c.errs = peft_calloc(k->n + 1, sizeof(*c.errs), err);
	c.failed = peft_calloc(k->n + 1, sizeof(*c.failed), err);
	r = c.chunks != NULL && c.states != NULL && c.errs != NULL &&
	    c.failed != NULL ? 0 : -1;
	for (i = 0; r == 0 && i < threads; i++)
		if ((c.states[i] = XXH3_createState()) == NULL)
			r = peft_seterr(err, "no memory");
	if (r == 0)
		r = check_all(&c, err);
	for (i = 0; c.states != NULL && i < threads; i++)
		(void)XXH3_freeState(c.states[i]);
	free(c.chunks);
	free(c.states);
	free(c.errs);
	free(c.failed);
	return r;
}
