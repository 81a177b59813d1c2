/* SPDX-License-Identifier: Apache-2.0 */
/* peft-tokenize - turn chats and texts into token records */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "data/prepare.h"

enum {
	O_SUP = PEFT_O_OWN, O_MAXLEN, O_OVER, O_SHOW, O_LINT, O_TEST, O_JSON,
	O_DECODE, O_RENDER, O_SET, O_PARTIAL, O_SKIP, O_CHAT,
	O_CONTROL, O_COLUMNS, O_TURN, O_NEAR
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "take tokenizer and chat template from MODEL" },
	{ O_SUP, "supervise", "last|all|completion|text", "what is learnt: the last answer, all, those to the last question, all text (all)" },
	{ O_TURN, "per-turn", NULL, "make one record of each answer that is learnt" },
	{ O_MAXLEN, "max-length", "N", "most tokens of a record (no limit)" },
	{ O_OVER, "over", "refuse|drop|cut", "what to do with longer records (refuse)" },
	{ O_SHOW, "show", "N", "show the first N records, supervised tokens marked" },
	{ O_LINT, "lint", NULL, "look for mistakes instead; exit 3 if there are any" },
	{ O_TEST, "test", "FILE", "with --lint: the test set, to find its prompts in the training set" },
	{ O_NEAR, "near", "SHARE", "with --lint: records are nearly the same if they share that much (0.8)" },
	{ O_JSON, "json", NULL, "with --lint: the report as JSON" },
	{ O_DECODE, "decode", NULL, "turn token records back into text" },
	{ O_RENDER, "render", NULL, "print what the chat template makes, without tokenising" },
	{ O_SET, "set", "NAME=JSON", "a variable for the chat template (repeatable)" },
	{ O_CHAT, "chat", NULL, "make a chat of each prompt and its completion" },
	{ O_COLUMNS, "columns", "NAME=COLUMN", "what the columns of a table are: prompt=3,completion=4 or by their names" },
	{ O_CONTROL, "control", NULL, "special tokens spelt out in texts, prompts and completions are control tokens" },
	{ O_SKIP, "skip-bad", "N", "leave out up to N bad records, and list them (0)" },
	{ O_PARTIAL, "partial", NULL, "with --decode: accept a stream that was cut short" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_THREADS, PEFT_OPT_QUIET, PEFT_OPT_VERBOSE,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-o OUT] [FILE ...]",
	.about = "turn chats and texts into token records",
	.opts = opts,
};

struct job {
	struct peft_common	 common;
	struct peft_prep	 prep;
	const char		*model, *columns;
	bool			 near, lint, show, decode, render, partial;
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
prepare(struct job *job, char *const *paths, size_t n, struct peft_out *out,
    struct peft_err *err)
{
	struct peft_source_of *from = peft_calloc(n + 1, sizeof(*from), err);
	struct peft_feedopt feed = { .from = from, .n = n == 0 ? 1 : n,
	    .columns = job->columns, .note = note, .ctx = job };
	size_t i;
	int r;

	if (from == NULL)
		return -1;
	for (i = 0; i < n; i++)
		from[i].path = paths[i];
	job->prep.note = note;
	job->prep.bad = bad;
	job->prep.ctx = job;
	job->prep.threads = job->common.threads;
	r = peft_prep_run(&job->prep, &feed, out, err);
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
	struct peft_err err;
	cJSON *v;

	if (eq == NULL)
		peft_die(PEFT_USAGE, "--set: '%s' is not NAME=JSON", arg);
	*eq = '\0';
	if ((v = peft_json(eq + 1, strlen(eq + 1), &err)) == NULL)
		v = cJSON_CreateString(eq + 1);
	if (job->set == NULL)
		job->set = cJSON_CreateObject();
	cJSON_DeleteItemFromObjectCaseSensitive(job->set, arg);
	cJSON_AddItemToObject(job->set, arg, v);
	job->prep.enc.set = job->set;
}

static void
parse(struct job *job, int argc, char **argv)
{
	static const char *const sup[] = { "last", "all", "text",
	    "completion", NULL };
	static const char *const over[] = { "refuse", "drop", "cut", NULL };
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 'm':
			job->model = optarg;
			break;
		case O_SUP:
			job->prep.enc.supervise = (enum peft_supervise)peft_optword(
			    "--supervise", optarg, sup);
			break;
		case O_MAXLEN:
			job->prep.max_length = (size_t)peft_optint("--max-length", optarg,
			    2, 1 << 24);
			break;
		case O_OVER:
			job->prep.over = (enum peft_over)peft_optword("--over",
			    optarg, over);
			break;
		case O_SHOW:
			job->show = true;
			job->prep.show = (size_t)peft_optint("--show",
			    optarg, 1, 1 << 24);
			break;
		case O_TEST:
			job->prep.test = optarg;
			break;
		case O_SET:
			add_set(job, optarg);
			break;
		case O_SKIP:
			job->prep.skip_bad = (size_t)peft_optint("--skip-bad",
			    optarg, 0, INT64_C(1) << 40);
			break;
		case O_CHAT:
			job->prep.enc.as_chat = true;
			break;
		case O_COLUMNS:
			job->columns = optarg;
			break;
		case O_NEAR:
			job->prep.lint.near = peft_optreal("--near", optarg,
			    0, 1);
			job->near = true;
			break;
		case O_TURN:
			job->prep.per_turn = true;
			break;
		case O_CONTROL:
			job->prep.enc.control = true;
			break;
		case O_LINT:
			job->lint = true;
			break;
		case O_JSON:
			job->prep.json = true;
			break;
		case O_DECODE:
			job->decode = true;
			break;
		case O_RENDER:
			job->render = true;
			break;
		case O_PARTIAL:
			job->partial = true;
			break;
		}
	if (job->model == NULL)
		peft_die(PEFT_USAGE, "-m MODEL is missing");
	if (job->lint + job->decode + job->render + job->show > 1)
		peft_die(PEFT_USAGE, "--lint, --show, --decode and --render "
		    "exclude each other");
	job->prep.mode = job->lint ? PEFT_PREP_LINT : job->render ?
	    PEFT_PREP_RENDER : job->show ? PEFT_PREP_SHOW : PEFT_PREP_TOKENS;
	if (!job->lint && (job->prep.test != NULL || job->prep.json ||
	    job->near))
		peft_die(PEFT_USAGE, "--test, --near and --json go with "
		    "--lint");
}

static void
say(const struct job *job)
{
	const struct peft_prep *p = &job->prep;

	if (p->skipped > 0)
		peft_warn("%zu bad record%s left out", p->skipped,
		    p->skipped == 1 ? "" : "s");
	if (p->idle > 0)
		peft_warn("%zu record%s no supervised token", p->idle,
		    p->idle == 1 ? " has" : "s have");
	if (p->dropped > 0 || p->cut > 0)
		peft_warn("%zu records dropped, %zu cut at %zu tokens",
		    p->dropped, p->cut, p->max_length);
	if (job->common.verbose > 0)
		peft_warn("%zu records, %zu tokens, %zu supervised",
		    p->records, p->tokens, p->supervised);
}

int
main(int argc, char **argv)
{
	struct job job = { .prep.enc.supervise = PEFT_SUP_ALL,
	    .prep.lint.near = 0.8 };
	struct peft_err err = { 0 }, late = { 0 };
	struct peft_codec codec = { 0 };
	struct peft_source *src;
	struct peft_out *out;
	int r;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	argc -= optind, argv += optind;
	if ((src = peft_source_open(job.model, &err)) == NULL ||
	    peft_codec_open(&codec, src, &err) == -1 ||
	    (out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	peft_source_close(src);
	job.prep.codec = &codec;
	job.prep.style = peft_show_style(STDOUT_FILENO);
	r = job.decode ? decode(&job, argv, (size_t)argc, out, &err) :
	    prepare(&job, argv, (size_t)argc, out, &err);
	/* a report of findings is wanted all the same */
	if (r == 0 || err.status == PEFT_CHECK) {
		if (peft_out_commit(out, &late) == -1)
			peft_die(late.status, "%s", late.msg);
	} else
		peft_out_abort(out);
	if (r == -1)
		peft_warn("%s", err.msg);
	else if (!job.common.quiet)
		say(&job);
	peft_prep_free(&job.prep);
	peft_codec_close(&codec);
	cJSON_Delete(job.set);
	return peft_finish(r == 0 ? PEFT_OK : (int)err.status);
}
