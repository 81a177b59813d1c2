/* SPDX-License-Identifier: Apache-2.0 */
/* torch's random numbers. */

#include <stdlib.h>

#include "peft/torch.h"

enum { N = 624, M = 397 };

void
peft_torch_seed(struct peft_torch *t, uint32_t seed)
{
	size_t i;

	t->state[0] = seed;
	for (i = 1; i < N; i++)
		t->state[i] = 1812433253U * (t->state[i - 1] ^
		    t->state[i - 1] >> 30) + (uint32_t)i;
	t->at = N;
}

static void
refill(struct peft_torch *t)
{
	size_t i;

	for (i = 0; i < N; i++) {
		uint32_t y = (t->state[i] & 0x80000000U) |
		    (t->state[(i + 1) % N] & 0x7fffffffU);

		t->state[i] = t->state[(i + M) % N] ^ y >> 1 ^
		    (y & 1 ? 0x9908b0dfU : 0);
	}
	t->at = 0;
}

uint32_t
peft_torch_u32(struct peft_torch *t)
{
	uint32_t y;

	if (t->at == N)
		refill(t);
	y = t->state[t->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680U;
	y ^= y << 15 & 0xefc60000U;
	return y ^ y >> 18;
}

float
peft_torch_uniform(struct peft_torch *t, double from, double to)
{
	float u = (float)(peft_torch_u32(t) & 0xffffff) * 0x1p-24F;

	return u * ((float)to - (float)from) + (float)from;
}

/* Places that are not themselves: a hash table of 4k slots, -1 free. */
static uint64_t *
slot(uint64_t *table, size_t mask, uint64_t place)
{
	size_t i = (size_t)(place * 0x9e3779b97f4a7c15U >> 20) & mask;

	while (table[2 * i] != UINT64_MAX && table[2 * i] != place)
		i = (i + 1) & mask;
	if (table[2 * i] == UINT64_MAX) {
		table[2 * i] = place;
		table[2 * i + 1] = place;
	}
	return &table[2 * i + 1];
}

int
peft_torch_randperm(struct peft_torch *t, uint64_t n, uint64_t *first,
    size_t k)
{
	size_t size = 16, i;
	uint64_t *table, *a, *b, z;

	while (size < 4 * k)
		size *= 2;
	if ((table = malloc(2 * size * sizeof(*table))) == NULL)
		return -1;
	for (i = 0; i < 2 * size; i++)
		table[i] = UINT64_MAX;
	for (i = 0; i < k; i++) {
		z = i + 1 < n ? peft_torch_u32(t) % (n - i) : 0;
		a = slot(table, size - 1, i);
		b = slot(table, size - 1, i + z);
		z = *a;
		*a = *b;
		*b = z;
		first[i] = *a;
	}
	free(table);
	return 0;
}
