/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_SOURCE_H
#define PEFT_TENSOR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"
#include "tensor/quantcfg.h"
#include "tensor/weight.h"

/*
 * Where weights come from: a Hugging Face folder (one file or shards), a
 * GGUF file, a bundle or any safetensors file, or "-", a bundle or GGUF on
 * standard input.  Models and adapters alike.  The kind is told by content.
 *
 * All look the same from here: weights with Hugging Face names in Hugging
 * Face's row order, and side files (config.json, tokenizer.json,
 * tokenizer_config.json, chat_template.jinja, generation_config.json,
 * adapter_config.json) as bytes.  For a GGUF the side files are made from
 * its metadata; a folder without tokenizer.json has one made from a
 * SentencePiece model or tiktoken's ranks, if one of these is there.  The
 * companions of a quantised weight (absmax, qzeros, ...) do not appear as
 * weights; they are in its scales.
 *
 * Everything a source hands out belongs to it and lasts until it is closed,
 * but for the data of weights from _next(), which lasts until the next call.
 */
struct peft_source;

enum peft_kind { PEFT_FOLDER, PEFT_BUNDLE, PEFT_GGUF };

struct peft_side {
	const char	*name;		/* "config.json" */
	const void	*data;		/* NULL: only told, see below */
	size_t		 len;
	bool		 mapped;	/* of interest to its owner alone */
	struct peft_tokjson *told;	/* a tokenizer.json made from another
					 * format; or NULL */
};

/* Opens and reads headers and side files; weights are not touched.  Every
 * check that needs no weight data is made here (sizes, overlaps, shards,
 * duplicate names, companions, the GGUF's names known to its family). */
struct peft_source *peft_source_open(const char *path, struct peft_err *)
		    PEFT_MUSTCHECK;
/* The same of files that others may write to meanwhile: they are read whole
 * now, not mapped, or it is an error. */
struct peft_source *peft_source_open_copy(const char *path, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Its side files alone, for who needs a tokenizer and no model: there are no
 * weights in a GGUF then, and its family need not be known, nor its
 * config.json be made. */
struct peft_source *peft_source_open_sides(const char *path,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_source_close(struct peft_source *);

const char	*peft_source_label(const struct peft_source *);
enum peft_kind	 peft_source_kind(const struct peft_source *);
/* What config.json says of quantisation. */
const struct peft_quantcfg *peft_source_quant(const struct peft_source *);
/* adapter_config.json is among the side files (or a GGUF LoRA). */
bool		 peft_source_is_adapter(const struct peft_source *);

/* All side files, n of them (NULL if there are none). */
int		 peft_source_sides(const struct peft_source *,
		    const struct peft_side **, size_t *n, struct peft_err *)
		    PEFT_MUSTCHECK;
/* By name, or NULL.  A tokenizer.json that only is told has no data before
 * somebody asked for all of them. */
const struct peft_side *peft_source_side(const struct peft_source *,
		    const char *name);
/* A string of the safetensors __metadata__ ("peft.base"), or NULL. */
const char	*peft_source_meta(const struct peft_source *, const char *key);
/* For peft-inspect: raw metadata pairs (GGUF: keys with values as text,
 * long arrays shortened; safetensors: __metadata__). */
size_t		 peft_source_nmeta(const struct peft_source *);
void		 peft_source_meta_at(const struct peft_source *, size_t,
		    const char **key, const char **value);

/* Of a GGUF file (0; else 1), its metadata as it stands, to be written again:
 * all pairs but those that tell of the parts of a split file, and, unless
 * `types', of the types of its tensors and how these were made. */
struct peft_gguf_out;
int		 peft_source_pairs(const struct peft_source *, bool types,
		    struct peft_gguf_out *, struct peft_err *) PEFT_MUSTCHECK;

/* All weights, in storage order, without data (data == NULL). */
size_t		 peft_source_count(const struct peft_source *);
const struct peft_weight *peft_source_at(const struct peft_source *, size_t);
/* SIZE_MAX if there is none of that name. */
size_t		 peft_source_find(const struct peft_source *, const char *name);

/* Put a weight of zeros behind the others, in f32, [rows, cols] or, rows 0,
 * [cols]: a head that the model does not have and that adapters bring.  It is
 * no part of the hash, and _next() does not give it. */
int		 peft_source_graft(struct peft_source *, const char *name,
		    size_t rows, size_t cols, struct peft_err *)
		    PEFT_MUSTCHECK;
bool		 peft_source_grafted(const struct peft_source *, size_t);

/* Streaming, for files and pipes: the next weight with its data, in an order
 * of the source's choosing (each weight once): 1, 0, -1.  Memory: about one
 * weight.  Files are mapped; pages that were passed may be dropped. */
int		 peft_source_next(struct peft_source *, struct peft_weight *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Read what a pipe still holds and drop it: was it whole?  Other sources
 * were checked when they were opened. */
int		 peft_source_finish(struct peft_source *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Random access: *w with data that lasts until close.  From a file it is
 * mapped (or copied where rows had to be reordered); a pipe is first read
 * to its end into memory. */
int		 peft_source_load(struct peft_source *, size_t i,
		    struct peft_weight *w, struct peft_err *) PEFT_MUSTCHECK;

/* Bytes from .. to of the data of weight i, which is loaded, will not be
 * needed soon: a mapping need not keep their pages in memory. */
void		 peft_source_passed(struct peft_source *, size_t i, size_t from,
		    size_t to);
/* Is it one, as it is in the file? */
bool		 peft_source_is_mapped(const struct peft_source *, size_t i);
/* Is the source of a family whose folders have all experts of a layer in one
 * tensor (gpt_oss)? */
bool		 peft_source_joined(const struct peft_source *);
/* -1 if a file that is mapped is not what it was when it was opened.  Asked
 * when all was read and before anything is said to be done. */
int		 peft_source_unchanged(const struct peft_source *,
		    struct peft_err *) PEFT_MUSTCHECK;

/* The base hash, independent of container and order: "sha256:" + hex of the
 * lines "NAME DTYPE SHAPE sha256(DATA)" sorted by name, with the bytes of the
 * scales, and the form of FP8 blocks, behind the data.  Reads everything once,
 * on `threads' threads; of files, a weight's pages at most are in memory for
 * it.  hex has room for 7 + PEFT_SHA256_HEX. */
int		 peft_source_hash(struct peft_source *, int threads,
		    char *hex, struct peft_err *) PEFT_MUSTCHECK;
/* The same of what is at a path, opened and closed. */
int		 peft_source_hash_path(const char *path, int threads,
		    char *hex, struct peft_err *) PEFT_MUSTCHECK;

/* The same hash while peft_source_next() goes through the source for another
 * purpose: begin() with each weight that it gives, of which threads then read
 * the data (of mapped ones two, some way behind, but with threads 1); wait()
 * before the next one; end(), once all were given. */
struct peft_hasher;
struct peft_hasher *peft_hasher_open(struct peft_source *, int threads,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_hasher_begin(struct peft_hasher *,
		    const struct peft_weight *);
void		 peft_hasher_wait(struct peft_hasher *);
void		 peft_hasher_end(struct peft_hasher *, char *hex);
void		 peft_hasher_close(struct peft_hasher *);	/* NULL: fine */

#endif
