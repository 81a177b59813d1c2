/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_LORA_H
#define PEFT_MERGE_LORA_H

#include <stdbool.h>
#include <stddef.h>

#include "merge/merge.h"
#include "peft/layout.h"

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
	bool		 exact;		/* the adapters' own factors, side by
					 * side; those that have none are
					 * refused */
	bool		 rslora;	/* with use_rslora, and alphas for it */
	const struct peft_layout *layout;	/* to write it in; NULL: PEFT's,
					 * or GGUF if output is called so */
	bool		 lossy;		/* leave out what LoRA has no place for
					 * (norms, embeddings, heads, biases)
					 * instead of refusing it */
};

/* From --as-lora RANK|auto|exact and --layout NAME, or the end of it. */
void	peft_loraopt_rank(struct peft_loraopt *, const char *arg);
void	peft_loraopt_layout(struct peft_loraopt *, const char *arg);

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
/* Write it to options.output of the merge; dry: everything but that. */
int	peft_merge_to_lora(struct peft_merge *, const struct peft_loraopt *,
	    bool dry, void (*line)(void *ctx, const struct peft_loraline *),
	    void *ctx, struct peft_lorasum *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The one adapter of the merge as it is, in a layout (NULL: PEFT's). */
int	peft_merge_convert(struct peft_merge *, const struct peft_layout *,
	    bool dry, struct peft_err *) PEFT_MUSTCHECK;

/* What the two ways to make one share: lora-exact.c; is there a place for it;
 * write it. */
int	peft_merge_exact_lora(struct peft_merge *,
	    const struct peft_loraopt *, bool dry,
	    void (*line)(void *ctx, const struct peft_loraline *), void *ctx,
	    struct peft_lorasum *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_merge_probe_lora(const struct peft_merge *,
	    const struct peft_layout *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_merge_save_lora(struct peft_merge *, const struct peft_layout *,
	    struct peft_adapter *, struct peft_err *) PEFT_MUSTCHECK;

#endif
