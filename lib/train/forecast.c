/* SPDX-License-Identifier: Apache-2.0 */
/* The plan and the time of a run, before it. */

#include <stdio.h>

#include "base/opt.h"
#include "math/peak.h"
#include "model/estimate.h"
#include "train/forecast.h"
#include "train/trainer.h"

/* Attention's backward in forwards; that of all that passes over memory. */
static const double attention_back = 2.5, back = 1.5;

/* What attention reaches of the peak of products in f32, and which part of
 * what passes over memory does so, by the compute type: with bf16 attention's
 * products are of it, too, and much is done within the tiles of products. */
struct apart {
	double	attention, passing;
};

static struct apart
apart_of(const struct peft_cpu *cpu)
{
	struct apart a = { 0.35, 1 };
	enum peft_compute c = peft_cpu_computes(cpu);

	if (c != PEFT_COMPUTE_F32 && peft_cpu_panel_bf16(cpu) != NULL)
		a.attention = 0.55;
	if (c == PEFT_COMPUTE_BF16 && peft_cpu_panel_bf16(cpu) != NULL)
		a.passing = 0.4;
	return a;
}

int
peft_trainer_forecast(struct peft_trainer *t, struct peft_forecast *f,
    struct peft_err *err)
{
	struct peft_estimate e = peft_net_estimate(t->net);
	struct peft_cpu *cpu = peft_net_cpu(t->net);
	double passes = t->plan.recompute ? 3 : 2, rate, memory, peak;
	struct apart apart = apart_of(cpu);
	struct peft_stepmean m;

	if (peft_train_mean(t, &m, err) == -1 || (rate = peft_net_rate(t->net,
	    t->plan.micro_tokens, err)) < 0 ||
	    (memory = peft_peak_memory(cpu, err)) < 0)
		return -1;
	peft_cpu_compute(cpu, PEFT_COMPUTE_F32);
	peak = peft_peak_products(cpu);
	peft_cpu_compute(cpu, t->opt.compute);
	/* an adapter's values are met forward, and twice backward */
	f->tokens = m.tokens;
	f->computed = m.computed;
	f->work = 2 * (m.computed * (e.layers * passes + 3 *
	    (double)t->nvalues) + m.supervised * e.head * 2);
	f->seconds = f->work / rate +
	    m.seen * e.attention * (passes - 1 + attention_back) /
	    (apart.attention * peak) + m.computed * e.passing *
	    apart.passing * sizeof(float) * (passes - 1 + back) / memory;
	return 0;
}

void
peft_trainer_print(const struct peft_trainer *t, const struct peft_forecast *f)
{
	const struct peft_trainplan *p = &t->plan;
	const struct {
		const char	*what;
		size_t		 bytes;
	} rows[] = {
		{ "weights, as they are stored", p->weights },
		{ "adapter and gradients", p->adapter },
		{ "optimiser", p->optimiser },
		{ "activations", p->run.activations },
		{ "  of them a layer", p->run.layer },
		{ "workspace", p->run.workspace },
		{ "logits", p->run.logits },
		{ "what the adapter makes", p->run.hooks },
		{ "program and records", p->program },
		{ "more, to begin from records", p->begun },
	};
	size_t i;

	printf("%zu steps, micro-batches of %zu tokens%s\n", t->total,
	    p->micro_tokens, p->recompute ? ", activations computed again" :
	    "");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) - (p->begun == 0); i++)
		printf("%-28s %10.1f MiB\n", rows[i].what,
		    (double)rows[i].bytes / 0x1p20);
	printf("%-28s %10.1f MiB\n", "total", peft_mib(p->total));
	if (f == NULL)
		return;
	printf("%-28s %10.3f s of %.0f tokens, %.0f tokens/s\n",
	    "a step, about", f->seconds, f->tokens, f->tokens / f->seconds);
	if (f->computed < f->tokens)
		printf("%-28s %10.0f tokens: what records begin with alike, "
		    "once\n", "  it computes", f->computed);
}
