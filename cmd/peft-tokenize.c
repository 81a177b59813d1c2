/* SPDX-License-Identifier: Apache-2.0 */
/* peft-tokenize - turn chats and texts into token records */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "data/parquet.h"
#include "data/prepare.h"

enum {
	O_SUP = PEFT_O_OWN, O_MAXLEN, O_OVER, O_SHOW, O_LINT, O_TEST, O_JSON,
	O_DECODE, O_RENDER, O_SET, O_PARTIAL, O_SKIP, O_CHAT,
	O_CONTROL, O_COLUMNS, O_TURN, O_NEAR,
	O_MIX, O_SPLIT, O_BY, O_REST, O_FIX, O_TASK
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "take tokenizer and chat template from MODEL" },
	{ O_SUP, "supervise", "last|all|completion|text", "what is learnt: the last answer, all, those to the last question, all text (all)" },
	{ O_TASK, "task", "causal-lm|seq-cls|token-cls", "what records are for; a \"label\" of a text is a class to be told (by what they hold)" },
	{ O_TURN, "per-turn", NULL, "make one record of each answer that is learnt" },
	{ O_MAXLEN, "max-length", "N", "most tokens of a record (no limit)" },
	{ O_OVER, "over", "refuse|drop|cut", "what to do with longer records (refuse)" },
	{ O_SHOW, "show", "N", "show the first N records, supervised tokens marked" },
	{ O_LINT, "lint", NULL, "look for mistakes instead; exit 3 if there are any" },
	{ O_FIX, "fix", NULL, "write the records themselves, mended where that can be done" },
	{ O_TEST, "test", "FILE", "with --lint and --fix: the test set, to find its prompts in the training set" },
	{ O_NEAR, "near", "SHARE", "with --lint and --fix: records are nearly the same if they share that much (0.8)" },
	{ O_JSON, "json", NULL, "with --lint: the report as JSON" },
	{ O_DECODE, "decode", NULL, "turn token records back into text" },
	{ O_RENDER, "render", NULL, "print what the chat template makes, without tokenising" },
	{ O_SET, "set", "NAME=JSON", "a variable for the chat template (repeatable)" },
	{ O_CHAT, "chat", NULL, "make a chat of each prompt and its completion" },
	{ O_COLUMNS, "columns", "NAME=COLUMN", "what the columns of a table are: prompt=3,completion=4 or by their names" },
	{ O_CONTROL, "control", NULL, "special tokens spelt out in texts, prompts and completions are control tokens" },
	{ O_MIX, "mix", NULL, "operands are FILE:SHARE: mix them by their shares" },
	{ O_SPLIT, "split", "SHARES", "split by a hash of the record, 90/10: the first part goes to the output" },
	{ O_BY, "by", "FIELD", "with --split: the hash of that field" },
	{ O_REST, "rest", "FILE", "with --split: where the next part goes (repeatable)" },
	{ O_SKIP, "skip-bad", "N", "leave out up to N bad records, and list them (0)" },
	{ O_PARTIAL, "partial", NULL, "with --decode: accept a stream that was cut short" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_THREADS,
	PEFT_OPT_QUIET, PEFT_OPT_VERBOSE,
	{ 0 }
};

static void
versions(void)
{
	const char *arrow = peft_parquet_version();

	printf("Parquet: %s\n", arrow == NULL ? "left out of this build" : arrow);
}

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-o OUT] [FILE ...]",
	.about = "turn chats and texts into token records",
	.opts = opts,
	.versions = versions,
};

struct job {
	struct peft_common	 common;
	struct peft_prep	 prep;
	const char		*model, *columns, *shares;
	const char		*rest[PEFT_SPLIT_PARTS];
	size_t			 nrest, modes;
	bool			 mix, decode, partial;
	cJSON			*set;
};

/* What the library has to tell. */
static void
note(void *ctx, const char *message)
{
	const struct job *job = ctx;

	if (!job->common.quiet)
		peft_warn("%s", message);
}

static void
bad(void *ctx, const char *message)
{
	(void)ctx;
	peft_warn("left out: %s", message);
}

static int
prepare(struct job *job, char **paths, size_t n, struct peft_out *const *outs,
    struct peft_err *err)
{
	struct peft_source_of *from = peft_calloc(n + 1, sizeof(*from), err);
	struct peft_feedopt feed = { .from = from, .n = n == 0 ? 1 : n,
	    .mix = job->mix, .columns = job->columns, .note = note,
	    .ctx = job };
	size_t i;
	int r = from == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < n; i++)
		if (job->mix)
			r = peft_feed_share(&from[i], paths[i], err);
		else
			from[i].path = paths[i];
	job->prep.ctx = job;
	job->prep.threads = job->common.threads;
	if (r == 0)
		r = peft_prep_run(&job->prep, &feed, outs, err);
	free(from);
	return r;
}

static int
decode(const struct job *job, char *const *paths, size_t n,
    struct peft_out *out, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < (n == 0 ? 1 : n); i++)
		if (peft_show_decoded(job->prep.codec, n == 0 ? NULL :
		    paths[i], job->partial, out, err) == -1)
			return -1;
	return 0;
}

/* --set NAME=JSON; a bare word is a string. */
static void
add_set(struct job *job, char *arg)
{
	char *eq = strchr(arg, '=');

	if (eq == NULL || strncmp(arg, "messages=", 9) == 0)
		peft_die(PEFT_USAGE, "--set: not NAME=JSON: '%s'", arg);
	*eq = '\0';
	if (job->set == NULL)
		job->set = cJSON_CreateObject();
	peft_json_set(job->set, arg, peft_json_word(eq + 1));
	job->prep.enc.set = job->set;
}

static void
set_mode(struct job *job, enum peft_prep_mode mode)
{
	if (job->modes++ > 0)
		peft_die(PEFT_USAGE, "--lint, --fix, --show, --decode and "
		    "--render exclude each other");
	job->prep.mode = mode;
}

/* Options that cannot be obeyed together, or would do nothing. */
static void
check(struct job *job, int n)
{
	const struct peft_common *c = &job->common;
	struct peft_prep *p = &job->prep;
	const struct peft_encopt *e = &p->enc;
	bool lint = p->mode == PEFT_PREP_LINT, fix = p->mode == PEFT_PREP_FIX;
	bool near = peft_given(c, "near"), over = peft_given(c, "over");
	bool supervise = peft_given(c, "supervise");
	bool masks = supervise || e->control;
	struct peft_err err;
	size_t i;

	if (job->shares != NULL &&
	    peft_split_parse(&p->split, job->shares, &err) == -1)
		peft_die(PEFT_USAGE, "--split: %s", err.msg);
	for (i = 0; i < job->nrest && i < PEFT_SPLIT_PARTS; i++)
		if (strcmp(job->rest[i], peft_has_file(c) ? c->output : "-") == 0)
			peft_die(PEFT_USAGE, "--rest: '%s' is where the first "
			    "part goes", job->rest[i]);
	const struct peft_optrule rules[] = {
		{ job->model == NULL, "-m MODEL is missing" },
		{ job->mix && n < 2, "--mix wants two or more FILE:SHARE" },
		{ !lint && p->json, "--json goes with --lint" },
		{ !lint && !fix && (p->test != NULL || near),
		    "--test and --near go with --lint and --fix" },
		{ peft_given(c, "skip-bad") && (lint || fix || job->decode),
		    "--skip-bad is not for --lint, --fix and --decode" },
		{ over && p->max_length == 0, "--over goes with --max-length" },
		{ job->partial && !job->decode, "--partial goes with --decode" },
		{ job->decode && (job->mix || job->columns != NULL ||
		    p->per_turn || p->max_length > 0 || masks ||
		    e->as_chat || e->task != PEFT_TASK_AUTO ||
		    e->set != NULL),
		    "--decode takes token records as they are" },
		{ p->mode == PEFT_PREP_RENDER && (masks ||
		    p->max_length > 0), "--render makes no tokens: no "
		    "--supervise, --control or --max-length beside it" },
		{ peft_task_classes(e->task) && supervise,
		    "--supervise is of texts: classes have labels" },
		{ lint && over,
		    "--over is not for --lint, which tells of longer records" },
		{ fix && (p->max_length > 0) != (p->over == PEFT_OVER_DROP),
		    "--fix leaves longer records out, by --max-length with "
		    "--over drop, and cuts none" },
		{ fix && near && p->test == NULL, "--near is for --lint, "
		    "and for --fix with --test" },
		{ p->split.n > 0 ? job->nrest != p->split.n - 1 || lint ||
		    job->decode || p->show : job->nrest > 0 || p->split.by !=
		    NULL, "--split wants --rest FILE for each part but the "
		    "first, and is for records" },
	};
	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
}

static void
parse(struct job *job, int argc, char **argv)
{
	static const char *const sup[] = { "last", "all", "text",
	    "completion", NULL };
	static const char *const over[] = { "refuse", "drop", "cut", NULL };
	struct peft_prep *p = &job->prep;
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 'm': job->model = optarg; break;
		case O_SUP: p->enc.supervise = (enum peft_supervise)
			    peft_optword("--supervise", optarg, sup); break;
		case O_TASK: p->enc.task = (enum peft_task)peft_optword(
			    "--task", optarg, peft_task_words); break;
		case O_TURN: p->per_turn = true; break;
		case O_MAXLEN: p->max_length = (size_t)peft_optint(
			    "--max-length", optarg, 2, 1 << 24); break;
		case O_OVER: p->over = (enum peft_over)peft_optword("--over",
			    optarg, over); break;
		case O_SHOW: set_mode(job, PEFT_PREP_SHOW);
			p->show = (size_t)peft_optint("--show", optarg, 1,
			    1 << 24); break;
		case O_LINT: set_mode(job, PEFT_PREP_LINT); break;
		case O_FIX: set_mode(job, PEFT_PREP_FIX); break;
		case O_TEST: p->test = optarg; break;
		case O_NEAR: p->lint.near = peft_optreal("--near", optarg, 0, 1);
			break;
		case O_JSON: p->json = true; break;
		case O_DECODE: set_mode(job, PEFT_PREP_TOKENS);
			job->decode = true; break;
		case O_RENDER: set_mode(job, PEFT_PREP_RENDER); break;
		case O_SET: add_set(job, optarg); break;
		case O_CHAT: p->enc.as_chat = true; break;
		case O_CONTROL: p->enc.control = true; break;
		case O_COLUMNS: job->columns = optarg; break;
		case O_MIX: job->mix = true; break;
		case O_SPLIT: job->shares = optarg; break;
		case O_BY: p->split.by = optarg; break;
		case O_REST: if (job->nrest < PEFT_SPLIT_PARTS)
				job->rest[job->nrest] = optarg;
			job->nrest++; break;
		case O_SKIP: p->skip_bad = (size_t)peft_optint("--skip-bad",
			    optarg, 0, INT64_C(1) << 40); break;
		case O_PARTIAL: job->partial = true; break;
		}
	check(job, argc - optind);
}

/* The model and the records cannot both come from standard input. */
static void
check_inputs(const struct job *job, char **files, int n)
{
	bool twice = n == 0;
	int i;

	if (strcmp(job->model, "-") != 0)
		return;
	for (i = 0; i < n; i++)
		twice |= strcmp(files[i], "-") == 0 ||
		    (job->mix && strncmp(files[i], "-:", 2) == 0);
	if (twice)
		peft_die(PEFT_USAGE, "-m - takes standard input: name the "
		    "files of the records");
}

/* The output and, with --split, the others. */
static void
open_outs(const struct job *job, struct peft_out **outs)
{
	struct peft_err err;
	size_t i;

	for (i = 0; i <= job->nrest; i++)
		if ((outs[i] = peft_out_open(i == 0 ? job->common.output :
		    job->rest[i - 1], job->common.force, &err)) == NULL)
			peft_die(err.status, "%s", err.msg);
}

static void
close_outs(const struct job *job, struct peft_out **outs, bool good)
{
	struct peft_err err;
	size_t i;

	for (i = 0; i <= job->nrest; i++)
		if (!good)
			peft_out_abort(outs[i]);
		else if (peft_out_commit(outs[i], &err) == -1)
			peft_die(err.status, "%s", err.msg);
}

int
main(int argc, char **argv)
{
	struct job job = { .prep.enc.supervise = PEFT_SUP_ALL,
	    .prep.lint.near = 0.8, .prep.note = note, .prep.bad = bad };
	struct peft_out *outs[PEFT_SPLIT_PARTS + 1];
	struct peft_codec codec = { 0 };
	struct peft_err err = { 0 };
	struct peft_source *src;
	const char *why;
	int r;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	argc -= optind, argv += optind;
	check_inputs(&job, argv, argc);
	if ((src = peft_source_open_sides(job.model, &err)) == NULL ||
	    peft_codec_open(&codec, src, job.common.threads, &err) == -1 ||
	    peft_source_finish(src, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	if ((why = peft_source_meta(src, "peft.tokenizer_note")) != NULL &&
	    !job.common.quiet)
		peft_warn("%s: %s", job.model, why);
	if (peft_codec_knows(&codec, job.set, &err) == -1)
		peft_die(err.status, "%s: %s", job.model, err.msg);
	open_outs(&job, outs);
	peft_source_close(src);
	job.prep.codec = &codec;
	job.prep.style = peft_show_style(STDOUT_FILENO);
	r = job.decode ? decode(&job, argv, (size_t)argc, outs[0], &err) :
	    prepare(&job, argv, (size_t)argc, outs, &err);
	/* a report of findings is wanted all the same */
	close_outs(&job, outs, r == 0 || (err.status == PEFT_CHECK &&
	    job.prep.mode == PEFT_PREP_LINT));
	if (r == -1)
		peft_warn("%s", err.msg);
	else if (job.common.verbose > 0)
		peft_warn("%zu records, %zu tokens, %zu supervised",
		    job.prep.records, job.prep.tokens, job.prep.supervised);
	peft_prep_free(&job.prep);
	peft_codec_close(&codec);
	cJSON_Delete(job.set);
	return peft_finish(r == 0 ? PEFT_OK : (int)err.status);
}
