/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of the machine's peak, and the profile of a run. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/progress.h"
#include "math/peak.h"
#include "tensor/dtype.h"
#include "train/report.h"

/* A step this long, in seconds, is worth another look at the peak. */
#define LONG	1.0

int
peft_report_start(struct peft_report *r, struct peft_cpu *cpu, bool profile,
    struct peft_err *err)
{
	*r = (struct peft_report){ .cpu = cpu,
	    .peak = peft_peak_products(cpu) };
	if (!profile)
		return 0;
	if ((r->memory = peft_peak_memory(cpu, err)) < 0 ||
	    (r->profile = peft_calloc(1, sizeof(*r->profile), err)) == NULL)
		return -1;
	r->t0 = peft_now();
	peft_profile_start(cpu, r->profile);
	return 0;
}

/* Cores of a virtual machine may be halves of one for a while: the peak is the
 * most that was seen. */
static void
look_again(struct peft_report *r)
{
	double peak = peft_peak_products(r->cpu);

	r->peak = peak > r->peak ? peak : r->peak;
}

static double
smooth(double old, double new)
{
	return old == 0 ? new : 0.9 * old + 0.1 * new;
}

void
peft_report_step(struct peft_report *r, const struct peft_stepinfo *i,
    char *note, size_t size)
{
	int n;

	if (i->seconds > LONG)
		look_again(r);
	r->rate = smooth(r->rate, (double)i->all_tokens / i->seconds);
	r->share = smooth(r->share, i->work / i->seconds / r->peak);
	n = snprintf(note, size, "loss %.4f, %.0f tokens/s, %.0f %% of peak, "
	    "%.0f of %.0f MiB", i->loss, r->rate, 100 * r->share,
	    (double)peft_rss() / 0x1p20, (double)i->planned / 0x1p20);
	if (!isnan(i->eval_loss) && n > 0 && (size_t)n < size)
		snprintf(note + n, size - (size_t)n, ", eval %.4f%s",
		    i->eval_loss, i->best ? " (best)" : "");
}

/* A row: its name, seconds, share of all time, calls; what it reached, in
 * 1e9 operations or bytes a second, and as a share of the peak. */
static void
print_row(const struct peft_report *r, const char *name, const char *type,
    const struct peft_worked *w, bool bytes, double all)
{
	double peak = bytes ? r->memory : r->peak, got;
	char what[48];

	snprintf(what, sizeof(what), "%s%s%s", name, type != NULL ? " " : "",
	    type != NULL ? type : "");
	fprintf(stderr, "%-26s %9.3f %6.1f", what, w->seconds,
	    100 * w->seconds / all);
	if (w->calls > 0)
		fprintf(stderr, " %8llu", (unsigned long long)w->calls);
	if (w->amount > 0 && w->seconds > 0) {
		got = w->amount / w->seconds;
		fprintf(stderr, " %8.1f %s %6.1f", got * 1e-9,
		    bytes ? "GB/s" : "GF/s", 100 * got / peak);
	}
	fputc('\n', stderr);
}

static void
print_kind(const struct peft_report *r, enum peft_work k, double all,
    double *rest)
{
	bool typed = k == PEFT_WORK_FORWARD || k == PEFT_WORK_BACKWARD ||
	    k == PEFT_WORK_HEAD || k == PEFT_WORK_HEAD_BACK;
	size_t t;

	for (t = 0; t < PEFT_WORK_TYPES; t++) {
		const struct peft_worked *w = &r->profile->at[k][t];

		if (w->calls == 0)
			continue;
		print_row(r, peft_works[k].name, typed ? peft_dtypes[t].name :
		    NULL, w, peft_works[k].bytes, all);
		*rest -= w->seconds;
	}
}

void
peft_report_end(struct peft_report *r)
{
	struct peft_worked rest = { 0 };
	int threads = peft_cpu_threads(r->cpu);
	double all = peft_now() - r->t0;
	int k;

	if (r->profile == NULL)
		return;
	peft_profile_stop(r->cpu);
	fprintf(stderr, "profile of %.3f s, %s\n", all,
	    peft_cpu_describe(r->cpu));
	fprintf(stderr, "peaks: %.1f GF/s from registers, %.1f GB/s from "
	    "memory\n", r->peak * 1e-9, r->memory * 1e-9);
	fprintf(stderr, "%-26s %9s %6s %8s %8s %4s %6s\n", "", "seconds", "%",
	    "calls", "reached", "", "% peak");
	rest.seconds = all;
	for (k = 0; k < PEFT_NWORK; k++)
		print_kind(r, (enum peft_work)k, all, &rest.seconds);
	print_row(r, "the rest", NULL, &rest, false, all);
	rest.seconds = r->profile->idle / threads;
	print_row(r, "of all this, waiting", NULL, &rest, false, all);
}

void
peft_report_free(struct peft_report *r)
{
	if (r->profile != NULL)
		peft_profile_stop(r->cpu);
	free(r->profile);
	r->profile = NULL;
}
