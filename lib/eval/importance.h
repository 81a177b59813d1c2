/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_IMPORTANCE_H
#define PEFT_EVAL_IMPORTANCE_H

#include "base/err.h"
#include "base/out.h"
#include "eval/score.h"
#include "eval/session.h"

/*
 * What goes into the linear layers while a model runs: of each of their
 * columns the sum of squares, in f64 and in the order of the tokens, so that
 * it does not depend on the number of threads (see quant/imatrix.h).
 */
/* peft_score_records(), heard: the matrix of what ran goes to out (NULL: it is
 * not wanted), whose name tells its form; paths: the files that the records
 * are from, none: standard input. */
int		 peft_score_heard(struct peft_session *, int adapter,
		    const struct peft_record *, size_t n, struct peft_out *out,
		    const char *name, char *const *paths, size_t npaths,
		    struct peft_score *, struct peft_err *) PEFT_MUSTCHECK;

#endif
