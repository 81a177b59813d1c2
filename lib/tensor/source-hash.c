/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a model's weights, whatever container they are in. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tensor/source.h"

struct digest {
	const struct peft_weight *w;
	char			hex[PEFT_SHA256_HEX];
};

struct work {
	struct peft_source	*s;
	struct digest		*d;
	pthread_mutex_t		*lock;	/* of s: loading is not for two */
	size_t			 first, step, n;
	struct peft_err		 err;
	bool			 failed;
};

/* The bytes in row order, then whatever scales there are. */
static void
digest_weight(const struct work *k, size_t i, const struct peft_weight *w,
    bool held)
{
	enum { CHUNK = 1 << 22 };
	const struct peft_scales *s = &w->scales;
	struct peft_sha256 h;
	size_t at, n;

	peft_sha256_init(&h);
	for (at = 0; at < w->nbytes; at += n) {
		n = w->nbytes - at < CHUNK ? w->nbytes - at : CHUNK;
		peft_sha256_add(&h, (const char *)w->data + at, n);
		if (!held)
			peft_source_passed(k->s, i, at, at + n);
	}
	if (s->absmax != NULL)
		peft_sha256_add(&h, s->absmax, s->nabsmax * sizeof(float));
	if (s->qabsmax != NULL) {
		peft_sha256_add(&h, s->qabsmax, s->nabsmax);
		peft_sha256_add(&h, s->nested_absmax,
		    s->nnested * sizeof(float));
		peft_sha256_add(&h, s->nested_map, 256 * sizeof(float));
		peft_sha256_add(&h, &s->nested_offset, sizeof(float));
	}
	peft_sha256_hex(&h, k->d[i].hex);
}

static void *
run(void *arg)
{
	struct work *k = arg;
	struct peft_weight w;
	size_t i;
	bool held;

	for (i = k->first; !k->failed && i < k->n; i += k->step) {
		pthread_mutex_lock(k->lock);
		held = k->d[i].w->data != NULL;
		k->failed = peft_source_load(k->s, i, &w, &k->err) == -1;
		pthread_mutex_unlock(k->lock);
		if (k->failed)
			break;
		digest_weight(k, i, &w, held);
		pthread_mutex_lock(k->lock);
		if (!held)
			peft_source_unload(k->s, i);
		pthread_mutex_unlock(k->lock);
	}
	return NULL;
}

/* Each thread takes every so manyth weight; a thread that cannot be started
 * has its share done here. */
static int
digest_all(struct peft_source *s, struct digest *d, size_t n, int threads,
    struct peft_err *err)
{
	enum { MOST = 16 };
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct work work[MOST];
	pthread_t id[MOST];
	bool started[MOST] = { false };
	int i, k = threads > 0 ? threads : (int)sysconf(_SC_NPROCESSORS_ONLN);
	int r = 0;

	k = k < 1 ? 1 : k > MOST ? MOST : k;
	for (i = 0; i < k; i++) {
		work[i] = (struct work){ .s = s, .d = d, .lock = &lock,
		    .first = (size_t)i, .step = (size_t)k, .n = n };
		started[i] = i > 0 &&
		    pthread_create(&id[i], NULL, run, &work[i]) == 0;
	}
	for (i = 0; i < k; i++)
		if (!started[i])
			run(&work[i]);
	for (i = 0; i < k; i++) {
		if (started[i])
			pthread_join(id[i], NULL);
		if (work[i].failed && r == 0) {
			*err = work[i].err;
			r = -1;
		}
	}
	return r;
}

static int
by_name(const void *a, const void *b)
{
	const struct digest *x = a, *y = b;

	return strcmp(x->w->name, y->w->name);
}

static void
add_line(struct peft_sha256 *h, const struct digest *d)
{
	struct peft_buf b = { 0 };
	int i;

	peft_buf_printf(&b, "%s %s", d->w->name,
	    peft_dtypes[d->w->dtype].name);
	for (i = 0; i < d->w->ndim; i++)
		peft_buf_printf(&b, "%c%zu", i > 0 ? 'x' : ' ', d->w->shape[i]);
	peft_buf_printf(&b, " %s\n", d->hex);
	peft_sha256_add(h, b.data, b.len);
	peft_buf_free(&b);
}

int
peft_source_hash(struct peft_source *s, int threads, char *hex,
    struct peft_err *err)
{
	size_t n = peft_source_count(s), i;
	struct peft_sha256 h;
	struct digest *d;

	if ((d = peft_calloc(n, sizeof(*d), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++)
		d[i].w = peft_source_at(s, i);
	if (digest_all(s, d, n, threads, err) == -1) {
		free(d);
		return -1;
	}
	qsort(d, n, sizeof(*d), by_name);
	peft_sha256_init(&h);
	for (i = 0; i < n; i++)
		add_line(&h, &d[i]);
	memcpy(hex, "sha256:", 7);
	peft_sha256_hex(&h, hex + 7);
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
