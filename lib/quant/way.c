/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders and products of few tokens, by processor path. */

#include "math/int8.h"
#include "math/panel.h"
#include "quant/few-fixed.h"
#include "quant/way.h"

static const struct peft_way ways[] = {
	{ &peft_panel_f32_avx512, &peft_decoders_avx512, &peft_few_avx512 },
	{ &peft_panel_f32_avx2, &peft_decoders_avx2, &peft_few_avx2 },
	{ &peft_panel_f32_ref, &peft_decoders_ref, &peft_few_ref },
};

const struct peft_way *
peft_way_of(const struct peft_cpu *cpu)
{
	const struct peft_way *w = ways;

	while (w->f32 != peft_cpu_panel_f32(cpu))
		w++;
	return w;
}

const struct peft_few_fixed *
peft_fixed_of(const struct peft_cpu *cpu)
{
	const struct peft_panel_int8 *k = peft_cpu_panel_int8(cpu);

	return k == &peft_int8_amx ? &peft_few_fixed_amx :
	    k == &peft_int8_avx512vnni ? &peft_few_fixed_avx512vnni :
	    k == &peft_int8_avxvnni ? &peft_few_fixed_avxvnni : NULL;
}
