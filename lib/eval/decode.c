/* SPDX-License-Identifier: Apache-2.0 */
/* Continuing prompts, several at once. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/decode.h"

struct slot {
	struct peft_request	*request;	/* NULL: free */
	struct peft_kv		*kv;
	const int32_t		*ids;		/* not yet in the cache */
	size_t			 n;
};

struct decoder {
	struct peft_net			*net;
	const struct peft_sampling	*sampling;
	struct peft_run			*run;
	struct peft_caps		 caps;
	struct slot			*slots;
	size_t				 width;
	/* of one call of the net */
	struct peft_seq			*seqs;
	size_t				*rows, *which;
	float				*logits;	/* [width, vocab] */
	uint32_t			*order;		/* [vocab] */
};

/* What the longest request needs bounds all caches; a call of the net holds
 * one prompt at least, and one token of every slot. */
static struct peft_caps
caps_of(const struct peft_request *r, size_t n, size_t width)
{
	struct peft_caps caps = { .seqs = width, .tokens = width };
	size_t i;

	for (i = 0; i < n; i++) {
		if (r[i].n + r[i].max > caps.seq)
			caps.seq = r[i].n + r[i].max;
		if (r[i].n + width > caps.tokens)
			caps.tokens = r[i].n + width;
	}
	if (caps.tokens < 512 && width > 1)
		caps.tokens = 512;	/* several short prompts in one call */
	return caps;
}

static int
decoder_open(struct decoder *d, struct peft_err *err)
{
	size_t V = peft_net_config(d->net)->vocab, i;

	d->slots = peft_calloc(d->width, sizeof(*d->slots), err);
	d->seqs = peft_calloc(d->width, sizeof(*d->seqs), err);
	d->rows = peft_calloc(d->width, sizeof(*d->rows), err);
	d->which = peft_calloc(d->width, sizeof(*d->which), err);
	d->logits = peft_calloc(d->width * V, sizeof(*d->logits), err);
	d->order = peft_calloc(V, sizeof(*d->order), err);
	if (d->slots == NULL || d->seqs == NULL || d->rows == NULL ||
	    d->which == NULL || d->logits == NULL || d->order == NULL)
		return -1;
	for (i = 0; i < d->width; i++)
		if ((d->slots[i].kv = peft_kv_open(d->net, d->caps.seq,
		    err)) == NULL)
			return -1;
	d->run = peft_run_open(d->net, &d->caps, err);
	return d->run == NULL ? -1 : 0;
}

static void
decoder_close(struct decoder *d)
{
	size_t i;

	for (i = 0; d->slots != NULL && i < d->width; i++)
		peft_kv_close(d->slots[i].kv);
	peft_run_close(d->run);
	free(d->slots);
	free(d->seqs);
	free(d->rows);
	free(d->which);
	free(d->logits);
	free(d->order);
}

/* Give free slots the next requests. */
static size_t
fill_slots(struct decoder *d, struct peft_request *r, size_t next, size_t n)
{
	size_t i;

	for (i = 0; i < d->width && next < n; i++) {
		struct slot *s = &d->slots[i];

		if (s->request != NULL)
			continue;
		r[next].nout = 0;
		r[next].ended = false;
		if (r[next].max == 0) {
			next++;
			i--;
			continue;
		}
		s->request = &r[next++];
		s->ids = s->request->prompt;
		s->n = s->request->n;
		peft_kv_cut(s->kv, 0);
	}
	return next;
}

/* As many slots as fit into one call; returns their number. */
static size_t
gather(struct decoder *d)
{
	size_t i, k = 0, T = 0;

	for (i = 0; i < d->width; i++) {
		const struct slot *s = &d->slots[i];

		if (s->request == NULL || s->n > d->caps.tokens - T)
			continue;
		d->seqs[k] = (struct peft_seq){ .ids = s->ids, .n = s->n,
		    .adapter = s->request->adapter, .kv = s->kv, .weight = 1,
		    .task = s->request->task };
		T += s->n;
		d->rows[k] = T - 1;
		d->which[k++] = i;
	}
	return k;
}

static int
take_token(struct decoder *d, struct slot *s, float *logits,
    struct peft_err *err)
{
	const struct peft_config *c = peft_net_config(d->net);
	struct peft_request *r = s->request;

	r->out[r->nout] = peft_sample(d->sampling, logits, c->vocab, r->stream,
	    r->nout, d->order);
	s->ids = &r->out[r->nout++];
	s->n = 1;
	r->ended = peft_config_is_eos(c, *s->ids);
	if (r->token != NULL && r->token(r->ctx, r, err) == -1)
		return -1;
	if (r->ended || r->nout == r->max)
		s->request = NULL;
	return 0;
}

int
peft_decode_requests(struct peft_net *net, const struct peft_sampling *s,
    struct peft_request *r, size_t n, size_t width, struct peft_err *err)
{
	size_t extra = peft_sites_virtual(peft_net_sites(net), -1);
	size_t V = peft_net_config(net)->vocab, next = 0, i, k;
	struct decoder d = { .net = net, .sampling = s };
	int status = -1;

	d.width = width < n ? width : n;
	d.caps = caps_of(r, n, d.width);
	d.caps.seq += extra;		/* adapters' virtual tokens */
	d.caps.tokens += extra * d.width;
	if (n == 0)
		return 0;
	if (decoder_open(&d, err) == -1)
		goto out;
	for (;;) {
		next = fill_slots(&d, r, next, n);
		if ((k = gather(&d)) == 0)
			break;
		if (peft_run_logits(d.run, d.seqs, k, d.rows, k, d.logits,
		    err) == -1)
			goto out;
		for (i = 0; i < k; i++)
			if (take_token(&d, &d.slots[d.which[i]],
			    d.logits + i * V, err) == -1)
				goto out;
	}
	status = 0;
out:
	decoder_close(&d);
	return status;
}
