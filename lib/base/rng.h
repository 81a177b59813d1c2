/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_RNG_H
#define PEFT_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random numbers without state: a number is a function of a key (made of a
 * seed and a name: a tensor's, "order", "sample") and a counter, by
 * Philox4x32-10 (Salmon et al., SC 2011).  So results depend on no order of
 * evaluation, no thread and no interruption.
 */
struct peft_rng {
	uint32_t	key[2];
};

struct peft_rng	peft_rng_key(uint64_t seed, const char *name);
uint64_t	peft_rng_u64(struct peft_rng, uint64_t hi, uint64_t lo);
/* In [0, 1), 53 bits. */
double		peft_rng_uniform(struct peft_rng, uint64_t hi, uint64_t lo);
/* Standard normal (Box-Muller over one 128-bit block). */
double		peft_rng_normal(struct peft_rng, uint64_t hi, uint64_t lo);
/* Below n, without bias. */
uint64_t	peft_rng_below(struct peft_rng, uint64_t hi, uint64_t lo,
		    uint64_t n);
/* order[] = a permutation of 0 .. n-1 that depends on key and epoch only. */
void		peft_rng_shuffle(struct peft_rng, uint64_t epoch,
		    size_t *order, size_t n);

#endif
