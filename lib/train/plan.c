/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a run, known before any of it is allocated. */

#include <string.h>

#include "train/trainer.h"

/* Code, BLAS and threads, config and names: as measured, within 4 MiB. */
enum { PROGRAM = 12 << 20 };

/* Records as they lie in memory. */
static size_t
bytes_of(const struct peft_records *r)
{
	size_t i, n = r->n * sizeof(*r->at);

	for (i = 0; i < r->n; i++)
		n += 2 * r->at[i].n * sizeof(*r->at[i].ids);
	return n;
}

static size_t
tokens_of(const struct peft_record *r)
{
	return r->n;
}

static size_t
supervised_of(const struct peft_record *r)
{
	return r->supervised;
}

/* The most of these that a record has. */
static size_t
longest(const struct peft_records *r, size_t (*of)(const struct peft_record *),
    size_t most)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		most = of(&r->at[i]) > most ? of(&r->at[i]) : most;
	return most;
}

int
peft_train_plan_for(struct peft_trainer *t, size_t tokens,
    struct peft_err *err)
{
	struct peft_trainplan *p = &t->plan;

	t->caps.tokens = tokens;
	t->caps.rows = t->rows < tokens ? t->rows : tokens;
	if (peft_run_plan(t->net, &t->caps, &p->run, err) == -1)
		return -1;
	p->micro_tokens = tokens;
	memcpy(p->again, t->caps.again, sizeof(p->again));
	p->total = p->weights + p->adapter + p->optimiser + p->program +
	    p->run.total;
	p->begun = 0;
	if (t->opt.begun_bytes > p->total) {
		p->begun = t->opt.begun_bytes - p->total;
		p->total = t->opt.begun_bytes;
	}
	return 0;
}

size_t
peft_train_before(struct peft_net *net, const struct peft_records *data)
{
	return peft_net_weight_bytes(net) + PROGRAM + bytes_of(data);
}

static size_t
optimiser_floats(const struct peft_trainer *t)
{
	size_t i, n = 0;
	int part;

	for (i = 0; i < t->nparams; i++)
		for (part = 0; part < PEFT_OPTPARTS; part++)
			n += peft_optimiser_floats(t->opt.optimiser,
			    &t->params[i], part);
	return n;
}

int
peft_train_plan(struct peft_trainer *t, struct peft_err *err)
{
	struct peft_trainplan *p = &t->plan;
	size_t seq = longest(t->data, tokens_of, 1), i;
	size_t tokens = t->opt.micro_tokens;

	p->weights = peft_net_weight_bytes(t->net);
	for (i = 0; i < t->nevals; i++)
		seq = longest(&t->evals[i].records, tokens_of, seq);
	t->tokens = t->rows = 0;
	for (i = 0; i < t->nevals; i++)
		t->rows = longest(&t->evals[i].records, supervised_of,
		    t->rows);
	t->rows += t->prompted;
	seq += t->extra;
	p->adapter = peft_adapter_bytes(t->adapter) + t->nvalues *
	    sizeof(float) * ((size_t)(t->nevals > 0) + (t->opt.ema > 0)) +
	    t->opt.beside;
	p->optimiser = optimiser_floats(t) * sizeof(float);
	p->program = PROGRAM + bytes_of(t->data);
	for (i = 0; i < t->nevals; i++)
		p->program += bytes_of(&t->evals[i].records);
	t->caps = (struct peft_caps){ .seq = seq, .train = true,
	    .share = !peft_adapter_drops(t->adapter) && t->opt.neftune == 0,
	    .smoothing = (float)t->opt.smoothing,
	    .zloss = (float)t->opt.zloss, .neftune = (float)t->opt.neftune,
	    .seed = t->opt.seed };
	/* more room than for the largest step is never used */
	if (peft_train_largest(t, err) == -1)
		return -1;
	tokens = tokens < t->tokens ? tokens : t->tokens;
	tokens = tokens > seq ? tokens : seq;
	t->caps.seqs = tokens < 4096 ? tokens : 4096;
	if (t->opt.mem_limit > 0)
		return peft_train_choose(t, tokens, seq, err);
	return peft_train_plan_for(t, tokens, err);
}
