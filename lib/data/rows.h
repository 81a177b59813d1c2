/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ROWS_H
#define PEFT_DATA_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * The records of one input, one after the other, each as the text of a JSON
 * object: a line of JSON lines, an element of one long list, a line of a table
 * or a row of Parquet.  Which of them an input holds is told by how it begins.
 * Memory is bounded by the longest record.
 */
struct peft_rows;

/* path NULL or "-": standard input.  columns: as peft_columns_open() has it;
 * inputs that are no tables are then refused.  Both stand until close. */
struct peft_rows *peft_rows_open(const char *path, const char *columns,
		    struct peft_err *) PEFT_MUSTCHECK;
/* 1 a record, which stands until the next call and began at line *line; 0;
 * -1; 2 a record that cannot be read, *err says why, but those behind it
 * can.  Whether the text is JSON is for the caller to find out. */
int		 peft_rows_next(struct peft_rows *, const char **text,
		    size_t *len, size_t *line, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Accept a last line without its newline (JSON lines; it is dropped). */
void		 peft_rows_partial(struct peft_rows *);
const char	*peft_rows_label(const struct peft_rows *);
/* "JSON lines", ..., once the first record was read. */
const char	*peft_rows_kind(const struct peft_rows *);
/* Did a table end without a newline?  Nobody can say whether it was cut. */
bool		 peft_rows_unended(const struct peft_rows *);
void		 peft_rows_close(struct peft_rows *);	/* NULL is allowed */

#endif
