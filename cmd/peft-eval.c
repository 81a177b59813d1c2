/* SPDX-License-Identifier: Apache-2.0 */
/* peft-eval - measure a model, and adapters over it */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "base/progress.h"
#include "data/load.h"
#include "eval/classes.h"
#include "eval/compare.h"
#include "eval/importance.h"
#include "eval/limits.h"
#include "eval/score.h"
#include "eval/session.h"
#include "quant/imatrix.h"

enum {
	O_COMPARE = PEFT_O_OWN, O_MATCH, O_NOBASE, O_BELOW, O_ABOVE, O_PARTIAL,
	O_ANYBASE, O_SUMMARY, O_EXTRA, O_COMPUTE, O_IMATRIX, O_PREDICT, O_TABLE,
	O_COMBINE
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "the model: a folder, a GGUF file, a bundle" },
	{ 'a', "adapter", "[NAME=]ADAPTER", "measure this adapter too (repeatable)" },
	{ O_COMBINE, "combine", "NAME=A[:W],B[:W]...", "measure adapters together, each times its weight (1)" },
	{ O_NOBASE, "no-base", NULL, "do not measure the base alone" },
	{ O_MATCH, "match", NULL, "let the model answer, count exact matches" },
	{ O_EXTRA, "extra", "N", "tokens an answer may be longer than the right one (8)" },
	{ O_PREDICT, "predict", NULL, "classes: write each record with the label that the head tells" },
	{ O_TABLE, "table", NULL, "classes: write a table for people instead of JSON" },
	{ O_SUMMARY, "summary", NULL, "write the summary lines only" },
	{ O_IMATRIX, "imatrix", "FILE", "write the importance matrix of what was run (.gguf or .dat)" },
	{ O_COMPARE, "compare", NULL, "compare two result files: A[=SYSTEM] B[=SYSTEM]" },
	{ O_BELOW, "fail-below", "METRIC=VALUE", "exit 3 if the last system's METRIC is below VALUE" },
	{ O_ABOVE, "fail-above", "METRIC=VALUE", "exit 3 if the last system's METRIC is above VALUE" },
	{ O_PARTIAL, "partial", NULL, "accept a token stream that was cut short" },
	{ O_COMPUTE, "compute", "f32|bf16|int8", "type of what the products with the model's weights are made from (f32)" },
	{ O_ANYBASE, "any-base", NULL, "accept adapters of another base" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_THREADS, PEFT_OPT_SEED,
	PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-a ADAPTER] ... [-o OUT] [FILE ...]",
	.about = "measure a model, and adapters over it",
	.opts = opts,
};

enum { MAXADAPTER = 64 };

static const struct peft_summary none;

struct job {
	struct peft_common	 common;
	struct peft_sessionopt	 session;
	const char		*adapters[MAXADAPTER], *combined[MAXADAPTER];
	struct peft_limits	 limits;
	size_t			 extra;
	const char		*imatrix;
	bool			 nobase, match, compare, partial, summary;
	bool			 predict, table;
	char *const		*paths;
	size_t			 npaths;
};

/* One system over all records: lines to out, sums to *sum. */
static int
measure(const struct job *job, struct peft_session *ses, int adapter,
    const struct peft_records *r, struct peft_out *out,
    struct peft_out *imatrix, struct peft_summary *sum, struct peft_err *err)
{
	const char *system = adapter < 0 ? "base" : ses->adapters[adapter].name;
	struct peft_buf b = { 0 };
	struct peft_score *s;
	int status = -1;
	size_t i;

	if ((s = calloc(r->n, sizeof(*s))) == NULL)
		return peft_seterrno(err, "scores of %zu records", r->n);
	if (peft_score_heard(ses, adapter, r->at, r->n, imatrix, job->imatrix,
	    job->paths, job->npaths, s, err) == -1)
		goto out;
	if (job->match && peft_score_answers(ses, adapter, r->at, r->n,
	    job->extra, s, err) == -1)
		goto out;
	for (i = 0; !job->summary && i < r->n; i++)
		peft_score_put(&b, system, i + 1, &r->at[i], &s[i]);
	*sum = peft_summarise(r->at, s, r->n);
	peft_summary_put(&b, system, sum);
	if (b.failed)
		peft_seterr(err, "no memory for the results");
	else
		status = peft_out_write(out, b.data, b.len, err);
out:
	peft_buf_free(&b);
	peft_scores_free(s, r->n);
	return status;
}

static bool
has_classes(const struct peft_session *ses)
{
	return peft_task_classes(peft_net_config(ses->net)->task);
}

static int
evaluate(const struct job *job, struct peft_session *ses,
    struct peft_records *r, struct peft_out *out,
    struct peft_out *imatrix, struct peft_summary *sum, struct peft_err *err)
{
	/* a head that an adapter brings is not in the base */
	bool nobase = job->nobase || peft_net_config(ses->net)->headless;
	const struct peft_classopt o = { job->summary, job->table };
	struct peft_progress bar;
	int a = nobase ? 0 : -1, first = a, status = 0;

	peft_progress_start(&bar, "evaluate", (int)ses->nadapters - first,
	    "systems", &job->common);
	for (; status == 0 && a < (int)ses->nadapters; a++) {
		status = has_classes(ses) ? peft_measure_classes(ses, a, r,
		    &o, out, sum, err) :
		    measure(job, ses, a, r, out, imatrix, sum, err);
		peft_progress_set(&bar, a + 1 - first,
		    a < 0 ? "base" : ses->adapters[a].name);
	}
	peft_progress_end(&bar);
	return status;
}

/* *sum becomes that of the last system. */
static int
run_eval(const struct job *job, struct peft_out *out,
    struct peft_out *imatrix, struct peft_summary *sum, struct peft_err *err)
{
	struct peft_records r = { 0 };
	struct peft_session ses;
	struct peft_loadopt load = { .partial = job->partial };
	int status = -1;

	if (peft_session_open(&ses, &job->session, err) == -1)
		return -1;
	load.vocab = peft_net_config(ses.net)->vocab;
	load.encode.task = peft_net_config(ses.net)->task;
	if (!job->common.quiet)
		peft_session_tell(&ses);
	if (job->common.verbose > 0)
		peft_warn("%s", peft_cpu_describe(ses.cpu));
	if (job->predict)
		status = peft_predict(&ses, job->paths, job->npaths, out, err);
	else if (has_classes(&ses) ? job->match || job->imatrix != NULL :
	    job->table)
		peft_setfail(err, PEFT_USAGE, "--table is of heads for classes; "
		    "--match and --imatrix are of models that write text");
	else if (peft_records_load(&r, &ses.codec, job->paths, job->npaths,
	    &load, err) == 0 &&
	    peft_records_plain(&r, load.encode.task, err) == 0)
		status = r.n > 0 ? evaluate(job, &ses, &r, out, imatrix, sum,
		    err) :
		    peft_seterr(err, "no records to measure");
	peft_records_free(&r);
	peft_session_close(&ses);
	return status;
}

static int
run_compare(const struct job *job, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r;

	r = peft_compare(job->paths[0], job->paths[1], job->common.seed, &b,
	    err);
	if (r == 0 && b.failed)
		r = peft_seterr(err, "no memory for the comparison");
	if (r == 0)
		r = peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	return r;
}

/* Options that do not go together, or would do nothing. */
static void
check(const struct job *job)
{
	const struct peft_sessionopt *ses = &job->session;
	const struct peft_common *c = &job->common;
	size_t adapters = ses->nadapters + ses->ncombined;
	bool limited = job->limits.n > 0, longer = peft_given(c, "extra");
	bool runs = job->imatrix != NULL || adapters > 0 || limited ||
	    job->nobase || job->match || longer || job->predict ||
	    job->table || job->summary || job->partial || ses->any_base ||
	    ses->model != NULL || peft_given(c, "compute");
	const struct peft_optrule rules[] = {
		{ job->compare && job->npaths != 2,
		    "--compare takes two result files" },
		{ job->compare && runs, "--compare runs no model: of the "
		    "other options only -s, -o, -f and -q go with it" },
		{ !job->compare && ses->model == NULL,
		    "-m MODEL is missing" },
		{ !job->compare && peft_given(c, "seed"),
		    "-s is for --compare, which alone draws at random" },
		{ job->predict && (adapters > 1 || limited || job->table ||
		    job->summary || job->nobase || job->match || longer ||
		    job->imatrix != NULL || job->partial), "--predict is of "
		    "one system, and measures nothing: of the other options "
		    "only those of the model go with it" },
		{ longer && !job->match, "--extra is for --match" },
		{ job->nobase && adapters == 0, "--no-base without an adapter "
		    "leaves nothing to measure" },
		{ ses->any_base && adapters == 0, "--any-base is for -a" },
		{ job->imatrix != NULL && adapters + !job->nobase > 1,
		    "--imatrix is of one system: the base alone, or --no-base "
		    "and one adapter" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 'm':
			job->session.model = optarg;
			break;
		case 'a':
			peft_optadd("-a", job->adapters,
			    &job->session.nadapters, MAXADAPTER, optarg);
			break;
		case O_COMBINE:
			peft_optadd("--combine", job->combined,
			    &job->session.ncombined, MAXADAPTER, optarg);
			break;
		case O_NOBASE:
			job->nobase = true;
			break;
		case O_MATCH:
			job->match = true;
			break;
		case O_EXTRA:
			job->extra = (size_t)peft_optint("--extra", optarg, 0,
			    1 << 20);
			break;
		case O_SUMMARY:
			job->summary = true;
			break;
		case O_PREDICT:
			job->predict = true;
			break;
		case O_TABLE:
			job->table = true;
			break;
		case O_IMATRIX:
			job->imatrix = optarg;
			break;
		case O_COMPARE:
			job->compare = true;
			break;
		case O_BELOW:
			peft_limits_add(&job->limits, optarg, -1,
			    peft_summary_value, &none);
			break;
		case O_ABOVE:
			peft_limits_add(&job->limits, optarg, 1,
			    peft_summary_value, &none);
			break;
		case O_PARTIAL:
			job->partial = true;
			break;
		case O_COMPUTE:
			job->session.compute = (enum peft_compute)
			    peft_optword("--compute", optarg,
			    peft_compute_names);
			break;
		case O_ANYBASE:
			job->session.any_base = true;
			break;
		}
	job->paths = argv + optind;
	job->npaths = (size_t)(argc - optind);
	job->session.adapters = job->adapters;
	job->session.combined = job->combined;
	job->session.classes = true;
	job->session.threads = job->common.threads;
	check(job);
}

/* Where --imatrix goes; NULL without it. */
static struct peft_out *
open_imatrix(const struct job *job)
{
	struct peft_err err = { 0 };
	struct peft_out *out;

	if (job->imatrix == NULL)
		return NULL;
	if (peft_imatrix_check_name(job->imatrix, &err) == -1)
		peft_die(err.status, "--imatrix: %s", err.msg);
	if ((out = peft_out_open(job->imatrix, job->common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	return out;
}

int
main(int argc, char **argv)
{
	struct job job = { .extra = 8 };
	struct peft_summary sum = { 0 };
	struct peft_err err = { 0 };
	struct peft_out *out, *imatrix;
	int r;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	imatrix = open_imatrix(&job);
	if ((out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	r = job.compare ? run_compare(&job, out, &err) :
	    run_eval(&job, out, imatrix, &sum, &err);
	if (r == -1) {
		peft_out_abort(imatrix);
		peft_out_abort(out);
		peft_die(err.status, "%s", err.msg);
	}
	/* what was measured is worth keeping when only a limit failed */
	if ((imatrix != NULL && peft_out_commit(imatrix, &err) == -1) ||
	    peft_out_commit(out, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	if (peft_limits_check(&job.limits, peft_summary_value, &sum,
	    "exact_match needs --match, accuracy records with choices",
	    &err) == -1) {
		peft_warn("%s", err.msg);
		return peft_finish((int)err.status);
	}
	return peft_finish(PEFT_OK);
}
