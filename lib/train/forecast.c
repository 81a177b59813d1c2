/* SPDX-License-Identifier: Apache-2.0 */
/* The plan and the time of a run, before it. */

#include <stdio.h>

#include "base/opt.h"
#include "math/peak.h"
#include "model/estimate.h"
#include "train/forecast.h"
#include "train/trainer.h"

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
	struct apart apart = apart_of(cpu);
	struct peft_stepwork w, again;
	struct peft_stepmean m;
	double rate, memory, peak;

	if (peft_train_mean(t, &m, err) == -1 ||
	    (rate = peft_net_rate(t->net, t->plan.micro_tokens, err)) < 0 ||
	    (memory = peft_peak_memory(cpu, err)) < 0)
		return -1;
	peft_cpu_compute(cpu, PEFT_COMPUTE_F32);
	peak = peft_peak_products(cpu);
	peft_cpu_compute(cpu, t->opt.compute);
	w = peft_train_work(t, &e, &m, t->plan.again);
	again = peft_train_again(&e, &m, t->plan.again);
	f->tokens = m.tokens;
	f->computed = m.computed;
	f->worth = peft_train_price(&w);
	f->again = peft_train_price(&again);
	f->seconds = w.products / rate + w.attention /
	    (apart.attention * peak) + w.passing * apart.passing *
	    sizeof(float) / memory;
	return 0;
}

/* The micro-batches, and in how many layers parts are made again. */
static void
put_plan(char *text, size_t size, const struct peft_trainplan *p)
{
	const char *between = ", activations computed again: ";
	size_t at = (size_t)snprintf(text, size, "micro-batches of %zu tokens",
	    p->micro_tokens);
	int i;

	for (i = 0; i < PEFT_NPART && at < size; i++)
		if (p->again[i] > 0) {
			at += (size_t)snprintf(text + at, size - at,
			    "%s%s of %zu layer%s", between, peft_part_names[i],
			    p->again[i], p->again[i] == 1 ? "" : "s");
			between = "; ";
		}
}

void
peft_trainer_say(const struct peft_trainer *t)
{
	char text[512];

	put_plan(text, sizeof(text), &t->plan);
	peft_warn("%s; %.1f MiB planned", text, peft_mib(t->plan.total));
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
	char text[512];
	size_t i;

	put_plan(text, sizeof(text), p);
	printf("%zu steps, %s\n", t->total, text);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]) - (p->begun == 0); i++)
		printf("%-28s %10.1f MiB\n", rows[i].what,
		    (double)rows[i].bytes / 0x1p20);
	printf("%-28s %10.1f MiB\n", "total", peft_mib(p->total));
	if (f == NULL)
		return;
	printf("%-28s %10.3f s of %.0f tokens, %.0f tokens/s\n",
	    "a step, about", f->seconds, f->tokens, f->tokens / f->seconds);
	printf("%-28s %10.1f GF of products, %.1f %% of it made again\n",
	    "  it is worth", f->worth * 1e-9, 100 * f->again / f->worth);
	if (f->computed < f->tokens)
		printf("%-28s %10.0f tokens: what records begin with alike, "
		    "once\n", "  it computes", f->computed);
}
