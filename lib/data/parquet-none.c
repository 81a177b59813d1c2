/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet, in a build without Arrow. */

#include "data/parquet.h"

struct peft_parquet *
peft_parquet_open(const char *path, const char *columns, struct peft_err *err)
{
	(void)columns;
	peft_seterr(err, "%s: is Parquet, which this build does not read: "
	    "build it with Apache Arrow (make ARROW=DIR, README.md says how), "
	    "or have duckdb or pandas make JSON lines of it", path);
	return NULL;
}

int
peft_parquet_next(struct peft_parquet *p, struct peft_buf *b,
    struct peft_err *err)
{
	(void)p;
	(void)b;
	(void)err;
	return 0;
}

void
peft_parquet_close(struct peft_parquet *p)
{
	(void)p;
}

const char *
peft_parquet_version(void)
{
	return NULL;
}
