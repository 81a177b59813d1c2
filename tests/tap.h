/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

/* TAP for C tests: ok() a claim, tap_end() is what main() returns. */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static int tap_n, tap_failed;

static inline int ok(int, const char *, ...) PEFT_PRINTF(2, 3);

/* Returns what is claimed, so that more can be said of a failure. */
static inline int
ok(int good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("%sok %d - ", good ? "" : "not ", ++tap_n);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	tap_failed += !good;
	return good;
}

/* What the test itself cannot do without. */
static inline void
need(int good, const struct peft_err *err)
{
	if (good)
		return;
	printf("Bail out! %s\n", err->msg);
	exit(1);
}

/* The larger of two differences; a NaN, which fmax() passes over, is worse than
 * any. */
static inline double
tap_worst(double most, double d)
{
	return isnan(d) ? INFINITY : fmax(most, d);
}

/* Largest difference of what was got, as a share of the largest value that was
 * wanted; infinite where there is a NaN. */
static inline double
tap_distance(const float *got, const float *want, size_t count)
{
	double most = 0, top = 1e-30, d;
	size_t i;

	for (i = 0; i < count; i++) {
		d = fabs((double)got[i] - (double)want[i]);
		most = tap_worst(most, d);
		top = fmax(top, fabs((double)want[i]));
	}
	return most / top;
}

static inline int
tap_end(void)
{
	printf("1..%d\n", tap_n);
	return tap_failed != 0;
}

#endif
