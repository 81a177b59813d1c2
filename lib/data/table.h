/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_TABLE_H
#define PEFT_DATA_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Tables with a line a record, fields separated by tabs, commas or
 * semicolons and quoted as RFC 4180 says (a quoted field may hold line
 * breaks), made JSON objects.  Which sign separates is told by the first
 * line.
 */
struct peft_table;

/*
 * columns: as peft_columns_open() has it, by the names of the first line; if
 * it has numbers, the first line is a record too (*has_record).
 */
struct peft_table *peft_table_open(const char *first, size_t len,
		    const char *columns, bool *has_record, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Lines, one by one, without their newline: 0 the record goes on, 1 it is
 * whole, and was put at the end of *json; -1 it is none, begin anew. */
int		 peft_table_line(struct peft_table *, const char *line,
		    size_t len, struct peft_buf *json, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Is a quoted field open? */
bool		 peft_table_inside(const struct peft_table *);
/* "commas", "tabs", "semicolons". */
const char	*peft_table_separator(const struct peft_table *);
void		 peft_table_close(struct peft_table *);

#endif
