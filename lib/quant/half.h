/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_HALF_H
#define PEFT_QUANT_HALF_H

/* 16-bit floats, for codecs; the scales of sources need them, too. */
#include "base/half.h"

#endif
