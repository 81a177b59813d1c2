/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_PARQUET_ARROW_H
#define PEFT_DATA_PARQUET_ARROW_H

#include <stddef.h>
#include <stdint.h>

/*
 * The door to Arrow's C++ library, as C sees it; what is behind it is the
 * only C++ here.  No exception passes.  What is handed out is Arrow's C data
 * interface; a schema and an array are released by their own release().
 */
struct ArrowSchema;
struct ArrowArray;
struct peft_arrow_file;

#ifdef __cplusplus
extern "C" {
#endif

/* The file, and the type of its rows (a structure).  NULL: why[n] says why. */
struct peft_arrow_file *peft_arrow_open(const char *path, struct ArrowSchema *,
		    char *why, size_t n);
/* Some rows, of row group *group (from 0), valid in all of their buffers: 1,
 * 0 at the end, -1. */
int		 peft_arrow_next(struct peft_arrow_file *, struct ArrowArray *,
		    int *group, char *why, size_t n);
void		 peft_arrow_close(struct peft_arrow_file *);	/* or NULL */
/* "Arrow 26.0.1": of the library that was loaded. */
const char	*peft_arrow_version(void);

#ifdef __cplusplus
}
#endif

#endif
