/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SOURCE_IMPL_H
#define PEFT_TENSOR_SOURCE_IMPL_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/map.h"
#include "tensor/ggufmap.h"
#include "tensor/quantcfg.h"
#include "tensor/side.h"
#include "tensor/source.h"
#include "tensor/st.h"

/*
 * What the files of a source share.  Raw tensors are what containers hold;
 * weights are what a model consists of: a raw tensor, or several (codes,
 * scales and what else belongs to a quantised weight).
 */
struct peft_file {
	char		*label;
	const uint8_t	*map;		/* NULL: a pipe that is streamed */
	size_t		 len;
	bool		 heap;		/* map is malloc'd, not mmapped */
	struct peft_stamp {		/* when it was opened */
		uint64_t	dev, ino, size;
		struct timespec	changed;
	}		 stamp;
};

struct peft_raw {
	char		*name;		/* Hugging Face's */
	enum peft_dtype	 dtype;
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	size_t		 file, at, nbytes;	/* where it is */
	struct peft_order order;	/* rows to be reordered */
	size_t		 weight;	/* that it is part of */
	uint8_t		*copy;		/* read from a pipe, or realigned */
};

/* The parts of a weight: indices of raw tensors, NONE where absent. */
enum peft_part {
	PEFT_DATA, PEFT_ABSMAX, PEFT_QUANT_MAP, PEFT_NESTED_ABSMAX,
	PEFT_NESTED_MAP, PEFT_QUANT_STATE, PEFT_FORMAT,
	PEFT_ZEROS, PEFT_ORDER, PEFT_SHAPE,
	PEFT_SECOND,			/* the other half of the data */
	/* of activations: taken, and not used */
	PEFT_INPUT_SCALE, PEFT_INPUT_ZERO, PEFT_NPART
};
#define PEFT_NONE	SIZE_MAX

/* How the codes of a grouped weight lie in its file. */
enum peft_packing {
	PEFT_PACK_NONE,		/* not grouped */
	PEFT_PACK_PLAIN,	/* codes follow each other, by rows */
	PEFT_PACK_GPTQ,		/* words of several rows, transposed */
	PEFT_PACK_AWQ,		/* words of eight columns, transposed */
	PEFT_PACK_MX		/* as struct peft_scales has it */
};

/* What of a tensor of all experts is one's (source-experts.c): outputs
 * first, first + step, ... of its own; step 0: the whole is no such part. */
struct peft_slice {
	size_t	expert, first, step;
};

struct peft_whole {
	struct peft_weight	 w;	/* data NULL */
	char			*name;	/* w.name, if no raw tensor's */
	enum peft_packing	 packing;
	bool			 plus1;	/* zeros are stored less one */
	uint8_t			*tables;	/* scales, order, zeros */
	size_t			 part[PEFT_NPART];
	size_t			 missing;	/* parts still in the pipe */
	struct peft_slice	 slice;
	uint8_t			*permuted;	/* rows in order, codes by
						 * rows; load keeps */
};

/* A weight of zeros that the files do not hold. */
enum { PEFT_NGRAFT = 2 };
struct peft_graft {
	struct peft_weight	 w;
	char			*name;
	float			*zero;
};

struct peft_source {
	char			*label;
	enum peft_kind		 kind;
	struct peft_file	*files;
	size_t			 nfiles, capfiles;
	struct peft_raw		*raws;
	size_t			 nraws, capraws;
	struct peft_whole	*wholes;
	size_t			 nwholes;
	struct peft_graft	 grafts[PEFT_NGRAFT];	/* behind them */
	size_t			 ngrafts;
	struct peft_map		 raw_index, weight_index;
	struct peft_sides	 sides;
	struct peft_st_pair	*meta;
	size_t			 nmeta, capmeta;
	struct peft_quantcfg	 quant;
	const struct peft_arch	*arch;		/* of config.json, or NULL */
	size_t			 nquantised;	/* weights */

	size_t			 gguf_file;	/* that has the metadata */
	bool			 copies;	/* of files, instead of maps */
	bool			 sides_only;	/* no weights of a GGUF */
	bool			 remade;	/* some of its tensors are put
						 * together here */

	FILE			*opened;	/* a named pipe, to be closed */
	FILE			*pipe;		/* being streamed, or NULL */
	size_t			 next;		/* raw (pipe) or weight */
	struct peft_whole	*current;	/* handed out by _next */
	bool			 started;	/* _next was called */
};

/* source-open.c */
int	peft_source_add_raw(struct peft_source *, const struct peft_raw *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_add_meta(struct peft_source *, const char *key,
	    const char *value, struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_add_file(struct peft_source *, const char *label,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_add_st(struct peft_source *, const struct peft_st *,
	    size_t file, size_t data, struct peft_err *) PEFT_MUSTCHECK;

/* source-folder.c, source-gguf.c, source-pipe.c */
int	peft_source_open_folder(struct peft_source *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_open_file(struct peft_source *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_map_file(struct peft_source *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_open_bytes(struct peft_source *, size_t file,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_open_gguf(struct peft_source *, size_t file,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_open_pipe(struct peft_source *, FILE *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_source_read_pipe(struct peft_source *, struct peft_raw *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_end_pipe(struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_source_drain(struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* source-tokenizer.c: tokenizer.json, and tokenizer_config.json if there is
 * none, from the bytes of a file called `name': SentencePiece's or
 * tiktoken's. */
int	peft_tokenizer_of(struct peft_sides *, const char *name,
	    const struct peft_buf *file, struct peft_err *) PEFT_MUSTCHECK;

/* source-pages.c: what a file is, to see later whether it still is. */
struct stat;
struct peft_stamp peft_source_stamp(const struct stat *);
/* All of a file whose stamp is known, as it was then: an error if it is being
 * written. */
int	peft_source_copy_file(struct peft_file *, int fd, struct peft_err *)
	    PEFT_MUSTCHECK;

/* source-weights.c: from raw tensors to weights, once all are known. */
int	peft_source_make_weights(struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The raw tensor of that name, or PEFT_NONE. */
size_t	peft_source_find_raw(const struct peft_source *, const char *base,
	    const char *suffix);
/* Fill in shape, rows, cols, nelem. */
int	peft_weight_set_shape(struct peft_weight *, int ndim,
	    const size_t *shape, struct peft_err *) PEFT_MUSTCHECK;

/* source-assemble.c: all parts are at hand: set the pointers of w->w. */
int	peft_source_assemble(struct peft_source *, struct peft_whole *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Undo that.  Copies of what a file holds can be made again; what came from a
 * pipe is kept until it was handed out. */
void	peft_source_give_up(struct peft_source *, struct peft_whole *,
	    bool handed_out);
/* Mapped pages count as resident memory until they are given up. */
void	peft_source_drop_pages(struct peft_source *,
	    const struct peft_whole *);
/* Bytes from .. to of weight i, which is mapped; by any thread. */
void	peft_source_drop_range(struct peft_source *, size_t i, size_t from,
	    size_t to);
/* source.c: undo _load, if nobody has the data. */
void	peft_source_drop(struct peft_source *, size_t i);

/* source-config.c: the family, and what is said of quantisation; a folder may
 * have a file of its own for that, which was read already. */
int	peft_source_read_config(struct peft_source *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* source-bnb.c: the same of bitsandbytes, as of others below. */
int	peft_source_make_bnb(struct peft_source *, size_t i,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;
bool	peft_source_is_bnb(const struct peft_source *, const char *name);

/* source-grouped.c: if raw tensor i holds the codes of a weight with scales
 * for groups, *w is that weight: 1; 0 if not. */
int	peft_source_make_grouped(struct peft_source *, size_t i,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;
/* Is it a name that only goes with such codes, which are there? */
bool	peft_source_is_companion(const struct peft_source *, const char *);
/* source-experts.c: how many weights raw tensor i makes if it holds all
 * experts of a layer, else 0; the k-th of them; and its data, in w->permuted.
 * (Those of a pipe are read whole before: by the name alone.) */
int	peft_source_experts(const struct peft_source *, size_t i, size_t *n,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_make_expert(struct peft_source *, size_t i, size_t k,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_source_slice(const struct peft_source *, struct peft_whole *,
	    const void *const p[PEFT_NPART], struct peft_err *)
	    PEFT_MUSTCHECK;
bool	peft_source_is_experts(const char *name);
/* source-latent.c: what a GGUF's tensor is called here if it is half of a
 * kv_b_proj, or NULL; is raw tensor i the second half of one; the weight that
 * i is the first half of: 1; 0 if it is none; and its data. */
const char *peft_latent_half(const char *gguf_name, char buf[256]);
bool	peft_latent_is_second(const struct peft_source *, size_t i);
int	peft_latent_make(struct peft_source *, size_t i, struct peft_whole *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_latent_join(const struct peft_source *, struct peft_whole *,
	    const void *const p[PEFT_NPART], struct peft_err *)
	    PEFT_MUSTCHECK;
/* source-repack.c: codes by rows, tables of scales and zeros; the parts are
 * at p. */
int	peft_source_repack(const struct peft_source *, struct peft_whole *,
	    const void *const p[PEFT_NPART], struct peft_err *)
	    PEFT_MUSTCHECK;

/* The bytes of a raw tensor; NULL if it was not read from the pipe yet. */
const uint8_t *peft_source_bytes(const struct peft_source *,
	    const struct peft_raw *);
/* Is this one of the small tensors that say what the others are? */
bool	peft_source_is_head(const char *name);

/* source-pickles.c: weights that a folder has as pickles are refused by name,
 * if there are any. */
int	peft_source_refuse_pickles(const char *dir, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
