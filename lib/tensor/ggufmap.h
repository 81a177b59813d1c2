/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFMAP_H
#define PEFT_TENSOR_GGUFMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "tensor/gguf.h"
#include "tensor/side.h"

/*
 * Between GGUF's world and Hugging Face's: names of tensors, the order of
 * rows, config.json and metadata (llama.cpp's gguf-py constants and
 * converter).  One table row a family.
 */
struct peft_arch;

/* By general.architecture and what else the file says (several families
 * have one architecture), or by model_type; NULL if there is none. */
const struct peft_arch *peft_arch_of_gguf(const struct peft_gguf *,
		    const char *name);
const struct peft_arch *peft_arch_of_hf(const char *model_type);
/* By config.json's text; NULL, too, where that is none. */
const struct peft_arch *peft_arch_of_config(const struct peft_side *);
/* Do its folders have all experts of a layer in one tensor, gate and up in
 * turns (gpt-oss)? */
bool		 peft_arch_joined(const struct peft_arch *);
/* Do keys and values come by way of something narrow (DeepSeek)? */
bool		 peft_arch_latent(const struct peft_arch *);
/* Its general.architecture. */
const char	*peft_arch_gguf(const struct peft_arch *);
/* "llama, ..." for messages: model_types or architectures. */
void		 peft_arch_names(bool hf, char *buf, size_t size);

/* The other world's name of a tensor; buf has room for 256.  -1 if the
 * family has no such tensor.  Where GGUF has all experts of a layer in one
 * tensor, "#" stands for the number in their names. */
int		 peft_arch_to_hf(const struct peft_arch *, const char *name,
		    char *buf);
int		 peft_arch_to_gguf(const struct peft_arch *, const char *name,
		    char *buf);

/* The number of the expert that a weight (by its Hugging Face name) is of;
 * SIZE_MAX: of none. */
size_t		 peft_arch_expert(const struct peft_arch *,
		    const char *hf_name);

/* How GGUF has a tensor (by its Hugging Face name) otherwise. */
struct peft_heads {
	size_t	heads, kv_heads;
};
struct peft_order {
	size_t	heads;		/* rows of so many heads are interleaved; or,
				 * if kv_heads > 0, lie queries first, then
				 * keys, then values; 0: as they are */
	size_t	kv_heads;
	bool	split;		/* in three tensors: as above, and of queries
				 * and keys rows are interleaved besides */
	bool	turned;		/* [out, in], and in Hugging Face's [in, out] */
	bool	plus_one;	/* 1 + the value */
	bool	stacked;	/* with other experts, in one tensor */
};
struct peft_order peft_arch_order(const struct peft_arch *,
		    const char *hf_name, const struct peft_heads *);
/* Do rows divide as the order wants it? */
bool		 peft_order_fits(const struct peft_order *, size_t rows);
/* Where row r of Hugging Face's order is in GGUF's, of `rows' rows; and
 * back. */
size_t		 peft_permute_to_gguf(size_t r, size_t rows,
		    const struct peft_order *);
size_t		 peft_permute_to_hf(size_t r, size_t rows,
		    const struct peft_order *);

/* Tensors that config.json tells of instead: divisors of rope's frequencies,
 * all of n values (malloc'd) or NULL. */
enum peft_divisors {
	PEFT_DIV_FREQS,			/* Llama 3's */
	PEFT_DIV_LONG, PEFT_DIV_SHORT,	/* longrope's */
	PEFT_NDIV
};
struct peft_rope_tensors {
	float	*at[PEFT_NDIV];
	size_t	 n;
};
extern const char *const peft_rope_names[PEFT_NDIV];
void		 peft_rope_tensors_free(struct peft_rope_tensors *);

/* config.json and generation_config.json from metadata (tied: there is no
 * output tensor). */
int		 peft_arch_config(const struct peft_arch *,
		    const struct peft_gguf *, bool tied,
		    const struct peft_rope_tensors *, struct peft_sides *,
		    struct peft_heads *, struct peft_err *) PEFT_MUSTCHECK;
/* Layers and heads that config.json tells of, by the family's own keys. */
int		 peft_arch_sizes(const struct peft_arch *, const cJSON *,
		    int64_t *layers, struct peft_heads *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Metadata from config.json's text. */
int		 peft_arch_metadata(const struct peft_arch *,
		    const struct peft_side *config, struct peft_gguf_out *,
		    struct peft_heads *, struct peft_rope_tensors *,
		    struct peft_err *) PEFT_MUSTCHECK;

/* ggufvocab.c: tokenizer.json, tokenizer_config.json and the template from
 * metadata.  0 with a reason in *why (static or NULL) when the vocabulary is
 * of a kind that cannot be told in tokenizer.json here: the weights can
 * still be read.  *note (static or NULL): what the file leaves open. */
int		 peft_vocab_sides(const struct peft_gguf *,
		    struct peft_sides *, const char **why, const char **note,
		    struct peft_err *) PEFT_MUSTCHECK;
/* And back, from the sides that are there; vocab: rows of the embedding,
 * more than the tokenizer has get unused tokens. */
int		 peft_vocab_metadata(const struct peft_side *tokenizer,
		    const struct peft_side *config,
		    const struct peft_side *tmpl, size_t vocab,
		    struct peft_gguf_out *, struct peft_err *) PEFT_MUSTCHECK;

#endif
