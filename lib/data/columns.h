/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_COLUMNS_H
#define PEFT_DATA_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Which fields of a record the columns of a table are. */
struct peft_column {
	char	*key;		/* in the record; NULL: left out */
	bool	 asked;		/* named by --columns */
};

struct peft_name {
	const char	*s;	/* of len bytes; may hold anything */
	size_t		 len;
};

/*
 * One for each of the n names.  columns: "NAME=COLUMN,...", a column by its
 * name or, if all are numbers, by its number (from 1); NAME alone stands for
 * NAME=NAME.  NULL: all columns under their own names, but those without one.
 */
struct peft_column *peft_columns_open(const struct peft_name *names, size_t n,
		    const char *columns, struct peft_err *) PEFT_MUSTCHECK;
/* Are all COLUMNs numbers? */
bool		 peft_columns_numbered(const char *columns);
void		 peft_columns_close(struct peft_column *, size_t n);

#endif
