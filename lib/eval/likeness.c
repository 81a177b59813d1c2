/* SPDX-License-Identifier: Apache-2.0 */
/* Two forms of a model over the same tokens. */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "data/load.h"
#include "eval/likeness.h"
#include "eval/session.h"
#include "math/cores.h"
#include "math/pool.h"
#include "math/vec.h"
#include "merge/logits.h"

static const size_t room = (size_t)256 << 20;	/* of logits, bytes */

/* Positions first .. first + n of a record, each of which has a next token. */
struct piece {
	size_t	record, first, n;
};

struct work {
	const struct peft_likenessopt	*opt;
	struct peft_records		 records;
	size_t				 vocab, longest;
	struct piece			*pieces;
	size_t				 npieces, cap;
	float				*want, *got;	/* [most, vocab] */
	size_t				 most;
	double				*kl;		/* [most] */
	unsigned char			*same;		/* [most] */
};

/* The records, by the tokenizer of the model as it was. */
static int
load_records(struct work *w, struct peft_err *err)
{
	char *paths[] = { (char *)(uintptr_t)w->opt->tokens };
	struct peft_sessionopt o = { .model = w->opt->before,
	    .threads = w->opt->threads };
	struct peft_loadopt load = { .encode.task = PEFT_TASK_CAUSAL_LM };
	struct peft_session ses;
	int r = -1;

	if (peft_session_open(&ses, &o, err) == -1)
		return -1;
	w->vocab = load.vocab = peft_net_config(ses.net)->vocab;
	if (peft_records_load(&w->records, &ses.codec, paths, 1, &load,
	    err) == 0)
		r = peft_records_plain(&w->records,
		    PEFT_TASK_CAUSAL_LM, err);
	peft_session_close(&ses);
	return r;
}

static int
add_pieces(struct work *w, size_t record, struct peft_err *err)
{
	size_t n = w->records.at[record].n, at, most = w->most;
	struct piece *grown;

	if (n > w->longest)
		w->longest = n;
	for (at = 0; at + 1 < n; at += most) {
		grown = peft_grow(w->pieces, w->npieces, &w->cap,
		    sizeof(*grown), err);
		if (grown == NULL)
			return -1;
		w->pieces = grown;
		w->pieces[w->npieces++] = (struct piece){ record, at,
		    n - 1 - at < most ? n - 1 - at : most };
	}
	return 0;
}

static int
prepare(struct work *w, struct peft_err *err)
{
	size_t i;

	if (load_records(w, err) == -1)
		return -1;
	w->most = room / (w->vocab * sizeof(float));
	w->most = w->most < 1 ? 1 : w->most;
	for (i = 0; i < w->records.n; i++)
		if (add_pieces(w, i, err) == -1)
			return -1;
	if (w->npieces == 0)
		return peft_seterr(err, "%s: no record has two tokens: there "
		    "is nothing to compare", w->opt->tokens);
	/* not more than is needed */
	for (i = 0, w->cap = 0; i < w->npieces; i++)
		w->cap += w->pieces[i].n;
	w->most = w->cap < w->most ? w->cap : w->most;
	w->want = peft_calloc(w->most * w->vocab, sizeof(float), err);
	w->got = peft_calloc(w->most * w->vocab, sizeof(float), err);
	w->kl = peft_calloc(w->most, sizeof(*w->kl), err);
	w->same = peft_calloc(w->most, 1, err);
	return w->want == NULL || w->got == NULL || w->kl == NULL ||
	    w->same == NULL ? -1 : 0;
}

static int
run_piece(struct peft_run *run, const struct work *w, const struct piece *p,
    int adapter, float *out, struct peft_err *err)
{
	const struct peft_record *rec = &w->records.at[p->record];
	struct peft_seq seq = { .ids = rec->ids, .n = p->first + p->n,
	    .weight = 1, .adapter = adapter, .task = rec->task };
	size_t *rows = peft_calloc(p->n, sizeof(*rows), err), i;
	int r = rows == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < p->n; i++)
		rows[i] = p->first + i;
	if (r == 0)
		r = peft_run_logits(run, &seq, 1, rows, p->n, out, err);
	free(rows);
	return r == -1 ? peft_errprefix(err, "%s",
	    peft_record_place(rec, p->record + 1).text) : 0;
}

/* The logits of pieces[0..n) by one of the two models. */
static int
run_model(struct work *w, const struct piece *p, size_t n, bool after,
    struct peft_err *err)
{
	struct peft_caps caps = { .tokens = w->longest, .seqs = 1,
	    .seq = w->longest };
	struct peft_sessionopt o = { .threads = w->opt->threads,
	    .model = after ? w->opt->after : w->opt->before,
	    .adapters = &w->opt->adapter, .any_base = true,
	    .nadapters = after && w->opt->adapter != NULL };
	float *out = after ? w->got : w->want;
	struct peft_run *run = NULL;
	struct peft_session ses;
	size_t i;
	int r = 0;

	if (peft_session_open(&ses, &o, err) == -1)
		return -1;
	if (peft_net_config(ses.net)->vocab != w->vocab)
		r = peft_setfail(err, PEFT_CHECK, "%s has a vocabulary of "
		    "%zu, not %zu", o.model, peft_net_config(ses.net)->vocab,
		    w->vocab);
	else if ((run = peft_run_open(ses.net, &caps, err)) == NULL)
		r = -1;
	for (i = 0; r == 0 && i < n; i++, out += p[i - 1].n * w->vocab)
		r = run_piece(run, w, &p[i], o.nadapters > 0 ? 0 : -1, out,
		    err);
	peft_run_close(run);
	peft_session_close(&ses);
	return r;
}

static void
compare_row(void *ctx, size_t i, int thread)
{
	const struct work *w = ctx;
	const float *want = w->want + i * w->vocab;
	const float *got = w->got + i * w->vocab;
	const struct peft_vec *v = peft_vec_best();

	(void)thread;
	w->kl[i] = peft_divergence(want, got, w->vocab);
	w->same[i] = v->argmax(want, w->vocab) == v->argmax(got, w->vocab);
}

static void
add_losses(const struct work *w, const struct piece *p, size_t row,
    struct peft_likeness *l)
{
	const struct peft_record *rec = &w->records.at[p->record];
	size_t i;

	for (i = 0; i < p->n; i++, row++) {
		const float *want = w->want + row * w->vocab;
		const float *got = w->got + row * w->vocab;
		int32_t label = rec->labels[p->first + i + 1];

		if (label == PEFT_IGNORE)
			continue;
		l->loss_before += peft_logsum(want, w->vocab) -
		    (double)want[label];
		l->loss_after += peft_logsum(got, w->vocab) -
		    (double)got[label];
		l->tokens++;
	}
}

/* Sums over pieces[0..n), whose logits are there. */
static int
add_pieces_up(struct work *w, const struct piece *p, size_t n,
    struct peft_likeness *l, struct peft_err *err)
{
	struct peft_pool *pool = peft_pool_open(w->opt->threads > 0 ?
	    w->opt->threads : peft_cores(), err);
	size_t i, k, row = 0;

	if (pool == NULL)
		return -1;
	for (i = 0; i < n; i++)
		row += p[i].n;
	peft_pool_run(pool, row, compare_row, w);
	peft_pool_close(pool);
	for (row = 0, i = 0; i < n; i++) {
		add_losses(w, &p[i], row, l);
		for (k = 0; k < p[i].n; k++, row++) {
			if (!isfinite(w->kl[row]))
				return peft_setfail(err, PEFT_NUMERIC,
				    "record %zu: logits are not finite",
				    p[i].record + 1);
			l->kl += w->kl[row];
			l->max_kl = fmax(l->max_kl, w->kl[row]);
			l->top1 += w->same[row];
		}
	}
	l->positions += row;
	return 0;
}

static int
compare_all(struct work *w, struct peft_likeness *l, struct peft_err *err)
{
	size_t i, n, rows;

	for (i = 0; i < w->npieces; i += n) {
		const struct piece *p = &w->pieces[i];

		for (n = 0, rows = 0; i + n < w->npieces &&
		    rows + p[n].n <= w->most; n++)
			rows += p[n].n;
		if (run_model(w, p, n, false, err) == -1 ||
		    run_model(w, p, n, true, err) == -1 ||
		    add_pieces_up(w, p, n, l, err) == -1)
			return -1;
	}
	l->kl /= (double)l->positions;
	l->top1 /= (double)l->positions;
	l->loss_before /= (double)l->tokens;
	l->loss_after /= (double)l->tokens;
	return 0;
}

int
peft_likeness(const struct peft_likenessopt *opt, struct peft_likeness *l,
    struct peft_err *err)
{
	struct work w = { .opt = opt };
	int r = prepare(&w, err);

	memset(l, 0, sizeof(*l));
	if (r == 0)
		r = compare_all(&w, l, err);
	peft_records_free(&w.records);
	free(w.pieces);
	free(w.want);
	free(w.got);
	free(w.kl);
	free(w.same);
	return r;
}

int
peft_likeness_metric(const void *likeness, const char *name, double *value)
{
	const struct peft_likeness *l = likeness;
	const struct {
		const char	*name;
		double		 value;
		size_t		 over;
	} rows[] = {
		{ "kl", l->kl, l->positions },
		{ "max_kl", l->max_kl, l->positions },
		{ "top1", l->top1, l->positions },
		{ "loss", l->loss_after, l->tokens },
		{ "loss_rise", l->loss_after - l->loss_before, l->tokens },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcasecmp(rows[i].name, name) == 0) {
			*value = rows[i].value;
			return rows[i].over > 0;
		}
	return -1;
}
