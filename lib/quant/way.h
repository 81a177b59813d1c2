/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_WAY_H
#define PEFT_QUANT_WAY_H

#include "math/cpu.h"
#include "quant/decode.h"
#include "quant/few.h"

/* What reads stored weights on a cpu's path: one table for all who do. */
struct peft_way {
	const struct peft_panel_f32	*f32;	/* the path has these panels */
	const struct peft_decoders	*decoders;
	const struct peft_fews		*few;
};

const struct peft_way *peft_way_of(const struct peft_cpu *);
/* NULL: the path multiplies no whole numbers for few tokens. */
const struct peft_few_fixed *peft_fixed_of(const struct peft_cpu *);

#endif
