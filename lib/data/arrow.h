/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ARROW_H
#define PEFT_DATA_ARROW_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Columns in memory, as Arrow's C data interface hands them from one library
 * to another (arrow.apache.org, "The Arrow C data interface"; the names and
 * the guard are the specification's), and their values as JSON.
 */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

struct ArrowSchema {
	const char	*format;	/* the type: "u" UTF-8, "l" int64 ... */
	const char	*name, *metadata;
	int64_t		 flags, n_children;
	struct ArrowSchema **children, *dictionary;
	void		(*release)(struct ArrowSchema *);
	void		*private_data;
};

struct ArrowArray {
	int64_t		 length, null_count, offset, n_buffers, n_children;
	const void	**buffers;
	struct ArrowArray **children, *dictionary;
	void		(*release)(struct ArrowArray *);
	void		*private_data;
};

#endif

/* Have all values of that type a form in JSON?  -1: the message names the
 * first that has not. */
int	peft_arrow_check(const struct ArrowSchema *, struct peft_err *)
	    PEFT_MUSTCHECK;
/*
 * Append value i of an array, which must be valid, as JSON: what pyarrow's
 * to_pylist() has, with times in the form of ISO 8601, and with these
 * differences: a field of a structure that is null is left out, for that is
 * how columns say that there is none; maps with names for keys are objects; NaN
 * and infinities are null.  -1: a string that is no UTF-8; the message names
 * its field.
 */
int	peft_arrow_put(struct peft_buf *, const struct ArrowSchema *,
	    const struct ArrowArray *, int64_t i, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Is value i null? */
int	peft_arrow_null(const struct ArrowSchema *, const struct ArrowArray *,
	    int64_t i);

#endif
