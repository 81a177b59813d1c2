/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_TUNE_H
#define PEFT_EVAL_TUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "eval/likeness.h"
#include "eval/limits.h"
#include "merge/residual.h"
#include "quant/convert.h"
#include "quant/fit.h"
#include "quant/imatrix.h"
#include "quant/sink.h"

/*
 * What peft-quantize does beyond conversion: types for a size (fit.h), from
 * the loss over tokens if there are some (fisher.h); the adapter that takes up
 * the error (residual.h); before the output gets its name, a comparison of
 * both models (likeness.h).
 */
struct peft_tuneopt {
	const char	*model;
	int		 threads;
	size_t		 fit;		/* bytes; 0: types are as planned */
	enum peft_dtype	 types[PEFT_NDTYPE];	/* for it */
	size_t		 ntypes;
	const char	*calibrate;	/* token records, or NULL */
	struct peft_residualopt residual;	/* rank 0: none */
	const char	*verify;	/* token records, or NULL */
	struct peft_limits limits;	/* of peft_likeness_metric() */
};

/* For commands: rows of an option table, and what they do. */
enum {
	PEFT_O_FIT = 2100, PEFT_O_FITTYPES, PEFT_O_CALIBRATE, PEFT_O_RANK,
	PEFT_O_RESIDUAL, PEFT_O_ITERS, PEFT_O_VERIFY, PEFT_O_BELOW,
	PEFT_O_ABOVE
};
#define PEFT_TUNE_OPTS \
	{ PEFT_O_FIT, "fit", "SIZE", "choose the types: an output of at most SIZE" }, \
	{ PEFT_O_FITTYPES, "fit-types", "TYPE,...", "of these (by container)" }, \
	{ PEFT_O_CALIBRATE, "calibrate", "FILE", "by what predictions over these records depend on" }, \
	{ PEFT_O_RANK, "residual-rank", "R", "an adapter of rank R takes up the error" }, \
	{ PEFT_O_RESIDUAL, "residual-out", "FILE", "write that adapter to FILE (or FOLDER/)" }, \
	{ PEFT_O_ITERS, "residual-iters", "N", "quantise and approximate in N turns (1)" }, \
	{ PEFT_O_VERIFY, "verify", "FILE", "compare the logits before and after on these records" }, \
	{ PEFT_O_BELOW, "fail-below", "METRIC=VALUE", "exit 3, without output, if METRIC of --verify is below" }, \
	{ PEFT_O_ABOVE, "fail-above", "METRIC=VALUE", "exit 3, without output, if METRIC of --verify is above" }

void		 peft_tune_option(struct peft_tuneopt *, int ch, char *arg);
/* After all of them; typed: -t was given without a pattern. */
void		 peft_tune_settle(struct peft_tuneopt *,
		    const struct peft_common *, const char *model, bool typed);
/* And of what they ask of the conversion, which the options before them say:
 * one that no weight could heed is refused. */
void		 peft_tune_heeded(const struct peft_tuneopt *,
		    const struct peft_convertopt *);

struct peft_tune;

/* Changes specs[n], which were planned for the source, and asks to be called
 * when the sink commits; all is borrowed. */
struct peft_tune *peft_tune_open(const struct peft_tuneopt *,
		    struct peft_source *, const struct peft_convertopt *,
		    struct peft_sinkopt *, struct peft_spec *, size_t n,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_tune_close(struct peft_tune *);
/* What is to be stored of weight i, until the next call; *rows says what would
 * be without this. */
int		 peft_tune_rows(struct peft_tune *, size_t i,
		    const struct peft_weight *, struct peft_rows *rows,
		    struct peft_residual_sums *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* What was chosen, saved and compared so far, a line each, in words or JSON;
 * what was told once is not told again. */
void		 peft_tune_tell(struct peft_tune *, bool json,
		    struct peft_buf *);

/* Importances (path: a file of them, or NULL) into the plan, and a warning of
 * matrices that have none; refused: types that need some. */
int		 peft_tune_weigh(const char *path, bool quiet,
		    const struct peft_source *, struct peft_imatrix *,
		    struct peft_spec *, size_t n, struct peft_err *)
		    PEFT_MUSTCHECK;

#endif
