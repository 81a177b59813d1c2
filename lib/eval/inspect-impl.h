/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_INSPECT_IMPL_H
#define PEFT_EVAL_INSPECT_IMPL_H

#include "base/json.h"
#include "eval/inspect.h"
#include "tensor/source.h"

/* inspect-quant.c: "quantization", if some weights have scales: the method,
 * and of each kind of quantised weight the bits, what has a scale of its
 * own, and how many there are. */
void	peft_inspect_quant(cJSON *report, const struct peft_source *);

#endif
