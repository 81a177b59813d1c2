/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_TIKTOKEN_H
#define PEFT_TENSOR_TIKTOKEN_H

#include "base/json.h"
#include "tensor/pieces.h"

/*
 * Ranks as tiktoken keeps them: a line a token, its bytes in base64, a space,
 * and its rank, which is its id and when it is merged.  How texts are split
 * and which special tokens there are is not in the file.
 */
struct peft_ranks {
	struct peft_pieces	 pieces;	/* by id: in GPT-2's alphabet */
	struct peft_buf		 text;		/* that they point into */
};

/* What goes with a file. */
struct peft_tiktoken {
	const char	*name;		/* "cl100k_base" */
	const char	*pre;		/* GGUF's name of the pre-tokenizer */
	const char	*bos, *eos;	/* special tokens, or NULL */
	const char	*const *special;	/* names, ends with NULL */
	const size_t	*id;		/* theirs; NULL: behind the ranks */
	const char	*reserved;	/* more behind: <|NAME_0|>, ... */
	size_t		 first, count;	/* numbers of these */
};

/* By name, or by model_type; NULL if there is none. */
const struct peft_tiktoken *peft_tiktoken_of_name(const char *, size_t len);
const struct peft_tiktoken *peft_tiktoken_of_model(const char *model_type);

/* Reads a file called r->pieces.what.  To be freed also on failure. */
int	peft_ranks_read(struct peft_ranks *, const char *, size_t len,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_ranks_free(struct peft_ranks *);

/* Append GPT-2's character for a byte. */
void	peft_ranks_visible(struct peft_buf *, unsigned char byte);

/* tokenizer.json, to be freed also on failure.  config: tokenizer_config.json,
 * of which added_tokens_decoder and add_bos_token count, or NULL. */
int	peft_ranks_tokenizer(const struct peft_ranks *,
	    const struct peft_tiktoken *, const cJSON *config,
	    struct peft_tokjson *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_ranks_config(const struct peft_tiktoken *, struct peft_buf *);

#endif
