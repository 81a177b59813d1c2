/* SPDX-License-Identifier: Apache-2.0 */
/* Laps: exclusive times and operations by kind of work. */

#include <string.h>

#include "base/progress.h"
#include "math/cpu-impl.h"
#include "math/profile.h"

const struct peft_work_info peft_works[PEFT_NWORK] = {
	[PEFT_WORK_EMBED] = { "embedding", 1 },
	[PEFT_WORK_FORWARD] = { "products", 0 },
	[PEFT_WORK_BACKWARD] = { "products, backward", 0 },
	[PEFT_WORK_PACK] = { "expansion, packing", 1 },
	[PEFT_WORK_ADAPTER] = { "adapter", 0 },
	[PEFT_WORK_ADAPTER_BACK] = { "adapter, backward", 0 },
	[PEFT_WORK_ATTENTION] = { "attention", 0 },
	[PEFT_WORK_ATTENTION_BACK] = { "attention, backward", 0 },
	[PEFT_WORK_NORM] = { "norms, residuals", 1 },
	[PEFT_WORK_ACT] = { "activations", 1 },
	[PEFT_WORK_ROPE] = { "positions", 1 },
	[PEFT_WORK_STASH] = { "rounding what is kept", 1 },
	[PEFT_WORK_HEAD] = { "head", 0 },
	[PEFT_WORK_HEAD_BACK] = { "head, backward", 0 },
	[PEFT_WORK_LOSS] = { "loss", 1 },
	[PEFT_WORK_OPTIMISER] = { "optimiser", 1 },
};

void
peft_profile_start(struct peft_cpu *cpu, struct peft_profile *p)
{
	memset(p, 0, sizeof(*p));
	p->since = peft_now();
	peft_pool_watch(cpu->pool, 1);
	cpu->profile = p;
}

void
peft_profile_stop(struct peft_cpu *cpu)
{
	struct peft_profile *p = cpu->profile;

	if (p == NULL)
		return;
	p->idle = peft_pool_idle(cpu->pool, peft_now() - p->since);
	peft_pool_watch(cpu->pool, 0);
	cpu->profile = NULL;
}

int
peft_profile_on(const struct peft_cpu *cpu)
{
	return cpu->profile != NULL;
}

struct peft_lap
peft_lap_begin(const struct peft_cpu *cpu)
{
	struct peft_profile *p = cpu->profile;
	struct peft_lap lap = { 0 };

	if (p == NULL)
		return lap;
	lap = (struct peft_lap){ peft_now(), cpu->work, p->inner,
	    p->inner_work };
	p->inner = p->inner_work = 0;
	return lap;
}

void
peft_lap_end(const struct peft_cpu *cpu, const struct peft_lap *lap,
    enum peft_work kind, int type, double amount)
{
	struct peft_profile *p = cpu->profile;
	struct peft_worked *w;
	double dt, work;

	if (p == NULL)
		return;
	dt = peft_now() - lap->t;
	work = cpu->work - lap->work;
	w = &p->at[kind][type];
	w->calls++;
	w->seconds += dt - p->inner;
	w->amount += amount;
	if (!peft_works[kind].bytes)
		w->amount += work - p->inner_work;
	else			/* the outer's: tiles of what is packed */
		work = p->inner_work;
	p->inner = lap->inner + dt;
	p->inner_work = lap->inner_work + work;
}
