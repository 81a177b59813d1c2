/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a model's weights, whatever container they are in. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tensor/source-impl.h"

struct digest {
	struct peft_weight	w;		/* without data, when done */
	char			hex[PEFT_SHA256_HEX];
	struct peft_source	*source;
	size_t			 i;		/* there */
	bool			 had;		/* and its data, already */
	bool			 lasts;		/* as long as the source */
};

/* Weights are at hand for this many bytes at a time (one may have more). */
static const size_t batch_bytes = (size_t)64 << 20;

struct work {
	struct digest	*d;
	size_t		 first, step, n;
};

/* The bytes in row order, then whatever scales there are. */
static void
digest_weight(struct digest *d)
{
	const struct peft_scales *s = &d->w.scales;
	enum { CHUNK = 1 << 22 };
	struct peft_sha256 h;
	size_t at, n;

	peft_sha256_init(&h);
	for (at = 0; at < d->w.nbytes; at += n) {
		n = d->w.nbytes - at < CHUNK ? d->w.nbytes - at : CHUNK;
		peft_sha256_add(&h, (const char *)d->w.data + at, n);
		/* the source may be at another weight already */
		if (d->lasts)
			peft_source_drop_range(d->source, d->i, at, at + n);
		else if (!d->had)
			peft_source_passed(d->source, d->i, at, at + n);
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
	if (s->exponents != NULL)
		peft_sha256_add(&h, s->exponents, s->nabsmax);
	if (s->group > 0 && s->zero == NULL)
		peft_sha256_add(&h, &s->zero0, sizeof(s->zero0));
	if (s->zero != NULL)
		peft_sha256_add(&h, s->zero, s->nabsmax * sizeof(*s->zero));
	if (s->order != NULL)
		peft_sha256_add(&h, s->order, d->w.cols * sizeof(*s->order));
	peft_sha256_hex(&h, d->hex);
}

static void *
run(void *arg)
{
	const struct work *w = arg;
	size_t i;

	for (i = w->first; i < w->n; i += w->step)
		digest_weight(&w->d[i]);
	return NULL;
}

/* Each thread takes every so manyth weight; a thread that cannot be started
 * has its share done here. */
static void
digest_all(struct digest *d, size_t n, int threads)
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

static int
by_name(const void *a, const void *b)
{
	const struct digest *x = a, *y = b;

	return strcmp(x->w.name, y->w.name);
}

static void
add_line(struct peft_sha256 *h, const struct digest *d)
{
	struct peft_buf b = { 0 };
	int i;

	peft_buf_printf(&b, "%s %s", d->w.name, peft_dtypes[d->w.dtype].name);
	for (i = 0; i < d->w.ndim; i++)
		peft_buf_printf(&b, "%c%zu", i > 0 ? 'x' : ' ', d->w.shape[i]);
	peft_buf_printf(&b, " %s\n", d->hex);
	peft_sha256_add(h, b.data, b.len);
	peft_buf_free(&b);
}

/* Weights from i on, about a batch of them; what was not loaded before is not
 * afterwards.  The first that is left, or SIZE_MAX. */
static size_t
digest_batch(struct peft_source *s, struct digest *d, size_t i, size_t n,
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
		if (!d[k].had)
			peft_source_drop(s, k);
	return r == -1 ? SIZE_MAX : i;
}

/* Of digests that are all there; they are sorted. */
static void
digest_of_all(struct digest *d, size_t n, char *hex)
{
	struct peft_sha256 h;
	size_t i;

	qsort(d, n, sizeof(*d), by_name);
	peft_sha256_init(&h);
	for (i = 0; i < n; i++)
		add_line(&h, &d[i]);
	memcpy(hex, "sha256:", 7);
	peft_sha256_hex(&h, hex + 7);
}

int
peft_source_hash(struct peft_source *s, int threads, char *hex,
    struct peft_err *err)
{
	size_t n = s->nwholes, i;
	struct digest *d;

	if ((d = peft_calloc(n, sizeof(*d), err)) == NULL)
		return -1;
	for (i = 0; i < n; )
		if ((i = digest_batch(s, d, i, n, threads, err)) == SIZE_MAX) {
			free(d);
			return -1;
		}
	digest_of_all(d, n, hex);
	free(d);
	return 0;
}

/* ---- on the way ---- */

/* SHA-256 is the slowest that is done with most weights, and cannot be shared
 * out within one; so that of one weight may go on while the next is begun. */
enum { FLIGHT = 2 };

struct peft_hasher {
	struct peft_source	*source;
	struct digest		*d;
	size_t			 n, done;
	size_t			 most, flying;	/* the last of those done */
	pthread_t		 id[FLIGHT];
};

struct peft_hasher *
peft_hasher_open(struct peft_source *s, int threads, struct peft_err *err)
{
	struct peft_hasher *h = peft_calloc(1, sizeof(*h), err);

	if (h == NULL)
		return NULL;
	h->source = s;
	h->n = s->nwholes;
	h->most = threads == 1 ? 1 : FLIGHT;
	if ((h->d = peft_calloc(h->n, sizeof(*h->d), err)) == NULL) {
		free(h);
		return NULL;
	}
	return h;
}

static void *
run_one(void *d)
{
	digest_weight(d);
	return NULL;
}

/* Wait until no more than `some' are under way. */
static void
land(struct peft_hasher *h, size_t some)
{
	for (; h->flying > some; h->flying--)
		pthread_join(h->id[(h->done - h->flying) % FLIGHT], NULL);
}

/* Does what the hash is of last until the source is closed? */
static bool
lasts(const struct digest *d)
{
	const struct peft_scales *s = &d->w.scales;

	return s->absmax == NULL && s->qabsmax == NULL &&
	    s->exponents == NULL && s->zero == NULL && s->order == NULL &&
	    peft_source_is_mapped(d->source, d->i);
}

void
peft_hasher_begin(struct peft_hasher *h, const struct peft_weight *w)
{
	struct digest *d = &h->d[h->done];

	land(h, h->most - 1);
	*d = (struct digest){ .w = *w, .source = h->source, .i = h->done };
	d->lasts = lasts(d);
	if (pthread_create(&h->id[h->done % FLIGHT], NULL, run_one, d) == 0) {
		h->flying++;
		h->done++;
		return;
	}
	land(h, 0);
	h->done++;
	digest_weight(d);
}

void
peft_hasher_wait(struct peft_hasher *h)
{
	if (h->done == 0 || !h->d[h->done - 1].lasts)
		land(h, 0);
}

void
peft_hasher_end(struct peft_hasher *h, char *hex)
{
	land(h, 0);
	digest_of_all(h->d, h->done, hex);
}

void
peft_hasher_close(struct peft_hasher *h)
{
	if (h == NULL)
		return;
	land(h, 0);
	free(h->d);
	free(h);
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
