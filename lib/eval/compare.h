/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_COMPARE_H
#define PEFT_EVAL_COMPARE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Two result files, record by record: paired differences with bootstrap
 * intervals (Efron & Tibshirani 1993, percentile method, 10,000 resamples of
 * the records, drawn by counter-based random numbers: the same seed gives
 * the same interval).
 *
 * a, b: "FILE" or "FILE=SYSTEM"; without a system the file must hold one
 * only.  Records are paired by id where both have one, by number otherwise;
 * a record that has no partner is an error.  Appends one JSON line for each
 * metric both have: {"compare":{"metric","a","b","difference","low","high",
 * "records","wins","losses","ties"}}, difference = b - a; wins: records
 * where b is better.
 */
int	peft_compare(const char *a, const char *b, uint64_t seed,
	    struct peft_buf *out, struct peft_err *) PEFT_MUSTCHECK;

#endif
