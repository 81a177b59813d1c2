/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a model's weights, whatever container they are in. */

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tensor/digest-impl.h"

/* Weights are at hand for this many bytes at a time (one may have more). */
static const size_t batch_bytes = (size_t)64 << 20;

struct work {
	struct peft_digest	*d;
	size_t		 first, step, n;
};

static void *
run(void *arg)
{
	const struct work *w = arg;
	size_t i;

	for (i = w->first; i < w->n; i += w->step)
		peft_digest_weight(&w->d[i]);
	return NULL;
}

/* Each thread takes every so manyth weight; a thread that cannot be started
 * has its share done here. */
static void
digest_all(struct peft_digest *d, size_t n, int threads)
{
	enum { MOST = 16 };
	struct work work[MOST];
	pthread_t id[MOST];
	bool started[MOST] = { false };
	int i, k = threads > 0 ? threads : (int)sysconf(_SC_NPROCESSORS_ONLN);

	k = k < 1 ? 1 : k > MOST ? MOST : k;
	for (i = 0; i < k; i++) {
		work[i] = (struct work){ d, (size_t)i, (size_t)k, n };
		started[i] = i > 0 &&
		    pthread_create(&id[i], NULL, run, &work[i]) == 0;
	}
	for (i = 0; i < k; i++)
		if (!started[i])
			run(&work[i]);
	for (i = 0; i < k; i++)
		if (started[i])
			pthread_join(id[i], NULL);
}

/* Weights from i on, about a batch of them; what was not loaded before is not
 * afterwards, and pages of a file are read again when they are used.  The
 * first that is left, or SIZE_MAX. */
static size_t
digest_batch(struct peft_source *s, struct peft_digest *d, size_t i, size_t n,
    int threads, struct peft_err *err)
{
	size_t from = i, bytes = 0, k;
	int r = 0;

	while (r == 0 && i < n && bytes < batch_bytes) {
		d[i].source = s;
		d[i].i = i;
		d[i].had = peft_source_at(s, i)->data != NULL;
		r = peft_source_load(s, i, &d[i].w, err);
		bytes += d[i].w.nbytes;
		i += r == 0;
	}
	if (r == 0)
		digest_all(d + from, i - from, threads);
	for (k = from; k < i; k++)
		if (d[k].had)
			peft_source_passed(s, k, 0, d[k].w.nbytes);
		else
			peft_source_drop(s, k);
	return r == -1 ? SIZE_MAX : i;
}

int
peft_source_hash(struct peft_source *s, int threads, char *hex,
    struct peft_err *err)
{
	size_t n = s->nwholes, i;
	struct peft_digest *d;

	if ((d = peft_calloc(n, sizeof(*d), err)) == NULL)
		return -1;
	for (i = 0; i < n; )
		if ((i = digest_batch(s, d, i, n, threads, err)) == SIZE_MAX) {
			free(d);
			return -1;
		}
	peft_digest_of_all(d, n, hex);
	free(d);
	return 0;
}

int
peft_source_hash_path(const char *path, int threads, char *hex,
    struct peft_err *err)
{
	struct peft_source *s = peft_source_open(path, err);
	int r = s == NULL ? -1 : peft_source_hash(s, threads, hex, err);

	peft_source_close(s);
	return r;
}
