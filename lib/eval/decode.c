/* SPDX-License-Identifier: Apache-2.0 */
/* Continuing prompts, several at once. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/progress.h"
#include "eval/decode-impl.h"
#include "model/rope.h"

enum { CHUNK = 512 };		/* tokens of prompts in one call of the net */

struct decoder {
	struct peft_net			*net;
	const struct peft_decodeopt	*opt;
	const struct peft_clerk		*clerk;
	struct peft_seats		 seats;
	struct peft_run			*run;
	struct peft_caps		 caps;
	struct peft_request		*waiting;	/* for a place */
	bool				 no_more;
	struct peft_decodestat		 stat;
	/* of one call of the net */
	struct peft_seq			*seqs;
	size_t				 nseqs;
	size_t				*rows;	/* of those that get a token */
	struct peft_seat		**which;
	size_t				 nrows;
	float				*logits;	/* [width, vocab] */
	uint32_t			*order;		/* [threads, vocab] */
	int32_t				*ids;		/* [width] */
};

static int
decoder_open(struct decoder *d, struct peft_err *err)
{
	size_t V = peft_net_config(d->net)->vocab, n = d->opt->width;

	d->seqs = peft_calloc(n, sizeof(*d->seqs), err);
	d->rows = peft_calloc(n, sizeof(*d->rows), err);
	d->which = peft_calloc(n, sizeof(struct peft_seat *), err);
	d->logits = peft_calloc(n * V, sizeof(*d->logits), err);
	d->order = peft_calloc(V * (size_t)peft_cpu_threads(
	    peft_net_cpu(d->net)), sizeof(*d->order), err);
	d->ids = peft_calloc(n, sizeof(*d->ids), err);
	if (d->seqs == NULL || d->rows == NULL || d->which == NULL ||
	    d->logits == NULL || d->order == NULL || d->ids == NULL)
		return -1;
	return peft_seats_open(&d->seats, d->net, n, d->opt->limit, err);
}

static void
decoder_close(struct decoder *d)
{
	peft_cpu_sum(peft_net_cpu(d->net), PEFT_BY_NUMBER);
	peft_run_close(d->run);
	peft_seats_close(&d->seats);
	free(d->seqs);
	free(d->rows);
	free(d->which);
	free(d->logits);
	free(d->order);
	free(d->ids);
}

/* A workspace that is large enough; it holds nothing between calls.  Where
 * angles vary with the length, prompts are not cut. */
static int
make_run(struct decoder *d, const struct peft_request *r, struct peft_err *err)
{
	size_t extra = peft_sites_virtual(peft_net_sites(d->net), -1);
	size_t seq = r->n + r->max + extra, tokens = CHUNK + extra;
	size_t width = d->opt->width, most = 256;

	if (peft_rope_varies(peft_net_config(d->net), seq))
		tokens = r->n + extra;
	tokens = tokens < width ? width : tokens;
	if (d->run != NULL && seq <= d->caps.seq && tokens <= d->caps.tokens)
		return 0;
	while (most < seq)
		most *= 2;
	if (peft_rope_varies(peft_net_config(d->net), most))
		most = seq;
	peft_run_close(d->run);
	d->caps = (struct peft_caps){ .seqs = width, .tokens = tokens,
	    .seq = most > d->caps.seq ? most : d->caps.seq };
	d->run = peft_run_open(d->net, &d->caps, err);
	return d->run == NULL ? -1 : 0;
}

/* Adapters came and went: what hung on them is made anew. */
static int
renew(struct decoder *d, struct peft_err *err)
{
	peft_run_close(d->run);
	d->run = NULL;
	d->caps.seq = 0;
	return peft_seats_forget(&d->seats, d->net, d->opt->limit, err);
}

/* The one that waits, whose error is in *err. */
static int
refuse(const struct decoder *d, struct peft_err *err)
{
	const struct peft_clerk *c = d->clerk;

	return c->refused == NULL ? -1 : c->refused(c->ctx, d->waiting, err);
}

/* Requests into free places, as many as there are. */
static int
fill(struct decoder *d, struct peft_err *err)
{
	bool changed;
	int r;

	while (!d->no_more || d->waiting != NULL) {
		size_t busy = peft_seats_busy(&d->seats);

		if (busy == d->opt->width)
			return 0;
		changed = false;
		if (d->waiting == NULL) {
			r = d->clerk->next(d->clerk->ctx, busy == 0,
			    &d->waiting, &changed, err);
			if (r == -1 || (changed && renew(d, err) == -1))
				return -1;
			d->no_more = r == PEFT_NO_MORE;
			if (r != PEFT_REQUEST && (busy > 0 || d->no_more))
				return 0;
			if (r != PEFT_REQUEST)
				continue;
			d->waiting->nout = 0;
			d->waiting->ended = false;
		}
		if (make_run(d, d->waiting, err) == -1)
			return -1;
		r = peft_seats_take(&d->seats, d->waiting, err);
		if (r == 0 || (r == -1 && refuse(d, err) == -1))
			return r;
		if (r == 1)
			d->stat.prompts += d->waiting->n;
		d->waiting = NULL;
	}
	return 0;
}

static void
add_seq(struct decoder *d, struct peft_seat *s, const int32_t *ids, size_t n,
    int adapter)
{
	d->seqs[d->nseqs++] = (struct peft_seq){ .ids = ids, .n = n,
	    .adapter = adapter, .kv = s->kv, .weight = 1,
	    .task = s->request->task };
}

/* The next tokens of prompts, the request that came first first.  A call's
 * tokens of one prompt are of one adapter. */
static void
gather_prompts(struct decoder *d)
{
	size_t T = 0, i, at, n, end, width = d->opt->width;
	uint64_t from = 0, turn;
	int adapter;

	for (d->nseqs = d->nrows = 0; T < d->caps.tokens; from = turn + 1) {
		struct peft_seat *s = NULL;

		for (turn = UINT64_MAX, i = 0; i < width; i++) {
			struct peft_seat *o = &d->seats.at[i];

			if (o->request != NULL && o->request->nout == 0 &&
			    o->turn >= from && o->turn < turn) {
				s = o;
				turn = o->turn;
			}
		}
		if (s == NULL)
			break;
		if (!peft_seats_begin(&d->seats, s))
			continue;
		at = peft_kv_len(s->kv);
		adapter = peft_seat_adapter(s, at, &end);
		n = (end < s->n ? end : s->n) - at;
		if (at == 0 && peft_sites_virtual(d->seats.sites, -1) > 0)
			T += peft_sites_virtual(d->seats.sites, -1);
		if (T >= d->caps.tokens)
			break;
		n = n < d->caps.tokens - T ? n : d->caps.tokens - T;
		add_seq(d, s, s->ids + at, n, adapter);
		T += n;
		if (at + n < s->n)
			continue;
		d->rows[d->nrows] = 0;
		d->which[d->nrows++] = s;
	}
}

static int
by_adapter(const void *pa, const void *pb)
{
	const struct peft_seq *a = pa, *b = pb;

	return (a->adapter > b->adapter) - (a->adapter < b->adapter);
}

/* The last token of every request that has one. */
static void
gather_tokens(struct decoder *d)
{
	size_t i, end;

	for (d->nseqs = d->nrows = i = 0; i < d->opt->width; i++) {
		struct peft_seat *s = &d->seats.at[i];
		struct peft_request *r = s->request;

		if (r != NULL && r->nout > 0) {
			add_seq(d, s, &r->out[r->nout - 1], 1,
			    peft_seat_adapter(s, s->n + r->nout - 1, &end));
			d->which[d->nrows++] = s;
		}
	}
}

static void
choose_token(void *ctx, size_t i, int thread)
{
	struct decoder *d = ctx;
	size_t V = peft_net_config(d->net)->vocab;
	const struct peft_request *r = d->which[i]->request;

	d->ids[i] = peft_sample(&d->opt->sampling, d->logits + i * V, V,
	    r->stream, r->nout, d->order + (size_t)thread * V);
}

static int
take_token(struct decoder *d, struct peft_seat *s, int32_t id,
    struct peft_err *err)
{
	struct peft_request *r = s->request;

	r->out[r->nout++] = id;
	d->stat.made++;
	r->ended = peft_config_is_eos(peft_net_config(d->net), id);
	if (d->clerk->token != NULL &&
	    d->clerk->token(d->clerk->ctx, r, err) == -1)
		return -1;
	if (!r->ended && r->nout < r->max)
		return 0;
	peft_seats_leave(&d->seats, s);
	return d->clerk->done(d->clerk->ctx, r, err);
}

/* One adapter's sequences side by side, so that its products are few. */
static void
sort(struct decoder *d)
{
	size_t i, k, T = 0;

	qsort(d->seqs, d->nseqs, sizeof(*d->seqs), by_adapter);
	for (i = 0; i < d->nseqs; i++) {
		T += d->seqs[i].n;
		for (k = 0; k < d->nrows; k++)
			if (d->which[k]->kv == d->seqs[i].kv)
				d->rows[k] = T - 1;
	}
	/* rows ascend, and so must whose they are */
	for (i = 1; i < d->nrows; i++)
		for (k = i; k > 0 && d->rows[k] < d->rows[k - 1]; k--) {
			struct peft_seat *s = d->which[k];
			size_t row = d->rows[k];

			d->rows[k] = d->rows[k - 1];
			d->which[k] = d->which[k - 1];
			d->rows[k - 1] = row;
			d->which[k - 1] = s;
		}
}

static int
run(struct decoder *d, enum peft_order_of_sums sums, struct peft_err *err)
{
	struct peft_cpu *cpu = peft_net_cpu(d->net);
	size_t i;

	if (d->nseqs == 0)
		return 0;
	sort(d);
	peft_cpu_sum(cpu, sums);
	if (peft_run_logits(d->run, d->seqs, d->nseqs, d->rows, d->nrows,
	    d->logits, err) == -1)
		return -1;
	peft_cpu_run(cpu, d->nrows, choose_token, d);
	for (i = 0; i < d->nrows; i++)
		if (take_token(d, d->which[i], d->ids[i], err) == -1)
			return -1;
	return 0;
}

int
peft_go_on(struct peft_net *net, const struct peft_decodeopt *opt,
    const struct peft_clerk *clerk, struct peft_err *err)
{
	struct decoder d = { .net = net, .opt = opt, .clerk = clerk };
	int r = decoder_open(&d, err);
	double t;

	while (r == 0) {
		if ((r = fill(&d, err)) == -1)
			break;
		if (peft_seats_busy(&d.seats) == 0)
			break;
		t = peft_now();
		gather_tokens(&d);
		if ((r = run(&d, PEFT_AS_FEW, err)) == -1)
			break;
		d.stat.making += peft_now() - t;
		t = peft_now();
		gather_prompts(&d);
		r = run(&d, PEFT_AS_MANY, err);
		d.stat.reading += peft_now() - t;
	}
	d.stat.shared = d.seats.shared;
	if (d.seats.pages != NULL)
		d.stat.peak = peft_pages_bytes(net, d.seats.room -
		    d.seats.left);
	if (opt->stat != NULL)
		*opt->stat = d.stat;
	decoder_close(&d);
	return r;
}
