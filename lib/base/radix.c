/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting by the bytes of keys, from the lowest on. */

#include "base/radix.h"

static void
sort_byte(const struct peft_ranked *from, struct peft_ranked *to, size_t n,
    unsigned shift)
{
	size_t at[257] = { 0 }, i;

	for (i = 0; i < n; i++)
		at[(from[i].key >> shift & 255) + 1]++;
	for (i = 1; i < 257; i++)
		at[i] += at[i - 1];
	for (i = 0; i < n; i++)
		to[at[from[i].key >> shift & 255]++] = from[i];
}

void
peft_radix_sort(struct peft_ranked *r, size_t n, unsigned bytes)
{
	unsigned shift;

	for (shift = 0; shift < 8 * bytes; shift += 16) {
		sort_byte(r, r + n, n, shift);
		sort_byte(r + n, r, n, shift + 8);
	}
}
