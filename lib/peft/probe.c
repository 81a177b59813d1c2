/* SPDX-License-Identifier: Apache-2.0 */
/* Listening at the sites of a model while data passes. */

#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "data/tokens.h"
#include "peft/begin.h"

/* FNV-1a of the rows, as they lie in memory. */
static void
hash_rows(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct peft_probe *p = self;
	size_t t, i;

	(void)y;
	(void)ldy;
	for (t = 0; t < c->T; t++)
		for (i = 0; i < p->site->in; i++) {
			uint32_t bits;

			memcpy(&bits, &c->x[t * c->ldx + i], sizeof(bits));
			p->hash = (p->hash ^ bits) * UINT64_C(0x100000001b3);
		}
}

static const struct peft_hook_ops hashing = { .forward = hash_rows };

void
peft_probe_listen(struct peft_probe *p, const struct peft_hook_ops *ops,
    void *self)
{
	struct peft_hook **end = &p->site->hooks;

	for (; *end != NULL; end = &(*end)->next)
		;
	p->hook = (struct peft_hook){ ops, self, 0, NULL };
	*end = &p->hook;
}

void
peft_probe_stop(struct peft_probe *p)
{
	struct peft_hook **at = &p->site->hooks;

	for (; *at != NULL && *at != &p->hook; at = &(*at)->next)
		;
	if (*at != NULL)
		*at = p->hook.next;
}

static struct peft_caps
caps_of(const struct peft_probes *p, size_t batch, bool train)
{
	const struct peft_calibration *d = p->data;
	struct peft_caps caps = { .seqs = batch, .train = train,
	    .whole = true };
	size_t i, k, sum;

	for (i = 0; i < d->n; i += batch) {
		for (sum = 0, k = i; k < i + batch && k < d->n; k++) {
			sum += d->seqs[k].n;
			caps.seq = d->seqs[k].n > caps.seq ? d->seqs[k].n :
			    caps.seq;
		}
		caps.tokens = sum > caps.tokens ? sum : caps.tokens;
	}
	return caps;
}

static int
open_run(struct peft_probes *p, size_t batch, bool train,
    struct peft_err *err)
{
	struct peft_caps caps = caps_of(p, batch, train);

	p->run = peft_run_open(p->net, &caps, err);
	return p->run == NULL ? -1 : 0;
}

/* With hooks where they will be, from the lowest of which on layers keep what
 * backward needs. */
static int
plan(struct peft_probes *p, const struct peft_caps *caps,
    struct peft_plan *plan, struct peft_err *err)
{
	static const struct peft_hook_ops silent = { 0 };
	size_t i;
	int r;

	for (i = 0; i < p->n; i++)
		peft_probe_listen(&p->at[i], &silent, NULL);
	r = peft_run_plan(p->net, caps, plan, err);
	for (i = 0; i < p->n; i++)
		peft_probe_stop(&p->at[i]);
	return r;
}

int
peft_probes_need(struct peft_probes *p, size_t batch, bool train, size_t own,
    struct peft_err *err)
{
	const struct peft_calibration *d = p->data;
	struct peft_caps caps = caps_of(p, batch, train);
	struct peft_plan run;
	size_t need;

	if (plan(p, &caps, &run, err) == -1)
		return -1;
	need = d->before + run.total + own + p->values * sizeof(float);
	if (d->limit > 0 && need > d->limit)
		return peft_setfail(err, PEFT_CHECK, "to begin from records "
		    "needs %.1f MiB, the limit is %.1f MiB", peft_mib(need),
		    (double)d->limit / 0x1p20);
	if (d->need != NULL)
		*d->need = need;
	return 0;
}

static int
add_probes(struct peft_probes *p, struct peft_adapter *a,
    struct peft_err *err)
{
	size_t i, n;
	const struct peft_param *params = peft_adapter_params(a, &n);

	for (i = 0; i < n; i++)
		p->values += params[i].n;
	for (i = 0; i < a->nsites; i++) {
		struct peft_probe *q = &p->at[p->n];
		const struct peft_site *s = a->modules[i].site;

		if (s->kind != PEFT_LINEAR)
			return peft_seterr(err, "%s: what begins from data "
			    "can only be put on linear layers", s->path);
		q->module = &a->modules[i];
		q->site = peft_sites_find(peft_net_sites(p->net), s->path);
		q->same = p->n++;
		q->hash = UINT64_C(0xcbf29ce484222325);
	}
	return 0;
}

/* The probes whose inputs were the same in a batch. */
static int
find_same(struct peft_probes *p, size_t batch, struct peft_err *err)
{
	size_t i, k;
	int r;

	for (i = 0; i < p->n; i++)
		peft_probe_listen(&p->at[i], &hashing, &p->at[i]);
	r = open_run(p, batch, false, err) == -1 ? -1 :
	    peft_probes_pass(p, batch, false, err);
	peft_run_close(p->run);
	p->run = NULL;
	p->next = 0;
	for (i = 0; i < p->n; i++)
		peft_probe_stop(&p->at[i]);
	for (i = 0; i < p->n; i++) {
		for (k = 0; p->at[k].hash != p->at[i].hash ||
		    p->at[k].site->in != p->at[i].site->in; k++)
			;
		p->at[i].same = k;
	}
	return r;
}

int
peft_probes_open(struct peft_probes *p, struct peft_net *net,
    struct peft_adapter *a, const struct peft_calibration *data, size_t batch,
    bool train, struct peft_err *err)
{
	*p = (struct peft_probes){ .net = net, .data = data };
	if (data->n == 0)
		return peft_seterr(err, "there are no records to begin from");
	p->at = peft_calloc(a->nsites + 1, sizeof(*p->at), err);
	if (p->at == NULL || add_probes(p, a, err) == -1 ||
	    (!train && find_same(p, batch, err) == -1)) {
		peft_probes_close(p);
		return -1;
	}
	return 0;
}

void
peft_probes_close(struct peft_probes *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		peft_probe_stop(&p->at[i]);
	peft_run_close(p->run);
	free(p->at);
	p->at = NULL;
	p->n = 0;
}

/* The scale that makes the mean over the batch's tokens of the loss. */
static double
mean_of(const struct peft_seq *s, size_t n)
{
	size_t i, k, tokens = 0;

	for (i = 0; i < n; i++)
		for (k = 1; s[i].labels != NULL && k < s[i].n; k++)
			tokens += s[i].labels[k] != PEFT_IGNORE;
	return tokens == 0 ? 0 : 1 / (double)tokens;
}

int
peft_probes_pass(struct peft_probes *p, size_t batch, bool train,
    struct peft_err *err)
{
	const struct peft_seq *s = p->data->seqs + p->next;
	size_t n = p->data->n - p->next;
	struct peft_loss *loss;
	int r;

	n = n < batch ? n : batch;
	p->next = (p->next + n) % p->data->n;
	if (p->run == NULL && open_run(p, batch, train, err) == -1)
		return -1;
	if ((loss = peft_calloc(n, sizeof(*loss), err)) == NULL)
		return -1;
	r = train ? peft_run_train(p->run, s, n, mean_of(s, n), 0, loss,
	    err) : peft_run_loss(p->run, s, n, loss, err);
	free(loss);
	return r;
}
