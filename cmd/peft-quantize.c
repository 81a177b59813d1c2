/* SPDX-License-Identifier: Apache-2.0 */
/* peft-quantize - change the types and the container of a model's weights */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/progress.h"
#include "eval/tune-report.h"
#include "eval/tune.h"
#include "model/check.h"
#include "quant/convert.h"
#include "quant/convert-opt.h"
#include "quant/imatrix.h"
#include "quant/origin.h"
#include "quant/quant.h"

enum {
	O_LIST = PEFT_O_OWN, O_KEEP, O_PURE, O_REPORT, O_DOUBLE, O_BLOCK,
	O_SHARD, O_IMATRIX
};

static const struct peft_opt opts[] = {
	{ 't', "type", "[REGEX=]TYPE", "store weights (whose name matches) as TYPE (see --list-types)" },
	{ O_LIST, "list-types", NULL, "print the types that can be written, and exit" },
	{ O_KEEP, "keep", "REGEX", "leave weights whose name matches as they are" },
	{ O_PURE, "pure", NULL, "GGUF types: for all matrices, in no mix" },
	{ O_DOUBLE, "double-quant", NULL, "nf4, fp4: quantise the scales too" },
	{ O_BLOCK, "block-size", "N", "nf4, fp4: weights to a scale (64)" },
	{ O_IMATRIX, "imatrix", "FILE", "GGUF types: weigh columns by this importance matrix" },
	{ O_SHARD, "shard", "SIZE", "folder: files of at most SIZE (one file)" },
	{ O_REPORT, "report", NULL, "print each weight's error, on standard error" },
	PEFT_TUNE_OPTS,
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_DRY,
	PEFT_OPT_THREADS, PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "[-t [REGEX=]TYPE] ... [-o OUT] [MODEL]",
	.about = "change the types and the container of a model's weights",
	.opts = opts,
};

struct job {
	struct peft_common	 common;
	struct peft_convertopt	 convert;
	struct peft_typeopt	 types;
	size_t			 shard;
	struct peft_report	 report;
	struct peft_tuneopt	 tune;
	const char		*imatrix;
	const char		*model;
};

static void
put_lines(struct peft_buf *b)
{
	fputs(b->failed || b->data == NULL ? "" : b->data, stderr);
	peft_buf_free(b);
}

/* Another type than was asked for is not given in silence. */
static void
say_misfits(const struct job *job, const struct peft_spec *specs, size_t n)
{
	char note[PEFT_CONVERT_NOTE];
	int i;

	for (i = 0; !job->common.quiet && i < PEFT_NNOTE; i++)
		if (peft_convert_note(specs, n, i, note))
			peft_warn("%s", note);
}

/* One weight, which the source has just given. */
static int
convert_one(struct job *job, struct peft_progress *bar,
    const struct peft_passing *p, const struct peft_spec *s,
    struct peft_tune *tune, struct peft_sink *sink, struct peft_err *err)
{
	struct peft_rows rows = peft_rows_passing(p);
	struct peft_residual_sums sums;
	struct peft_fidelity e = { 0 };
	struct peft_buf b = { 0 };

	/* a pipe may complete its weights in another order */
	if (strcmp(p->w.name, s->name) != 0)
		return peft_seterr(err, "weight %s comes before %s in the "
		    "pipe: write it to a file first", p->w.name, s->name);
	if (job->report.measured && !peft_sink_keeps(s, &rows) &&
	    peft_fidelity(&p->w, s, NULL, 0, &e, err) == -1)
		return peft_errprefix(err, "weight %s", p->w.name);
	if (peft_tune_rows(tune, p->i, &p->w, &rows, &sums, err) == -1)
		return -1;
	if (job->report.measured || job->common.verbose > 0 ||
	    (job->common.dry && !job->common.quiet)) {
		peft_progress_wipe(bar);
		peft_report_weight(&job->report, &b, &p->w, s, &e, &sums);
		put_lines(&b);
	}
	return sink != NULL ? peft_sink_put(sink, &rows, err) : 0;
}

/* In millions: what there is to do is not told by the number of weights, of
 * which the first may be as large as a hundred others. */
static double
values_of(const struct peft_weight *w)
{
	return (double)w->nelem * 1e-6;
}

static double
all_values(const struct peft_source *src)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < peft_source_count(src); i++)
		sum += values_of(peft_source_at(src, i));
	return sum;
}

static int
convert(struct job *job, struct peft_source *src,
    const struct peft_spec *specs, struct peft_tune *tune,
    struct peft_sink *sink, struct peft_origin *origin, struct peft_err *err)
{
	struct peft_passing p = { .source = src };
	struct peft_progress bar;
	double done = 0;
	int r;

	peft_progress_start(&bar, "quantize", all_values(src),
	    "million values", &job->common);
	while ((r = peft_source_next(src, &p.w, err)) == 1) {
		if (sink != NULL)
			peft_origin_begin(origin, &p.w);
		r = convert_one(job, &bar, &p, &specs[p.i], tune, sink, err);
		peft_origin_wait(origin);
		if (r == -1)
			break;
		p.i++;
		peft_progress_set(&bar, done += values_of(&p.w), p.w.name);
	}
	peft_progress_end(&bar);
	return r == 0 ? peft_source_unchanged(src, err) : r;
}

/* Is the hash of the model this one is made from to be in it?  For
 * peft-merge: an adapter trained over the one may go onto the other.  A pipe
 * is read only once; GGUF has no place for it. */
static bool
has_origin(const struct job *job)
{
	return (!job->common.dry || job->tune.fit > 0) &&
	    strcmp(job->model, "-") != 0 && !job->convert.gguf;
}

/* What was found out of all weights, and beyond errors. */
static void
tell(const struct job *job, struct peft_tune *tune, bool converted)
{
	struct peft_buf b = { 0 };

	if (converted)
		peft_report_end(&job->report, &b);
	if (tune != NULL && !job->common.quiet)
		peft_tune_tell(tune, job->common.logjson, &b);
	put_lines(&b);
}

static int
run_plan(struct job *job, struct peft_source *src, struct peft_sinkopt *o,
    struct peft_origin *origin, struct peft_spec *specs, size_t n,
    struct peft_err *err)
{
	const struct peft_side *sides;
	size_t nsides;
	struct peft_tune *tune = peft_tune_open(&job->tune, src,
	    &job->convert, o, specs, n, err);
	struct peft_sink *sink = NULL;
	int r = tune == NULL ? -1 : 0;

	tell(job, tune, false);
	if (r == 0 && job->tune.fit > 0)
		r = peft_imatrix_needed(src, specs, n, err);
	if (r == 0 && !job->common.dry && (peft_source_sides(src, &sides,
	    &nsides, err) == -1 || (sink = peft_sink_open(o, specs, n, sides,
	    nsides, err)) == NULL))
		r = -1;
	if (r == 0) {
		say_misfits(job, specs, n);
		r = convert(job, src, specs, tune, sink, origin, err);
	}
	if (r == 0 && sink != NULL && (r = peft_origin_settle(origin, sink,
	    err)) == 0) {
		r = peft_sink_commit(sink, err);
		sink = NULL;
	}
	tell(job, tune, r == 0);
	peft_sink_abort(sink);
	peft_tune_close(tune);
	return r;
}

static int
run(struct job *job, struct peft_err *err)
{
	struct peft_origin origin = { .hasher = NULL };
	struct peft_sinkopt o = { .path = job->common.output,
	    .force = job->common.force, .shard = job->shard,
	    .kind = "model", .threads = job->tune.threads,
	    .file_type = job->convert.mix };
	/* hours may pass until a pipe gives what there is to be written */
	struct peft_source *src = !job->common.dry && peft_sink_probe(&o,
	    err) == -1 ? NULL : peft_source_open(job->model, err);
	struct peft_spec *specs = NULL;
	struct peft_imatrix imatrix = { 0 };
	struct peft_weighed weighed = { .file = job->imatrix };
	size_t n;
	int r = -1;

	o.origin = src;
	o.same_types = job->convert.dtype == PEFT_NDTYPE &&
	    job->convert.nrules == 0 && job->tune.fit == 0;
	o.meta = has_origin(job) ? origin.meta : NULL;
	if (src == NULL || (o.meta != NULL && peft_origin_open(&origin, src,
	    job->model, o.path, job->common.threads, err) == -1)) {
		peft_source_close(src);
		return -1;
	}
	o.from = peft_source_label(src);
	if (peft_source_count(src) == 0)
		peft_seterr(err, "%s: no weights", peft_source_label(src));
	else if (peft_model_check(src, err) == 0 &&
	    (specs = peft_convert_plan(src, &job->convert, &n,
	    err)) != NULL && peft_tune_weigh(job->imatrix,
	    job->common.quiet, src, &imatrix, specs, n, err) == 0) {
		weighed.dataset = imatrix.dataset;
		weighed.entries = imatrix.n;
		weighed.chunks = imatrix.chunks;
		o.weighed = job->imatrix != NULL ? &weighed : NULL;
		r = run_plan(job, src, &o, &origin, specs, n, err);
	}
	peft_origin_close(&origin);
	free(specs);
	peft_imatrix_free(&imatrix);
	peft_source_close(src);
	return r;
}

/* To standard output, and that is all: of n other arguments none would do
 * anything. */
static void
list_types(int n)
{
	struct peft_buf b = { 0 };

	if (n > 0)
		peft_die(PEFT_USAGE, "--list-types only prints, to standard "
		    "output: nothing goes beside it");
	peft_convert_list(&b);
	fputs(b.failed ? "" : b.data, stdout);
	peft_buf_free(&b);
	exit(peft_finish(PEFT_OK));
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 't':
			peft_typeopt_type(&job->types, optarg);
			break;
		case O_LIST:
			list_types(argc - 2);
			break;
		case O_KEEP:
			peft_typeopt_keep(&job->types, optarg);
			break;
		case O_PURE:
			job->types.pure = true;
			break;
		case O_DOUBLE:
			job->convert.nested = true;
			break;
		case O_BLOCK:
			job->convert.blocksize = (size_t)peft_optint(
			    "--block-size", optarg, 32, 4096);
			break;
		case O_IMATRIX:
			job->imatrix = optarg;
			break;
		case O_SHARD:
			job->shard = peft_optsize("--shard", optarg);
			break;
		case O_REPORT:
			job->report.measured = true;
			break;
		default:
			peft_tune_option(&job->tune, ch, optarg);
		}
	if (argc - optind > 1)
		peft_die(PEFT_USAGE, "one model at a time");
	job->model = optind < argc ? argv[optind] : "-";
	job->report.json = job->common.logjson;
	peft_tune_settle(&job->tune, &job->common, job->model,
	    job->types.type != NULL);
	job->convert.imatrix = job->imatrix != NULL;
	peft_typeopt_settle(&job->types, job->common.output, &job->convert);
	peft_tune_heeded(&job->tune, &job->convert);
}

int
main(int argc, char **argv)
{
	struct job job = { .convert = { .dtype = PEFT_NDTYPE } };
	struct peft_err err = { 0 };

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if (run(&job, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	return peft_finish(PEFT_OK);
}
