/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_SINK_IMPL_H
#define PEFT_QUANT_SINK_IMPL_H

#include <stdio.h>

#include <xxhash.h>

#include "base/out.h"
#include "math/pool.h"
#include "quant/sink.h"
#include "tensor/ggufmap.h"
#include "tensor/side.h"
#include "tensor/st.h"

/*
 * What the files of the sink share.  A sink has a format (below) that knows
 * how its container tells of a weight; encoding in pieces is common.
 */
enum peft_out_kind { PEFT_OUT_BUNDLE, PEFT_OUT_FOLDER, PEFT_OUT_GGUF };

/* A weight is encoded window by window, a window by the threads in slices:
 * about so many elements.  Both are cut by shape alone. */
enum { PEFT_WINDOW = 1 << 22, PEFT_SLICE = 1 << 16 };

struct peft_written {		/* where a weight is, scales and all */
	size_t		shard;
	uint64_t	begin, end, sum;
};

struct peft_gguf_place {	/* where a weight goes in a GGUF file */
	uint64_t	begin;		/* from the first weight's place on */
	size_t		whole;		/* 0, or it is the end of a tensor of
					 * so many bytes */
};

/* A weight that is part of a tensor of all experts: the at-th of the n, `each'
 * to an expert, that begin with weight `first' (which has n); each 0: not. */
struct peft_joint {
	size_t	first, at, n, each;
};

struct peft_slab {		/* of such a tensor, what an expert has */
	float	*at;		/* [.., cols] */
	size_t	 cols;
};

struct peft_sink {
	struct peft_sinkopt	 opt;
	enum peft_out_kind	 kind;
	char			*path;
	struct peft_spec	*specs;		/* names are copies */
	bool			*turn;		/* is written turned over */
	struct peft_joint	*joint;
	struct peft_slab	 slab;
	size_t			 n, next;
	struct peft_sides	 sides;
	struct peft_out		*out;		/* bundle, GGUF */
	struct peft_outdir	*dir;		/* folder */
	FILE			*fp;		/* where weights go now */
	const char		*label;
	FILE			**begun;	/* with a header */
	size_t			 nbegun, capbegun;
	XXH3_state_t		*sum;		/* of the weight's bytes */
	struct peft_written	*weights;
	/* folder: the shard of each weight */
	size_t			*shard, nshards;
	/* GGUF */
	const struct peft_arch	*arch;
	struct peft_heads	 heads;
	struct peft_gguf_place	*places;	/* [n] */
	size_t			 more;		/* weights, to a reader */
	uint64_t		 data_at;	/* the first place's */
	uint64_t		 gguf_bytes;	/* from there to the end */
	size_t			 written;	/* bytes of data */
	size_t			 pushed;	/* of them, to the disk */
	struct peft_pool	*pool;		/* NULL: this thread alone */
	float			*rows;		/* a slice a thread, or a
						 * window */
	uint8_t			*bytes;		/* a window */
	float			*absmax;	/* a weight's */
	size_t			 nrows, nbytes, nabsmax;	/* room there */
};

struct peft_quantised {		/* sizes of a 4-bit weight's parts */
	size_t	nelem, nbytes, nabsmax, nnested;
};
struct peft_quantised peft_sink_sizes(const struct peft_spec *);

/* sink-st.c: the safetensors entries that specs[from..to) make, sides first;
 * *entries malloc'd with names of their own (peft_sink_free_entries). */
int	peft_sink_entries(struct peft_sink *, size_t from, size_t to,
	    bool sides, struct peft_st_entry **, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_sink_free_entries(struct peft_st_entry *, size_t n);
int	peft_sink_st_head(struct peft_sink *, size_t from, size_t to,
	    bool sides, struct peft_err *) PEFT_MUSTCHECK;
/* The JSON of a 4-bit weight's quant_state; offset 0 where not nested. */
void	peft_sink_state(const struct peft_spec *, float offset,
	    struct peft_buf *);

/* Put the name of where the sides are from before the message; -1. */
int	peft_sink_blame(const struct peft_sink *, struct peft_err *);

/* sink-place.c: what the name of the output says. */
enum peft_out_kind peft_sink_kind(const struct peft_sinkopt *);

/* sink.c: a sink that knows what will come, and has nowhere to put it. */
struct peft_sink *peft_sink_prepare(const struct peft_sinkopt *,
	    const struct peft_spec *, size_t nspecs, const struct peft_side *,
	    size_t nsides, struct peft_err *) PEFT_MUSTCHECK;

/* sink-folder.c: which weight goes where; the index of that, appended. */
int	peft_sink_assign_shards(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_sink_index(struct peft_sink *, struct peft_buf *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* sink-check.c: the weights in the file or folder at path. */
int	peft_sink_check(const struct peft_sink *, const char *path,
	    struct peft_err *) PEFT_MUSTCHECK;

/* sink-folder.c, sink-gguf.c */
void	peft_sink_shard_name(const struct peft_sink *, size_t shard,
	    char buf[64]);
int	peft_sink_open_folder(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_sink_next_shard(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_sink_open_gguf(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* sink-tensors.c: t (with room for three a weight), *n and the places of
 * weights, from the specs.  t[..*n].name are malloc'd, also after an error. */
int	peft_sink_tensors(struct peft_sink *, struct peft_gguf_tensor *t,
	    size_t *n, struct peft_err *) PEFT_MUSTCHECK;
/* To the place of the next weight: experts come in any order. */
int	peft_sink_seek(struct peft_sink *, struct peft_err *) PEFT_MUSTCHECK;

/* sink-turn.c: Hugging Face's way, unless the container is a GGUF: linears of
 * GPT-2 are [in, out], but quantised ones [out, in]. */
int	peft_sink_turn_all(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The weight is written with rows for columns. */
int	peft_sink_turn(struct peft_sink *, size_t i, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Rows of specs[i] as its container has them: turned over, or 1 more.  *made
 * is *rows where nothing is to be done; else it is to be freed. */
int	peft_sink_remake(struct peft_sink *, size_t i,
	    const struct peft_rows *rows, struct peft_rows *made,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_sink_remade_free(struct peft_rows *);

/* sink-join.c: which weights are; name and shape [3] of the tensor that spec i
 * begins; and a weight that is part of one. */
int	peft_sink_join(struct peft_sink *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_sink_joined(const struct peft_sink *, size_t i, char name[512],
	    size_t *shape);
int	peft_sink_put_joined(struct peft_sink *, const struct peft_rows *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* sink-write.c: bytes as they are. */
int	peft_sink_write(struct peft_sink *, const void *, size_t,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What peft_sink_keeps(), in the order of rows that GGUF wants. */
int	peft_sink_copy(struct peft_sink *, const struct peft_spec *,
	    const struct peft_rows *, const struct peft_order *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What stands behind the codes of a 4-bit weight. */
int	peft_sink_put_scales(struct peft_sink *, const struct peft_spec *,
	    const float *absmax, struct peft_err *) PEFT_MUSTCHECK;
/* sink-encode.c: copy, or pull rows, encode, write. */
int	peft_sink_encode(struct peft_sink *, const struct peft_spec *,
	    const struct peft_rows *, struct peft_err *) PEFT_MUSTCHECK;

/* sink-config.c: config.json with the quantization_config and dtype that
 * the specs call for. */
int	peft_sink_fix_config(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
