/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_TABLE_IMPL_H
#define PEFT_DATA_TABLE_IMPL_H

#include "data/columns.h"
#include "data/table.h"

enum state { START, BARE, QUOTED, CLOSED };	/* of a field */

struct peft_table {
	struct peft_column *columns;	/* [n] */
	size_t		 n;
	char		 separator;
	/* the record that is being read */
	struct peft_buf	 text;		/* fields, end to end */
	size_t		*ends;		/* [nfields] in it */
	size_t		 nfields, cap;
	enum state	 state;
};

/* Take in a line: 1 the record is whole, 0 it goes on, -1. */
int		 peft_table_take(struct peft_table *, const char *line,
		    size_t len, struct peft_err *) PEFT_MUSTCHECK;
/* Forget the record that was being read. */
void		 peft_table_begin(struct peft_table *);
/* Field i of it, until the next line. */
const char	*peft_table_field(const struct peft_table *, size_t i,
		    size_t *len);

#endif
