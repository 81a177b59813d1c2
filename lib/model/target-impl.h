/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_TARGET_IMPL_H
#define PEFT_MODEL_TARGET_IMPL_H

#include "model/net-impl.h"
#include "model/ops-impl.h"

/* What token i of a sequence is to be predicted as, or PEFT_IGNORE. */
static inline int32_t
peft_seq_label(const struct peft_seq *s, size_t i)
{
	return s->labels == NULL || i >= s->n ? PEFT_IGNORE : s->labels[i];
}

/* The same of its prediction; a sequence's number stands for values. */
static inline int32_t
peft_target_of(const struct peft_run *run, size_t k, size_t i)
{
	const struct peft_seq *s = &run->seqs[k];
	int32_t label = peft_seq_label(s, i + run->net->config.ahead);

	return s->values == NULL || label == PEFT_IGNORE ? label : (int32_t)k;
}

/* What that counts in the loss of its sequence: virtual tokens may weigh
 * theirs. */
static inline float
peft_target_weight(const struct peft_run *run, size_t k, size_t i)
{
	const struct peft_virtual *v = run->net->sites.virtuals == NULL ?
	    NULL : peft_virtual_of(run, &run->given[k]);

	i += run->net->config.ahead;
	return v == NULL || v->weights == NULL || i >= v->n ? 1 :
	    v->weights[i];
}

#endif
