/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_MAP_H
#define PEFT_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * From byte strings to numbers: open addressing, keys borrowed (they must
 * outlive the map).  Start from { 0 }.
 */
struct peft_map {
	struct peft_map_slot	*slots;
	size_t			 n, nslots;	/* nslots is a power of two */
};

struct peft_map_slot {
	const char	*key;		/* NULL: free */
	uint32_t	 len, hash;
	size_t		 value;
};

/* 1 added, 0 the key was there already (value unchanged), -1 no memory. */
int	peft_map_add(struct peft_map *, const char *key, size_t len,
	    size_t value, struct peft_err *) PEFT_MUSTCHECK;
/* The value's address, or NULL. */
size_t	*peft_map_find(const struct peft_map *, const char *key, size_t len);
void	peft_map_free(struct peft_map *);

#endif
