/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_LOGITS_H
#define PEFT_MERGE_LOGITS_H

#include <stddef.h>

/* What logits say of the next token, in double.  n > 0. */

/* log of the sum of exponentials: -log p of token i is that minus x[i]. */
double	peft_logsum(const float *x, size_t n);
/* KL(softmax p || softmax q), in nats; at least 0. */
double	peft_divergence(const float *p, const float *q, size_t n);

#endif
