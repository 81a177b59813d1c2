/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_BASE64_H
#define PEFT_BASE_BASE64_H

#include "base/buf.h"

/* Append n bytes in base64 (RFC 4648, with padding). */
void	peft_base64_put(struct peft_buf *, const void *, size_t n);
/* Append what n characters of base64 stand for.  0, or -1 when they are none:
 * whole groups of four, padding only at the end, no spaces. */
int	peft_base64_get(struct peft_buf *, const char *, size_t n)
	    PEFT_MUSTCHECK;

#endif
