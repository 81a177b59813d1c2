/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_PARQUET_H
#define PEFT_DATA_PARQUET_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The rows of a Parquet file as JSON objects, in the form that
 * data/arrow.h has.  Apache Arrow's C++ library reads the file; where the
 * build left it out (parquet-none.c), opening fails and says so.  Memory is
 * bounded by some hundred rows and the pages that they are in.
 */
struct peft_parquet;

/* columns: as peft_columns_open() has it, or NULL for all. */
struct peft_parquet *peft_parquet_open(const char *path, const char *columns,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Append the next row: 1, 0 at the end, -1; 2 it cannot be put as JSON, *err
 * says why, but those behind it can. */
int		 peft_parquet_next(struct peft_parquet *, struct peft_buf *,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_parquet_close(struct peft_parquet *); /* or NULL */
/* "Arrow 26.0.1"; NULL: it is left out. */
const char	*peft_parquet_version(void);

#endif
