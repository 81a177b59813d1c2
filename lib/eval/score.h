/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_SCORE_H
#define PEFT_EVAL_SCORE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/tokens.h"
#include "eval/session.h"

/*
 * What a model (the base, or the base with an adapter) makes of records.
 * A record's figures depend on that record alone: its neighbours, and how many
 * are computed at once, change at most the rounding of the last bits.
 */
struct peft_score {
	double		 nll;		/* sum over the supervised tokens */
	size_t		 tokens, top1;	/* their number; most likely ones */
	/* records with an answer to give (peft_score_answers) */
	bool		 asked, match;
	char		*answer;	/* what was answered, or NULL */
	/* records with choices */
	bool		 chosen;
	size_t		 choice, choice_norm;	/* of the largest log p, and of
						 * the largest log p a token */
};

/* Losses and choices of all records: scores[n]. */
int	peft_score_records(struct peft_session *, int adapter,
	    const struct peft_record *, size_t n, struct peft_score *scores,
	    struct peft_err *) PEFT_MUSTCHECK;

/* Greedy answers: each record is cut before the last stretch of supervised
 * tokens, continued, and compared with that stretch: as text without the
 * white space around it when there is a tokenizer, as ids otherwise; end
 * tokens and what follows them do not count.  Records without a prompt or an
 * answer are not asked. */
int	peft_score_answers(struct peft_session *, int adapter,
	    const struct peft_record *, size_t n, size_t extra,
	    struct peft_score *scores, struct peft_err *) PEFT_MUSTCHECK;

void	peft_scores_free(struct peft_score *, size_t n);

/* The sums of one system, as the summary line of peft-results(5) says. */
struct peft_summary {
	size_t	records, tokens, predicted, asked, chosen;
	size_t	judged;			/* by accuracy: chosen, or told */
	size_t	told, values;		/* by heads for classes, of values */
	double	loss, perplexity, token_accuracy;
	double	exact_match, accuracy, accuracy_norm;
	double	macro_f1, micro_f1, mae;	/* eval/classify.h */
};
struct peft_summary peft_summarise(const struct peft_record *,
	    const struct peft_score *, size_t n);

/* A metric of a summary by its name there ("loss", "exact_match", ...), as
 * limits.h asks for it: 1, or 0 if this run has not measured it, or -1 if there
 * is none of that name. */
int	peft_summary_value(const void *summary, const char *name,
	    double *value);

/* One result line of a record, and of a summary. */
void	peft_score_put(struct peft_buf *, const char *system, size_t number,
	    const struct peft_record *, const struct peft_score *);
void	peft_summary_put(struct peft_buf *, const char *system,
	    const struct peft_summary *);
/* The same without the two braces that end it. */
void	peft_summary_begin(struct peft_buf *, const char *system,
	    const struct peft_summary *);

#endif
