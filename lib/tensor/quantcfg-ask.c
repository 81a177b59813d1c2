/* SPDX-License-Identifier: Apache-2.0 */
/* What a quantization_config calls for. */

#include "tensor/quantcfg.h"

bool
peft_quantcfg_needs_zeros(const struct peft_quantcfg *c, unsigned bits)
{
	size_t i;

	for (i = 0; i < c->nschemes; i++)
		if (c->scheme[i].bits == bits && c->scheme[i].symmetric)
			return false;
	return c->nschemes > 0;
}

bool
peft_quantcfg_all_blocks(const struct peft_quantcfg *c, unsigned bits)
{
	size_t i, n = 0;

	for (i = 0; i < c->nschemes; i++) {
		const struct peft_quantscheme *q = &c->scheme[i];

		if (q->bits == bits && q->block[0] == 0 && q->group == 0)
			return false;
		n += q->bits == bits;
	}
	return n > 0;
}

bool
peft_quantcfg_has(const struct peft_quantcfg *c, enum peft_dtype t)
{
	size_t i;

	if (c->method == PEFT_QM_NONE)
		return true;
	for (i = 0; i < c->nschemes; i++) {
		const struct peft_quantscheme *q = &c->scheme[i];

		if (q->is_float ? t == q->f8 ||
		    (t != PEFT_I8 && q->f8 == PEFT_F32) : t == PEFT_I8)
			return true;
	}
	return false;
}
