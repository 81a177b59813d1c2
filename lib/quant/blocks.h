/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_BLOCKS_H
#define PEFT_QUANT_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

/* Of so many bytes of a type of ggml's (whole blocks; ggml-common.h), the
 * blocks with a scale or minimum that is NaN or Inf.  0 of other types. */
size_t	peft_blocks_bad(enum peft_dtype, const uint8_t *p, size_t nbytes);

#endif
