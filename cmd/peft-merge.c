/* SPDX-License-Identifier: Apache-2.0 */
/* peft-merge - fold adapters into the model they were trained over */

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/progress.h"
#include "math/cpu.h"
#include "merge/lora.h"
#include "merge/merge.h"
#include "quant/convert.h"

enum {
	O_ONTO = PEFT_O_OWN, O_ANYBASE, O_LOSSY, O_VERIFY, O_TOKENS, O_SHARD,
	O_KEEP, O_DOUBLE, O_ASLORA, O_TUNED, O_LAYOUT, O_RSLORA
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "the base: a folder, a GGUF file, a bundle, or -" },
	{ 'a', "adapter", "ADAPTER[=WEIGHT]", "fold this adapter in, times WEIGHT (repeatable)" },
	{ 't', "type", "TYPE", "store weights as TYPE (see peft-quantize --list-types)" },
	{ O_KEEP, "keep", "REGEX", "-t leaves weights whose name matches as they are" },
	{ O_DOUBLE, "double-quant", NULL, "nf4, fp4: quantise the scales too" },
	{ O_ASLORA, "as-lora", "RANK|auto|exact", "write what would change as a LoRA adapter instead" },
	{ O_RSLORA, "rslora", NULL, "with --as-lora: scaled by alpha / sqrt(rank)" },
	{ O_TUNED, "tuned", "MODEL", "with --as-lora: what this model has more than the base" },
	{ O_LAYOUT, "layout", "NAME", "write the adapter as another tool has it (man page)" },
	{ O_ONTO, "onto", NULL, "the base is the original of the quantised one trained on" },
	{ O_ANYBASE, "any-base", NULL, "accept adapters of another base" },
	{ O_LOSSY, "force-lossy", NULL, "write even if rounding undoes most of the change" },
	{ O_VERIFY, "verify", NULL, "compare the logits before and after" },
	{ O_TOKENS, "tokens", "FILE", "compare them on these token records" },
	{ O_SHARD, "shard", "SIZE", "folder: files of at most SIZE (one file)" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_DRY, PEFT_OPT_THREADS,
	PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

static void
versions(void)
{
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = peft_cpu_open(0, &err);

	puts(cpu == NULL ? err.msg : peft_cpu_describe(cpu));
	peft_cpu_close(cpu);
}

static const struct peft_cli cli = {
	.synopsis = "-m MODEL -a ADAPTER[=WEIGHT] ... [-o OUT]",
	.about = "fold adapters into the model they were trained over",
	.opts = opts,
	.versions = versions,
};

enum { MAXADAPTER = 64 };

struct job {
	struct peft_common	 common;
	struct peft_mergeopt	 merge;
	char			*adapters[MAXADAPTER];
	double			 weights[MAXADAPTER];
	size_t			 nadapters;
	struct peft_loraopt	 lora;
	bool			 verify, as_lora, onto, layout;
	const char		*tokens;
	struct peft_progress	 bar;
};

static void
add_adapter(struct job *job, char *arg)
{
	if (job->nadapters == MAXADAPTER)
		peft_die(PEFT_USAGE, "more than %d adapters", MAXADAPTER);
	job->weights[job->nadapters] = peft_optweight("-a", arg);
	job->adapters[job->nadapters++] = arg;
}

static void
set_type(struct job *job, const char *arg)
{
	job->merge.mix = peft_mix_of_name(arg);
	job->merge.type = job->merge.mix != NULL ? job->merge.mix->dtype :
	    peft_dtype_of_name(arg);
	if (job->merge.type == PEFT_NDTYPE)
		peft_die(PEFT_USAGE, "--type: there is no type '%s' "
		    "(peft-quantize --list-types names them)", arg);
}

static void
notes(const struct job *job, struct peft_merge *m)
{
	const char *note;

	while ((note = peft_merge_note(m)) != NULL)
		if (!job->common.quiet)
			peft_warn("%s", note);
}

static void
tell(void *ctx, const struct peft_mergeline *l)
{
	struct job *job = ctx;
	const struct peft_change *c = &l->change;

	if (job->common.verbose > 0 && l->merged) {
		peft_progress_wipe(&job->bar);
		peft_warn("%s: %s to %s, delta %.3g of %.3g, survived "
		    "%.1f %%, correlation %.3f, %.1f %% of values changed",
		    l->name, peft_dtypes[l->from].name,
		    peft_dtypes[l->to].name, sqrt(c->delta2), sqrt(c->base2),
		    100 * peft_change_survived(c), peft_change_correlation(c),
		    c->n > 0 ? 100 * (double)c->changed / (double)c->n : 0);
	}
	peft_progress_set(&job->bar, (double)(l->i + 1), l->name);
}

static void
tell_lora(void *ctx, const struct peft_loraline *l)
{
	struct job *job = ctx;

	if (job->common.verbose > 0 && !job->lora.exact) {
		peft_progress_wipe(&job->bar);
		peft_warn("%s: change %.3g, lost %.3g (%.3g %%)", l->name,
		    sqrt(l->change2), sqrt(l->lost2),
		    100 * sqrt(l->lost2 / l->change2));
	}
	peft_progress_set(&job->bar, (double)l->i, l->name);
}

static int
as_lora(struct job *job, struct peft_merge *m, struct peft_err *err)
{
	struct peft_lorasum s;

	job->lora.lossy = job->merge.floor == 0;
	if (peft_merge_to_lora(m, &job->lora, job->common.dry, tell_lora, job,
	    &s, err) == -1)
		return -1;
	if (job->common.quiet)
		return 0;
	if (job->lora.exact)
		peft_warn("a LoRA of rank %zu on %zu weights, exactly", s.rank,
		    s.weights);
	else
		peft_warn("a LoRA of rank %zu on %zu weights; %.3g %% of the "
		    "change's norm is lost (most, %.3g %%, in %s)", s.rank,
		    s.weights, 100 * sqrt(s.lost2 / s.change2), 100 *
		    sqrt(s.most_lost), s.most);
	if (s.left_out > 0)
		peft_warn("%zu weights change that are no linear layers', %s "
		    "the first: left out", s.left_out, s.left);
	return 0;
}

static int
write_out(struct job *job, struct peft_merge *m, struct peft_mergesum *sum,
    struct peft_err *err)
{
	struct peft_mergewatch watch = { tell, job };

	return job->as_lora ? as_lora(job, m, err) :
	    job->layout ? peft_merge_convert(m, job->lora.layout,
	    job->common.dry, err) :
	    peft_merge_run(m, job->common.dry, &watch, sum, err);
}

static int
merge(struct job *job, struct peft_err *err)
{
	/* a pipe may take hours to give what there is to be written */
	const struct peft_sinkopt probe = { .path = job->merge.output,
	    .force = job->merge.force, .kind = "model" };
	struct peft_merge *m = !job->common.dry && peft_sink_probe(&probe,
	    err) == -1 ? NULL : peft_merge_open(&job->merge, err);
	struct peft_mergesum sum;
	struct peft_verdict verdict;
	size_t i;
	int r = m == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < job->nadapters; i++) {
		r = peft_merge_add(m, job->adapters[i], job->weights[i], err);
		notes(job, m);
	}
	if (r == 0) {
		if (job->verify)
			peft_merge_verify(m, job->tokens, &verdict);
		peft_progress_start(&job->bar, "merge",
		    (double)peft_merge_count(m), "weights", &job->common);
		r = write_out(job, m, &sum, err);
		peft_progress_end(&job->bar);
		notes(job, m);
	}
	if (r == 0 && !job->as_lora && !job->layout && !job->common.quiet)
		peft_mergesum_say(&sum, job->verify ? &verdict : NULL);
	peft_merge_close(m);
	return r;
}

/* How many of them are to come from standard input, which one can. */
static size_t
pipes(const struct job *job)
{
	size_t i, n = job->merge.model != NULL &&
	    strcmp(job->merge.model, "-") == 0;

	for (i = 0; i < job->nadapters; i++)
		n += strcmp(job->adapters[i], "-") == 0;
	return n;
}

/* Of an adapter that is written instead of a model. */
static void
check_adapter(const struct job *job)
{
	if (job->layout && (job->nadapters != 1 || job->weights[0] != 1))
		peft_die(PEFT_USAGE, "--layout writes one adapter as it is: "
		    "several, or one with a weight, become one by --as-lora");
	if ((job->as_lora || job->layout) && (job->merge.type !=
	    PEFT_NDTYPE || job->verify || job->merge.shard > 0))
		peft_die(PEFT_USAGE, "--%s writes an adapter: no --type, "
		    "--shard or --verify beside it", job->as_lora ?
		    "as-lora" : "layout");
}

/* Options that do not go together, or would do nothing. */
static void
check(const struct job *job)
{
	const struct peft_mergeopt *m = &job->merge;
	const struct peft_loraopt *l = &job->lora;
	const struct peft_common *c = &job->common;
	const struct peft_optrule rules[] = {
		{ m->model == NULL, "-m MODEL is missing" },
		{ l->tuned != NULL && (!job->as_lora || job->nadapters > 0),
		    "--tuned is for --as-lora, instead of -a" },
		{ job->nadapters == 0 && l->tuned == NULL,
		    "-a ADAPTER is missing" },
		{ l->rslora && !job->as_lora, "--rslora is for --as-lora" },
		{ l->tuned != NULL && l->exact,
		    "--tuned needs --as-lora RANK or auto" },
		{ l->tuned != NULL && (job->onto || m->base ==
		    PEFT_MERGE_ANY),
		    "--onto and --any-base are for -a" },
		{ job->onto && m->base == PEFT_MERGE_ANY,
		    "--onto and --any-base exclude each other" },
		{ m->type == PEFT_NDTYPE && (m->keep != NULL || m->nested),
		    "--keep and --double-quant are for -t" },
		{ m->nested && !peft_is_4bit(m->type),
		    "--double-quant is for -t nf4 and fp4" },
		{ job->layout && m->floor == 0, "--force-lossy is for "
		    "merging and --as-lora: --layout rounds nothing" },
		{ l->exact && m->floor == 0,
		    "--force-lossy: --as-lora exact loses nothing" },
		{ job->tokens != NULL && !job->verify,
		    "--tokens is for --verify" },
		{ job->verify && (c->dry || !peft_has_file(c)),
		    "--verify reads the output back: it needs -o FILE" },
		{ pipes(job) > 1, "the model and the adapters cannot both "
		    "come from standard input" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
	check_adapter(job);
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 'm':
			job->merge.model = optarg;
			break;
		case 'a':
			add_adapter(job, optarg);
			break;
		case 't':
			set_type(job, optarg);
			break;
		case O_KEEP:
			job->merge.keep = optarg;
			break;
		case O_DOUBLE:
			job->merge.nested = true;
			break;
		case O_RSLORA:
			job->lora.rslora = true;
			break;
		case O_ONTO:
			job->onto = true;
			break;
		case O_ANYBASE:
			job->merge.base = PEFT_MERGE_ANY;
			break;
		case O_LOSSY:
			job->merge.floor = 0;
			break;
		case O_VERIFY:
			job->verify = true;
			break;
		case O_TOKENS:
			job->tokens = optarg;
			break;
		case O_ASLORA:
			job->as_lora = true;
			peft_loraopt_rank(&job->lora, optarg);
			break;
		case O_LAYOUT:
			job->layout = true;
			peft_loraopt_layout(&job->lora, optarg);
			break;
		case O_TUNED:
			job->lora.tuned = optarg;
			break;
		case O_SHARD:
			job->merge.shard = peft_optsize("--shard", optarg);
			break;
		}
	job->layout &= !job->as_lora;
	job->merge.output = job->common.output;
	job->merge.force = job->common.force;
	job->merge.threads = job->common.threads;
	if (optind < argc)
		peft_die(PEFT_USAGE, "'%s' is one argument too many",
		    argv[optind]);
	check(job);
	if (job->onto)
		job->merge.base = PEFT_MERGE_ONTO;
}

int
main(int argc, char **argv)
{
	struct job job = { .merge = { .type = PEFT_NDTYPE, .floor = 0.5 } };
	struct peft_err err = { 0 };

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if (merge(&job, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	return peft_finish(PEFT_OK);
}
