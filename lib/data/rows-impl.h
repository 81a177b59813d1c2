/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ROWS_IMPL_H
#define PEFT_DATA_ROWS_IMPL_H

#include "base/in.h"
#include "data/parquet.h"
#include "data/rows.h"
#include "data/table.h"

enum kind { UNKNOWN, LINES, LIST, TABLE, PARQUET };

struct peft_rows {
	struct peft_in	*in;
	enum kind	 kind;
	const char	*path, *columns;
	struct peft_table *table;
	struct peft_parquet *parquet;
	bool		 bom;		/* the first line begins with one */
	bool		 pending;	/* a record of its first line in text */
	/* a list, byte by byte */
	char		*chunk;		/* [CHUNK], for bytes at, at + 1, ... */
	size_t		 at, have, lineno;	/* lineno: or rows of Parquet */
	struct peft_buf	 text;
	size_t		 taken;		/* elements so far */
	int		 end;		/* what ended the last: , or ] */
};

/* How does it begin?  Editors of some systems put a byte order mark first. */
int	peft_rows_look(struct peft_rows *, struct peft_err *) PEFT_MUSTCHECK;
/* A line, without a byte order mark at the start of the input. */
int	peft_rows_line(struct peft_rows *, char **s, size_t *len,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
