/* SPDX-License-Identifier: Apache-2.0 */
/* The grids of ggml's IQ types. */

#include "quant/decode.h"

const struct peft_grids peft_grids = {
#include "quant/iq-tables.inc"
};
