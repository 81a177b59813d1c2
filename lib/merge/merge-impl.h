/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MERGE_MERGE_IMPL_H
#define PEFT_MERGE_MERGE_IMPL_H

#include "base/buf.h"
#include "merge/merge.h"
#include "model/net.h"
#include "peft/adapter.h"
#include "peft/head.h"
#include "quant/sink.h"

/* What the files of this layer share. */
struct peft_fold {			/* an adapter of the sum */
	const char		*label;
	struct peft_source	*source;
	struct peft_adapter	*adapter;
	float			 weight;
};

/* A weight to be written, made from one of the base. */
struct peft_made {
	size_t			 from;		/* its index in the base */
	char			*name;		/* NULL: the same */
	bool			 merged;	/* an adapter changes it */
	struct peft_spec	 spec;
};

struct peft_merge {
	struct peft_mergeopt	 opt;
	struct peft_source	*base;
	struct peft_config	 config;
	struct peft_sites	 sites;
	struct peft_fold	*folds;
	size_t			 nfolds, cap;
	struct peft_headopt	 head;	/* that the adapters bring */
	struct peft_labels	 labels;
	char			 hash[7 + PEFT_SHA256_HEX];	/* or "" */
	bool			 pipe;		/* the base comes by one */

	struct peft_made	*made;
	size_t			 nmade;
	bool			 untied;	/* the head is its own now */
	struct peft_side	*sides;
	size_t			 nsides;
	struct peft_buf		 config_json;	/* if it had to be changed */

	struct peft_buf		 notes;		/* NUL-terminated each */
	size_t			 told;		/* of them, bytes */

	const char		*tokens;	/* verify: see merge.h */
	struct peft_verdict	*verdict;
	struct peft_change	 all;	/* every weight that is rounded */
};

void	peft_merge_say(struct peft_merge *, const char *, ...)
	    PEFT_PRINTF(2, 3);

/* head.c: one more adapter, which may bring a head. */
int	peft_merge_head(struct peft_merge *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* plan.c: what will be written. */
int	peft_merge_plan(struct peft_merge *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_merge_unplan(struct peft_merge *);

/* measure.c: rows that pass through, and what rounding them into the spec's
 * type does to them. */
struct peft_measure {
	const struct peft_spec	*spec;
	struct peft_rows	 base, merged;	/* the same if not merged */
	size_t			 rows, cols;
	struct peft_change	 change;
	float			*old, *stored;	/* scratch: a piece each */
	uint8_t			*bytes;
	float			*absmax;
	size_t			 room;		/* values in a piece */
};
/* The rows to give to the sink; they borrow the struct. */
struct peft_rows peft_measure_rows(struct peft_measure *);
/* Pull all rows, for nobody. */
int	peft_measure_run(struct peft_measure *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_measure_free(struct peft_measure *);
void	peft_change_add(struct peft_change *, const struct peft_change *);

/* verify.c, a struct peft_check's fn: ctx is the merge. */
int	peft_merge_look(void *ctx, const char *path, struct peft_err *);

#endif
