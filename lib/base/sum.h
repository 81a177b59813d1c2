/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_SUM_H
#define PEFT_BASE_SUM_H

#include <stddef.h>
#include <stdint.h>

/* A checksum of 64 bits against accidents (not against people: hash.h), as
 * fast as memory is read.  The same bytes in other pieces have the same sum;
 * begin with a struct of zeros. */
struct peft_sum {
	uint64_t	lane[8], n;
	uint8_t		rest[64];
};

void		peft_sum_add(struct peft_sum *, const void *, size_t);
uint64_t	peft_sum_end(const struct peft_sum *);

#endif
