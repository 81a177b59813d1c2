/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_CONVERT_IMPL_H
#define PEFT_QUANT_CONVERT_IMPL_H

/* For convert*.c only. */

#include "quant/convert.h"

/* Why a spec differs from most, which notes are about. */
extern const char peft_why_misfit[], peft_why_joint[];

#endif
