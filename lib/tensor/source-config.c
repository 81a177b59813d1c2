/* SPDX-License-Identifier: Apache-2.0 */
/* What config.json says of how weights are stored. */

#include "tensor/source-impl.h"

int
peft_source_read_config(struct peft_source *s, struct peft_err *err)
{
	const struct peft_side *side = peft_sides_find(&s->sides,
	    "config.json");
	struct peft_quantcfg c;

	if (side == NULL || s->kind == PEFT_GGUF)
		return 0;
	if (peft_quantcfg_read(&c, side->data, side->len, err) == -1)
		return peft_errprefix(err, "config.json");
	if (c.method != PEFT_QM_NONE)
		s->quant = c;
	/* who runs the model says what is wrong with it */
	s->arch = peft_arch_of_config(side);
	return 0;
}
