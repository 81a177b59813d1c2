/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_RADIX_H
#define PEFT_BASE_RADIX_H

#include <stddef.h>
#include <stdint.h>

/* Something to be sorted by its key. */
struct peft_ranked {
	uint64_t	key;
	int32_t		id;
};

/* Sort r[n] by the lowest `bytes' bytes of the keys, an even number, in steps
 * that compare nothing; what is equal stays as it stands.  r has room for n
 * more, which are used in passing. */
void	peft_radix_sort(struct peft_ranked *r, size_t n, unsigned bytes);

#endif
