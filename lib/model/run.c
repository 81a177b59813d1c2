/* SPDX-License-Identifier: Apache-2.0 */
/* The workspace of micro-batches: its plan, its calls. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/net-impl.h"
#include "model/rope.h"

static void
start(struct peft_run *run, struct peft_net *net, const struct peft_caps *caps,
    struct peft_saved *saved)
{
	const struct peft_virtual *v;
	size_t i;

	*run = (struct peft_run){ .net = net, .caps = *caps,
	    .vec = peft_cpu_vec(net->cpu), .saved = saved,
	    .lowest = (int)net->config.layers };
	for (v = net->sites.virtuals; v != NULL; v = v->next) {
		run->lowest = 0;
		run->deep |= v->embed != NULL;
	}
	for (i = 0; i < net->sites.n; i++) {
		const struct peft_site *s = &net->sites.at[i];
		bool first = s->kind == PEFT_EMBEDDING ||
		    s->slot == PEFT_AT_EMBED_NORM;
		int layer = first ? 0 : s->layer;

		if (s->hooks == NULL || layer < 0 || layer > run->lowest)
			continue;
		if (layer < run->lowest)
			run->deep = false;
		run->lowest = layer;
		run->deep |= first || s->kind == PEFT_NORM;
	}
}

int
peft_run_plan(struct peft_net *net, const struct peft_caps *caps,
    struct peft_plan *plan, struct peft_err *err)
{
	struct peft_saved *saved;
	struct peft_run run;

	saved = peft_calloc(net->config.layers, sizeof(*saved), err);
	if (saved == NULL)
		return -1;
	start(&run, net, caps, saved);
	peft_run_layout(&run);
	*plan = run.plan;
	free(saved);
	return 0;
}

struct peft_run *
peft_run_open(struct peft_net *net, const struct peft_caps *caps,
    struct peft_err *err)
{
	struct peft_saved *saved;
	struct peft_run *run;
	size_t k;
	int i;

	saved = peft_calloc(net->config.layers, sizeof(*saved), err);
	run = peft_calloc(1, sizeof(*run), err);
	if (saved == NULL || run == NULL || peft_net_settle(net,
	    caps->train, err) == -1) {
		free(saved);
		free(run);
		return NULL;
	}
	start(run, net, caps, saved);
	peft_run_layout(run);
	if (peft_arena_reserve(&run->arena, err) == -1) {
		peft_run_close(run);
		return NULL;
	}
	peft_run_layout(run);
	for (k = 0; run->ones != NULL && k < peft_norm_widest(&net->config);
	    k++)
		run->ones[k] = 1;
	for (i = 0; i < 2; i++)
		if (run->angles[i].cos != NULL)
			peft_rope_table(&net->config, i, 0, 0, caps->seq,
			    run->angles[i].cos, run->angles[i].sin);
	return run;
}

void
peft_run_close(struct peft_run *run)
{
	if (run == NULL)
		return;
	peft_arena_free(&run->arena);
	free(run->saved);
	free(run);
}
