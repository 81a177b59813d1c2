/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_SPLIT_H
#define PEFT_DATA_SPLIT_H

#include <stddef.h>

#include "base/err.h"
#include "base/json.h"

/*
 * Parts of a data set that stay what they are when it grows: a record's part
 * is told by a hash of it, or of one of its fields, and not by its place.
 */
enum { PEFT_SPLIT_PARTS = 8 };

struct peft_split {
	size_t		 n;			/* 0: all is one part */
	double		 share[PEFT_SPLIT_PARTS];
	const char	*by;			/* a field; NULL: the record */
};

/* "90/10", "8/1/1": shares, in any unit. */
int	peft_split_parse(struct peft_split *, const char *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Keys may stand in any order; white space does not count. */
int	peft_split_part(const struct peft_split *, const cJSON *record,
	    size_t *part, struct peft_err *) PEFT_MUSTCHECK;

#endif
