/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SIDE_H
#define PEFT_TENSOR_SIDE_H

#include "base/buf.h"
#include "tensor/source.h"

/* A growing list of side files that owns names and data. */
struct peft_sides {
	struct peft_side	*at;
	size_t			 n, cap;
};

/* Takes over what is in *data (which is empty afterwards, also on failure).
 * The same name twice is an error. */
int	peft_sides_add(struct peft_sides *, const char *name,
	    struct peft_buf *data, struct peft_err *) PEFT_MUSTCHECK;
/* A large file by its path: 1 it is mapped, which takes a fraction of the time
 * of reading it; 0 it is not large, or cannot be mapped with a NUL behind
 * it, and is to be read and added; -1. */
int	peft_sides_map(struct peft_sides *, const char *name,
	    const char *path, struct peft_err *) PEFT_MUSTCHECK;
const struct peft_side *peft_sides_find(const struct peft_sides *,
	    const char *name);
void	peft_sides_free(struct peft_sides *);

/* The names that are side files: of a folder, and in peft.file/ tensors. */
extern const char *const peft_side_names[];	/* ends with NULL */

#endif
