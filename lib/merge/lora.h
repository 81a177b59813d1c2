/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_LORA_H
#define PEFT_MERGE_LORA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"
#include "merge/merge.h"
#include "peft/adapter.h"

/*
 * LoRA adapters that are made of changes of weights, not trained.
 *
 * The config of one of this rank and scale 1 on the sites for which taken[]
 * (of sites->n) is set; base: base_model_name_or_path, or NULL.
 */
cJSON	*peft_lora_config(const struct peft_sites *, const bool *taken,
	    size_t rank, const char *base);
/* Where an adapter keeps A [r, in] (0) and B [out, r] (1) of a site. */
float	*peft_lora_factor(struct peft_adapter *, const struct peft_site *,
	    int which, struct peft_err *);

/* Such an adapter, which must be of scale 1, as llama.cpp reads it: a file. */
struct peft_lora_gguf {
	struct peft_adapter		*adapter;
	const struct peft_sites		*sites;
	const bool			*taken;
	size_t				 rank;
};
int	peft_lora_save_gguf(const struct peft_lora_gguf *, const char *path,
	    bool force, struct peft_err *) PEFT_MUSTCHECK;

/* Is a file GGUF; and such an adapter, over a model's sites.  A tensor that
 * fits none of its linear layers, half of one, another architecture: errors
 * that name it. */
bool	peft_lora_is_gguf(const char *path);
struct peft_adapter *peft_lora_open_gguf(const char *path,
	    const struct peft_sites *, struct peft_err *) PEFT_MUSTCHECK;

/*
 * What a merge would change, as a LoRA adapter: of each linear weight the best
 * approximation of a rank to its change (Eckart and Young 1936).  The change
 * is what the adapters of the merge add, or what a tuned model of the same
 * kind has more than the base.  With rank 0 it is the smallest power of two
 * that loses less than 0.1 % of each change.
 */
struct peft_loraopt {
	const char	*tuned;		/* a model, or NULL: the adapters */
	size_t		 rank;
	bool		 lossy;		/* leave out what LoRA has no place for
					 * (norms, embeddings, heads, biases)
					 * instead of refusing it */
};

struct peft_loraline {
	const char	*name;		/* of the weight */
	double		 change2, lost2;	/* squared norms */
	size_t		 i, n;
};
struct peft_lorasum {
	size_t	weights, left_out, rank;
	double	change2, lost2;
	char	most[256];	/* where the largest share was lost, */
	double	most_lost;	/* .. and which */
	char	left[256];	/* the first that was left out */
};
/* Write it to options.output of the merge: NAME.gguf for llama.cpp, else as
 * PEFT does; dry: everything but that. */
int	peft_merge_to_lora(struct peft_merge *, const struct peft_loraopt *,
	    bool dry, void (*line)(void *ctx, const struct peft_loraline *),
	    void *ctx, struct peft_lorasum *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
