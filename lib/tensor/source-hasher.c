/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of a model's weights while another goes through them. */

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "tensor/digest-impl.h"

/* SHA-256 is the slowest that is done with most weights (a core's instructions
 * for it take all of their unit's time: two at once are no faster there), and
 * cannot be shared out within one.  So those of several go on while others are
 * converted, which is not to wait for them: a weight of half the model would
 * hold up all.  Of files, what is ahead of them costs no memory but the
 * system's cache; two weights may be as large as they are. */
enum { WORKERS = 2 };
static const size_t ahead_bytes = (size_t)192 << 20;

struct peft_hasher {
	struct peft_source	*source;
	struct peft_digest		*d;
	size_t			 n;
	pthread_t		 id[WORKERS];
	int			 workers;
	pthread_mutex_t		 lock;		/* of what follows */
	pthread_cond_t		 more, less;
	size_t			 begun, taken, done;
	size_t			 bytes;		/* begun and not done */
	bool			 over;
};

/* The next that is there, or NULL when there are to be no more. */
static struct peft_digest *
take(struct peft_hasher *h)
{
	struct peft_digest *d = NULL;

	pthread_mutex_lock(&h->lock);
	while (h->taken == h->begun && !h->over)
		pthread_cond_wait(&h->more, &h->lock);
	if (h->taken < h->begun)
		d = &h->d[h->taken++];
	pthread_mutex_unlock(&h->lock);
	return d;
}

static void *
serve(void *arg)
{
	struct peft_hasher *h = arg;
	struct peft_digest *d;

	while ((d = take(h)) != NULL) {
		peft_digest_weight(d);
		pthread_mutex_lock(&h->lock);
		h->done++;
		h->bytes -= d->w.nbytes;
		pthread_cond_signal(&h->less);
		pthread_mutex_unlock(&h->lock);
	}
	return NULL;
}

struct peft_hasher *
peft_hasher_open(struct peft_source *s, int threads, struct peft_err *err)
{
	struct peft_hasher *h = peft_calloc(1, sizeof(*h), err);
	int most = threads == 1 ? 1 : WORKERS;

	if (h == NULL)
		return NULL;
	h->source = s;
	h->n = s->nwholes;
	if ((h->d = peft_calloc(h->n, sizeof(*h->d), err)) == NULL) {
		free(h);
		return NULL;
	}
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
	pthread_cond_init(&h->less, NULL);
	while (h->workers < most && pthread_create(&h->id[h->workers], NULL,
	    serve, h) == 0)
		h->workers++;
	return h;
}

/* Wait until no more than `some' are under way, and those are not too much. */
static void
land(struct peft_hasher *h, size_t some)
{
	size_t flying;

	pthread_mutex_lock(&h->lock);
	while ((flying = h->begun - h->done) > some ||
	    (flying > 1 && h->bytes > ahead_bytes))
		pthread_cond_wait(&h->less, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

/* Does what the hash is of last until the source is closed? */
static bool
lasts(const struct peft_digest *d)
{
	const struct peft_scales *s = &d->w.scales;

	return s->absmax == NULL && s->qabsmax == NULL &&
	    s->exponents == NULL && s->zero == NULL && s->order == NULL &&
	    peft_source_is_mapped(d->source, d->i);
}

void
peft_hasher_begin(struct peft_hasher *h, const struct peft_weight *w)
{
	struct peft_digest *d = &h->d[h->begun];

	land(h, h->workers > 1 ? SIZE_MAX : 0);
	*d = (struct peft_digest){ .w = *w, .source = h->source,
	    .i = h->begun };
	d->lasts = lasts(d);
	if (h->workers == 0) {		/* no thread could be started */
		peft_digest_weight(d);
		h->begun = ++h->done;
		return;
	}
	pthread_mutex_lock(&h->lock);
	h->begun++;
	h->bytes += w->nbytes;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->lock);
}

void
peft_hasher_wait(struct peft_hasher *h)
{
	if (h->begun == 0 || !h->d[h->begun - 1].lasts)
		land(h, 0);
}

void
peft_hasher_end(struct peft_hasher *h, char *hex)
{
	land(h, 0);
	peft_digest_of_all(h->d, h->begun, hex);
}

void
peft_hasher_close(struct peft_hasher *h)
{
	if (h == NULL)
		return;
	land(h, 0);
	pthread_mutex_lock(&h->lock);
	h->over = true;
	pthread_cond_broadcast(&h->more);
	pthread_mutex_unlock(&h->lock);
	while (h->workers > 0)
		pthread_join(h->id[--h->workers], NULL);
	pthread_cond_destroy(&h->more);
	pthread_cond_destroy(&h->less);
	pthread_mutex_destroy(&h->lock);
	free(h->d);
	free(h);
}
