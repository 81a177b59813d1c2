/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_ST_H
#define PEFT_TENSOR_ST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "tensor/weight.h"

/*
 * safetensors: a length, a JSON header, and data without gaps; see
 * peft-bundle(5).  Here is the header alone, read and written; data is the
 * caller's business.
 */
struct peft_st_entry {
	char		*name;
	enum peft_dtype	 dtype;
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	size_t		 begin, nbytes;		/* begin: within the data */
};

struct peft_st_pair {
	char	*key, *value;
};

struct peft_st {
	struct peft_st_entry	*entries;	/* in the order of the data */
	size_t			 n;
	struct peft_st_pair	*meta;		/* __metadata__ */
	size_t			 nmeta;
	size_t			 nbytes;	/* of all data */
};

enum { PEFT_ST_PREFIX = 8 };			/* bytes of the length */
#define PEFT_ST_MAXHEADER	100000000u

/* The header's length from the first 8 bytes; -1 if it is none. */
int	peft_st_length(const unsigned char prefix[PEFT_ST_PREFIX],
	    size_t *len, struct peft_err *) PEFT_MUSTCHECK;
/* The header's text.  Everything is checked: types, shapes, sizes, gaps,
 * overlaps, duplicates. */
int	peft_st_parse(struct peft_st *, const char *text, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_st_free(struct peft_st *);

/* Write prefix and header for entries whose data will follow in the order of
 * the list (begin is set here); meta: key, value, ..., NULL.  The header is
 * padded with spaces so that data begins at a multiple of 8. */
int	peft_st_write(FILE *, const char *label, struct peft_st_entry *,
	    size_t n, const char *const *meta, struct peft_err *)
	    PEFT_MUSTCHECK;

/* product(shape) * bytes of the type, checked. */
int	peft_st_size(enum peft_dtype, int ndim, const size_t *shape,
	    size_t *nbytes, struct peft_err *) PEFT_MUSTCHECK;

#endif
