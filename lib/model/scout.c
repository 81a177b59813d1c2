/* SPDX-License-Identifier: Apache-2.0 */
/* The pass before the pass, of adapters that act by what it shows. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

static size_t
floats_of(const struct peft_run *run, const struct peft_scout *s)
{
	return s->ops->saved(s->self, run->caps.tokens);
}

void
peft_scout_layout(struct peft_run *run)
{
	const struct peft_scout *s;
	size_t n = 0;

	for (s = run->net->sites.scouts; s != NULL; s = s->next)
		n += floats_of(run, s);
	run->scout = peft_arena_get(&run->arena, n, sizeof(float));
}

/* What comes through a cache later may be a scout's, so that all that goes
 * into one passes twice. */
bool
peft_scout_wanted(const struct peft_run *run)
{
	const struct peft_scout *s;
	size_t i;

	for (s = run->net->sites.scouts; s != NULL; s = s->next)
		for (i = 0; i < run->nseqs; i++)
			if (run->seqs[i].adapter == s->adapter ||
			    run->seqs[i].kv != NULL)
				return true;
	return false;
}

void
peft_scout_see(struct peft_run *run)
{
	const struct peft_range all = { .n = run->T };
	size_t D = run->net->config.hidden;
	const struct peft_scout *s;
	float *kept = run->scout;

	peft_op_norm(run, &run->net->norm, run->normed, run->out, run->T);
	for (s = run->net->sites.scouts; s != NULL; s = s->next) {
		struct peft_hook_call c = peft_hook_at(run, &all, run->ident,
		    run->normed, D, kept);

		s->ops->forward(s->self, &c, NULL, 0);
		kept += floats_of(run, s);
	}
}
