/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_TORCH_H
#define PEFT_PEFT_TORCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * The numbers of torch's generator on a CPU, which some methods' files leave
 * to be made again from a seed: MT19937 (Matsumoto & Nishimura 1998).
 */
struct peft_torch {
	uint32_t	state[624];
	size_t		at;
};

void		peft_torch_seed(struct peft_torch *, uint32_t seed);
uint32_t	peft_torch_u32(struct peft_torch *);
/* torch.empty(..).uniform_(from, to), one element, f32. */
float		peft_torch_uniform(struct peft_torch *, double from,
		    double to);
/* The first k of torch.randperm(n), n < 2^32; 0, or -1: no memory. */
int		peft_torch_randperm(struct peft_torch *, uint64_t n,
		    uint64_t *first, size_t k);

#endif
