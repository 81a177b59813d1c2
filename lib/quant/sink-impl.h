/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_SINK_IMPL_H
#define PEFT_QUANT_SINK_IMPL_H

#include <stdio.h>

#include "base/out.h"
#include "quant/sink.h"
#include "tensor/ggufmap.h"
#include "tensor/side.h"
#include "tensor/st.h"

/*
 * What the files of the sink share.  A sink has a format (below) that knows
 * how its container tells of a weight; encoding in pieces is common.
 */
enum peft_out_kind { PEFT_OUT_BUNDLE, PEFT_OUT_FOLDER, PEFT_OUT_GGUF };

/* Rows of a weight in pieces: about this many elements at a time. */
enum { PEFT_PIECE = 1 << 20 };

struct peft_sink {
	struct peft_sinkopt	 opt;
	enum peft_out_kind	 kind;
	char			*path;
	struct peft_spec	*specs;		/* names are copies */
	bool			*turn;		/* is written turned over */
	size_t			 n, next;
	struct peft_sides	 sides;
	struct peft_out		*out;		/* bundle, GGUF */
	struct peft_outdir	*dir;		/* folder */
	FILE			*fp;		/* where weights go now */
	const char		*label;
	/* folder: the shard of each weight */
	size_t			*shard, nshards;
	/* GGUF */
	const struct peft_arch	*arch;
	struct peft_heads	 heads;
	size_t			 written;	/* bytes of data */
	float			*rows;		/* [PEFT_PIECE + a row] */
	uint8_t			*bytes;
	float			*absmax;
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

/* sink-folder.c, sink-gguf.c */
int	peft_sink_open_folder(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_sink_next_shard(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_sink_open_gguf(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* sink-turn.c: the weight is written with rows for columns. */
int	peft_sink_turn(struct peft_sink *, size_t i, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Rows of specs[i] as its container has them: turned over, or 1 more.  *made
 * is *rows where nothing is to be done; else it is to be freed. */
int	peft_sink_remake(struct peft_sink *, size_t i,
	    const struct peft_rows *rows, struct peft_rows *made,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_sink_remade_free(struct peft_rows *);

/* sink-write.c: pull rows, encode, write. */
int	peft_sink_write(struct peft_sink *, const void *, size_t,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_sink_encode(struct peft_sink *, const struct peft_spec *,
	    const struct peft_rows *, struct peft_err *) PEFT_MUSTCHECK;

/* sink-config.c: config.json with the quantization_config and dtype that
 * the specs call for. */
int	peft_sink_fix_config(struct peft_sink *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
