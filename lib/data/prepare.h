/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_PREPARE_H
#define PEFT_DATA_PREPARE_H

#include "base/out.h"
#include "data/encode.h"
#include "data/feed.h"
#include "data/lint.h"
#include "data/show.h"
#include "data/split.h"

/*
 * Whole inputs of records, one record after the other: to token records, to
 * what people look at, or to a report of mistakes.
 */
enum peft_prep_mode {
	PEFT_PREP_TOKENS,	/* token records, framed by {"peft"} lines */
	PEFT_PREP_SHOW,		/* as peft_show_record() does */
	PEFT_PREP_RENDER,	/* what the template makes */
	PEFT_PREP_LINT,		/* findings, and a report at the end */
	PEFT_PREP_FIX		/* the records themselves, mended */
};

enum peft_over { PEFT_OVER_REFUSE, PEFT_OVER_DROP, PEFT_OVER_CUT };

struct peft_prep {
	const struct peft_codec	*codec;
	struct peft_encopt	 enc;
	enum peft_prep_mode	 mode;
	bool			 per_turn;	/* a record of each turn that is
						 * learnt */
	enum peft_style		 style;		/* of SHOW */
	size_t			 show;		/* records at most; 0: all */
	size_t			 max_length;	/* tokens; 0: no limit */
	enum peft_over		 over;		/* what becomes of longer */
	const char		*test;		/* LINT, FIX: a test set */
	bool			 json;		/* with LINT: the report */
	struct peft_split	 split;		/* with TOKENS, RENDER */
	size_t			 skip_bad;	/* that many bad records may be
						 * left out; each is told */
	int			 threads;	/* 0: one a core */
	/* told what people should know, a line each; or NULL */
	void	(*note)(void *ctx, const char *message);
	void	(*bad)(void *ctx, const char *message);	/* a record left out */
	void	*ctx;
	/* what was seen */
	struct peft_lint	 lint;
	size_t			 part[PEFT_SPLIT_PARTS]; /* records of each */
	size_t			 records, skipped, dropped, cut;
	size_t			 changed, fixed_away;	/* by FIX */
	size_t			 idle;		/* without a supervised token */
	size_t			 batched;	/* the tokenizer's truncation or
						 * padding would change them */
	size_t			 tokens, supervised;
	size_t			 classes;	/* records that have some */
};

/* outs: one, or as many as there are parts.
 * The records of the inputs come out in their order, with the same bytes for
 * any number of threads.  Memory does not grow with the inputs, but for LINT,
 * which remembers hashes.  With LINT a report that has findings is written
 * whole, and is then an error of status PEFT_CHECK. */
int	peft_prep_run(struct peft_prep *, const struct peft_feedopt *,
	    struct peft_out *const *outs, struct peft_err *) PEFT_MUSTCHECK;
void	peft_prep_free(struct peft_prep *);

#endif
