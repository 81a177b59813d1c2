/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_IMATRIX_H
#define PEFT_QUANT_IMATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/out.h"
#include "quant/sink.h"
#include "tensor/ggufmap.h"
#include "tensor/source.h"

/*
 * Importance matrices, as llama.cpp's imatrix tool defines them: of each
 * matrix of a model (GGUF's names), the sum over all tokens of the squares of
 * what each of its columns is multiplied with, and the number of tokens.
 *
 * In two forms.  GGUF (general.type "imatrix"): NAME.in_sum2, f32 [matrices,
 * columns], and NAME.counts, f32 [matrices, 1]; imatrix.datasets,
 * .chunk_count and .chunk_size.  And the older one without a magic, all
 * little-endian: i32 entries, each i32 length, name, i32 n, i32 values,
 * f32[values] of mean square times n; then i32 chunks, i32 length, the
 * data's name (these may be missing).
 */
struct peft_importance {
	char	*name;		/* "blk.0.attn_q.weight" */
	size_t	 n;		/* columns, of all matrices (experts) */
	float	*mean;		/* [n]: of the squares; 1 where no token came */
};

struct peft_imatrix {
	struct peft_importance	*at;
	size_t			 n;
	char			*dataset;	/* the first one's name, or
						 * NULL */
	uint32_t		 chunks;	/* 0: unknown */
};

/* Values that are not finite, negative, or above 1e20 (products of them would
 * be infinite) are refused by name; so is a name that is there twice. */
int	peft_imatrix_parse(struct peft_imatrix *, const uint8_t *, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_imatrix_load(struct peft_imatrix *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_imatrix_free(struct peft_imatrix *);

/* The family whose GGUF names a model's weights have; NULL with *err set. */
const struct peft_arch *peft_imatrix_arch(const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* Give each spec whose type takes notice of it its importance (borrowed).  An
 * entry that fits no weight of the model, or not its shape, is an error by
 * name; so is it if no spec takes notice.  Of *nlacking matrices that would
 * have, but are not in there, *lacking is the first. */
int	peft_imatrix_apply(const struct peft_imatrix *,
	    const struct peft_source *, struct peft_spec *specs, size_t n,
	    const char **lacking, size_t *nlacking, struct peft_err *)
	    PEFT_MUSTCHECK;

/* Have all specs (in the source's order) importances whose types cannot do
 * without?  If not, an error by name. */
int	peft_imatrix_needed(const struct peft_source *,
	    const struct peft_spec *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;

/* What is written: sums over tokens, of one matrix or of several (experts)
 * that are one tensor. */
struct peft_imatrix_sum {
	char	*name;
	size_t	 n;		/* columns of one matrix */
	size_t	 mats;
	double	*square;	/* [mats, n] */
	uint64_t *count;	/* [mats] tokens */
};

struct peft_imatrix_data {
	struct peft_imatrix_sum	*at;
	size_t			 n;
	const char *const	*datasets;	/* where the tokens are from */
	size_t			 ndatasets;
};

/* Tokens to a chunk: llama.cpp's default.  Ours are not cut into chunks; they
 * are counted in them. */
enum { PEFT_IMATRIX_CHUNK = 512 };

/* Sorts the sums by name.  The form is told by the ending of `path', the name
 * that the output will have: .gguf or .dat, else *err (PEFT_USAGE). */
int	peft_imatrix_check_name(const char *path, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_imatrix_write(struct peft_out *, const char *path,
	    struct peft_imatrix_data *, struct peft_err *) PEFT_MUSTCHECK;

#endif
