/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SIDE_H
#define PEFT_TENSOR_SIDE_H

#include "base/buf.h"
#include "tensor/source.h"
#include "tensor/tokjson.h"

/* A growing list of side files that owns names and data. */
struct peft_sides {
	struct peft_side	*at;
	size_t			 n, cap;
};

/* Takes over what is in *data (which is empty afterwards, also on failure).
 * The same name twice is an error. */
int	peft_sides_add(struct peft_sides *, const char *name,
	    struct peft_buf *data, struct peft_err *) PEFT_MUSTCHECK;
/* The same of a file of at most PEFT_MAXSIDE bytes.  A large one is mapped,
 * which takes a fraction of the time of reading it, where that leaves a NUL
 * behind it as behind what is read. */
enum { PEFT_MAXSIDE = 256 << 20 };
int	peft_sides_read(struct peft_sides *, const char *name,
	    const char *path, struct peft_err *) PEFT_MUSTCHECK;
/* tokenizer.json: takes over *told, which is empty afterwards, also on
 * failure. */
int	peft_sides_tell(struct peft_sides *, struct peft_tokjson *told,
	    struct peft_err *) PEFT_MUSTCHECK;
/* All of them have their bytes: what was told is spelt. */
int	peft_sides_spell(const struct peft_sides *, struct peft_err *)
	    PEFT_MUSTCHECK;
const struct peft_side *peft_sides_find(const struct peft_sides *,
	    const char *name);
void	peft_sides_free(struct peft_sides *);

/* The names that are side files: of a folder, and in peft.file/ tensors. */
extern const char *const peft_side_names[];	/* ends with NULL */

#endif
