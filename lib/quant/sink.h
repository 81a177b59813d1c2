/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_SINK_H
#define PEFT_QUANT_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/out.h"
#include "quant/mix.h"
#include "tensor/source.h"
#include "tensor/weight.h"

/*
 * Where weights go: a bundle (FILE.safetensors, or standard output), a
 * Hugging Face folder (NAME/), a GGUF file (NAME.gguf).  The caller says
 * first what will come, so that the header can be written and every check
 * made before the first byte; then it puts the weights one by one, in the
 * order of the specs, as a source of f32 rows.  Rows are pulled, encoded and
 * written a few at a time: memory does not grow with the tensor.
 */
struct peft_sink;

/* A source of rows.  get() fills dst with rows first .. first+n, cols f32
 * each.  `raw', if not NULL, is the weight whose stored bytes these rows
 * are, unchanged: a sink that keeps the type copies them. */
struct peft_rows {
	int	(*get)(void *ctx, size_t first, size_t n, float *dst,
		    struct peft_err *);
	void	*ctx;
	const struct peft_weight *raw;
	bool	 shared;	/* several threads may call get() at a time */
	/* NULL, or told that rows first .. first+n will not be asked for */
	void	(*passed)(void *ctx, size_t first, size_t n);
};

struct peft_spec {
	const char	*name;		/* Hugging Face's */
	enum peft_dtype	 dtype;		/* to be stored as */
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	size_t		 blocksize;	/* NF4, FP4: 64 */
	bool		 nested;	/* doubly quantised */
	enum peft_dtype	 orig;		/* NF4, FP4: dtype to name in the
					 * quant_state; else ignored */
	/* Of specs that peft_convert_plan() made: columns as they are stored
	 * (GPT-2's matrices lie the other way in GGUF); for people. */
	size_t		 cols;
	enum peft_dtype	 asked;		/* unless its rows did not divide */
	const char	*why;		/* it differs from most; or NULL */
	bool		 turned;	/* rows come [out, in], where Hugging
					 * Face has [in, out] */
	const float	*importance;	/* of each column (of each matrix, if
					 * there are 3 dimensions), or NULL:
					 * see peft_encode_rows() */
	size_t		 nimportance;
};

/* GGUF: by which importance matrix types were rounded, as llama.cpp tells it
 * (quantize.imatrix.*). */
struct peft_weighed {
	const char	*file;
	const char	*dataset;	/* NULL: it does not say */
	size_t		 entries;
	uint32_t	 chunks;	/* 0: it does not say */
};

struct peft_sinkopt {
	const char	*path;		/* NULL or "-": bundle to stdout */
	bool		 force;
	size_t		 shard;		/* folder: bytes a shard, 0: one file */
	const char	*from;		/* where the sides are from, for
					 * messages about them; may be NULL */
	const char	*kind;		/* "model", "adapter", or "checkpoint":
					 * always one file */
	const char	*file;		/* that of an adapter's folder, if it
					 * is not adapter_model.safetensors */
	size_t		 beside;	/* weights that side files hold */
	/* __metadata__ pairs beside format and peft.*: key, value, ..., NULL */
	const char *const *meta;
	int		 threads;	/* that encode; 0, 1: the caller's */
	bool		 planned;	/* it writes beside a run, which has
					 * planned its memory: no more at a
					 * time than must be */
	const struct peft_mix *file_type; /* GGUF: what it is called; NULL: by
					 * the type that most weights have */
	/* GGUF: where its metadata is from, if that is GGUF as well and only
	 * types change: then all of it is carried over; else NULL */
	const struct peft_source *origin;
	bool		 same_types;	/* not even those */
	const struct peft_weighed *weighed;	/* or NULL */
	/* a further look at what was written, before it has its name */
	struct peft_check check;
};

/* Sides are written as files beside the weights (folder), as peft.file/...
 * tensors (bundle) or as metadata (GGUF, which needs config.json and takes
 * tokenizer.json and the template if there are any).  config.json gets or
 * loses its quantization_config according to the specs.  Adapters: the
 * folder's weight file is adapter_model.safetensors. */
struct peft_sink *peft_sink_open(const struct peft_sinkopt *,
		    const struct peft_spec *, size_t nspecs,
		    const struct peft_side *, size_t nsides,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Could path be written?  Asked before the work that it is to hold.  Of an
 * adapter no GGUF is made here (peft/layout.h does). */
int		 peft_sink_probe(const struct peft_sinkopt *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Is it the name of a GGUF file?  NULL is none. */
bool		 peft_is_gguf_name(const char *path);
/* Is it to be a folder? */
bool		 peft_sink_is_folder(const struct peft_sinkopt *);
/* The bytes of all files that these would make. */
int		 peft_sink_size(const struct peft_sinkopt *,
		    const struct peft_spec *, size_t nspecs,
		    const struct peft_side *, size_t nsides, size_t *bytes,
		    struct peft_err *) PEFT_MUSTCHECK;
int		 peft_sink_put(struct peft_sink *, const struct peft_rows *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* A value of opt.meta that was not known at open: `was' becomes `is', which
 * is as long, in all heads that were written.  Not on standard output. */
int		 peft_sink_settle(struct peft_sink *, const char *was,
		    const char *is, struct peft_err *) PEFT_MUSTCHECK;
/* Both end the life of the struct.  commit writes the end, fsyncs, re-reads
 * and checks what it wrote (not on stdout), and gives it its name. */
int		 peft_sink_commit(struct peft_sink *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_sink_abort(struct peft_sink *);

/* Are the stored bytes those that the spec calls for?  Then they are copied,
 * with their scales. */
bool		 peft_sink_keeps(const struct peft_spec *,
		    const struct peft_rows *);
/* peft_encode_rows() by the spec, of rows first .. first+n (the product of
 * all dimensions but the last counts rows). */
int		 peft_spec_encode(const struct peft_spec *, const float *src,
		    size_t first, size_t n, void *dst, struct peft_err *)
		    PEFT_MUSTCHECK;

/* Rows of a loaded weight, decoded; raw = w.  *w must outlive the rows. */
struct peft_rows peft_rows_of(const struct peft_weight *w);
/* The same of weight i of a source, the one that _next() gave: the pages of
 * rows that were passed need not stay in memory. */
struct peft_passing {
	struct peft_weight	 w;
	struct peft_source	*source;
	size_t			 i;
};
struct peft_rows peft_rows_passing(const struct peft_passing *);
/* The spec that describes w as it is stored. */
struct peft_spec peft_spec_of(const struct peft_weight *w);

#endif
