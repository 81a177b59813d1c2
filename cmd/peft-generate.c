/* SPDX-License-Identifier: Apache-2.0 */
/* peft-generate - let a model, with or without adapters, go on with prompts */

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "base/progress.h"
#include "eval/prompts.h"
#include "eval/session.h"

enum {
	O_MAX = PEFT_O_OWN, O_TEMP, O_TOPP, O_TOPK, O_JSONL, O_SYSTEM, O_RAW,
	O_WIDTH, O_KVLIMIT, O_ANYBASE, O_COMPUTE, O_FOLDER, O_COMBINE,
	O_KEEPGOING
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "the model: a folder, a GGUF file, a bundle" },
	{ 'a', "adapter", "[NAME=]ADAPTER", "load an adapter (repeatable); records choose by \"adapter\"" },
	{ O_FOLDER, "adapters", "DIR", "load every adapter in DIR; again on SIGHUP and {\"control\":\"reload\"}" },
	{ O_COMBINE, "combine", "NAME=A[:W],B[:W]...", "a name for adapters together, each times its weight (1)" },
	{ 'p', "prompt", "PROMPT", "answer this instead of records" },
	{ O_SYSTEM, "system", "TEXT", "system message before the prompt" },
	{ O_RAW, "raw", NULL, "the prompt is text to go on with, not a chat message" },
	{ O_MAX, "max-tokens", "N", "make at most N tokens (256)" },
	{ O_TEMP, "temperature", "T", "0: always the most likely token (0)" },
	{ O_TOPP, "top-p", "P", "sample among the likeliest tokens that reach P (1)" },
	{ O_TOPK, "top-k", "K", "sample among the K likeliest tokens (0: all)" },
	{ O_JSONL, "jsonl", NULL, "write a JSON object a line" },
	{ O_KEEPGOING, "keep-going", NULL, "answer a record that is refused with its error, and go on (--jsonl)" },
	{ O_WIDTH, "width", "N", "records in work at once (16)" },
	{ O_KVLIMIT, "kv-limit", "SIZE", "memory for the keys and values of records in work (4G)" },
	{ O_COMPUTE, "compute", "f32|bf16|int8", "type of what the products with the model's weights are made from (f32)" },
	{ O_ANYBASE, "any-base", NULL, "accept adapters of another base" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_THREADS, PEFT_OPT_SEED,
	PEFT_OPT_QUIET, PEFT_OPT_VERBOSE, PEFT_OPT_LOGJSON,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-a [NAME=]ADAPTER] ... [-p PROMPT | FILE ...]",
	.about = "let a model go on with prompts",
	.opts = opts,
};

enum { MAXADAPTER = 64 };

struct job {
	struct peft_common	 common;
	struct peft_sessionopt	 session;
	const char		*adapters[MAXADAPTER], *combined[MAXADAPTER];
	struct peft_promptopt	 prompt;
	struct peft_sampling	 sampling;
	size_t			 width, kvlimit;
	bool			 keep_going;
	size_t			 refused;
};

static void
say(const struct peft_decodestat *s)
{
	peft_warn("%zu tokens made, %.0f a second; %zu of prompts, of which "
	    "%zu shared, %.0f a second; keys and values: %.1f MiB", s->made,
	    s->making > 0 ? (double)s->made / s->making : 0, s->prompts,
	    s->shared, s->reading > 0 ? (double)(s->prompts - s->shared) /
	    s->reading : 0, (double)s->peak / (1 << 20));
}

static int
generate(struct job *job, struct peft_prompts *prompts,
    struct peft_out *out, struct peft_err *err)
{
	struct peft_answeropt how = { .sampling = job->sampling,
	    .width = job->width, .limit = job->kvlimit,
	    .jsonl = job->prompt.jsonl, .keep_going = job->keep_going,
	    .refused = &job->refused };
	struct peft_decodestat stat = { 0 };
	struct peft_progress bar;
	int r;

	how.stat = &stat;
	/* One answer as plain text is followed as it comes; many are worth a
	 * bar. */
	how.stream = !how.jsonl && job->prompt.prompt != NULL;
	peft_progress_start(&bar, "generate", 0, "records", &job->common);
	if (!how.stream)
		how.progress = &bar;
	r = peft_answer_prompts(prompts, &how, out, err);
	if (!how.stream)
		peft_progress_end(&bar);
	if (r == 0 && job->common.verbose > 0)
		say(&stat);
	return r;
}

static int
run(struct job *job, struct peft_out *out, struct peft_err *err)
{
	struct peft_prompts prompts;
	struct peft_session ses;
	int r;

	if (peft_session_open(&ses, &job->session, err) == -1)
		return -1;
	if (!job->common.quiet)
		peft_session_tell(&ses);
	if (job->common.verbose > 0)
		peft_warn("%s", peft_cpu_describe(ses.cpu));
	r = peft_prompts_open(&prompts, &ses, &job->prompt, err);
	if (r == 0)
		r = generate(job, &prompts, out, err);
	peft_prompts_close(&prompts);
	peft_session_close(&ses);
	return r;
}

/* SIGHUP as something to read from, beside the records.  Threads that come
 * later inherit that it is blocked. */
static int
listen_for_hup(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* What is sampled, and how much at once. */
static bool
number_option(struct job *job, int ch)
{
	switch (ch) {
	case O_MAX:
		job->prompt.max_tokens = (size_t)peft_optint("--max-tokens",
		    optarg, 1, 1 << 20);
		return true;
	case O_TEMP:
		job->sampling.temperature = peft_optreal("--temperature",
		    optarg, 0, 100);
		return true;
	case O_TOPP:
		job->sampling.top_p = peft_optreal("--top-p", optarg, 0, 1);
		return true;
	case O_TOPK:
		job->sampling.top_k = (size_t)peft_optint("--top-k", optarg,
		    0, 1 << 24);
		return true;
	case O_WIDTH:
		job->width = (size_t)peft_optint("--width", optarg, 1, 1024);
		return true;
	case O_KVLIMIT:
		job->kvlimit = peft_optsize("--kv-limit", optarg);
		return true;
	}
	return false;
}

static void
option(struct job *job, int ch)
{
	switch (ch) {
	case 'm':
		job->session.model = optarg;
		break;
	case 'a':
		peft_optadd("-a", job->adapters,
		    &job->session.nadapters, MAXADAPTER, optarg);
		break;
	case O_FOLDER:
		job->session.folder = optarg;
		break;
	case O_COMBINE:
		peft_optadd("--combine", job->combined,
		    &job->session.ncombined, MAXADAPTER, optarg);
		break;
	case 'p':
		job->prompt.prompt = optarg;
		break;
	case O_SYSTEM:
		job->prompt.system = optarg;
		break;
	case O_RAW:
		job->prompt.raw = true;
		break;
	case O_JSONL:
		job->prompt.jsonl = true;
		break;
	case O_KEEPGOING:
		job->keep_going = true;
		break;
	case O_COMPUTE:
		job->session.compute = (enum peft_compute)peft_optword(
		    "--compute", optarg, peft_compute_names);
		break;
	case O_ANYBASE:
		job->session.any_base = true;
		break;
	}
}

/* Options that do not go together, or would do nothing. */
static void
check(const struct job *job)
{
	const struct peft_sessionopt *ses = &job->session;
	const struct peft_promptopt *p = &job->prompt;
	const struct peft_common *c = &job->common;
	bool greedy = !(job->sampling.temperature > 0);
	bool adapters = ses->nadapters > 0 || ses->folder != NULL;
	const struct peft_optrule rules[] = {
		{ ses->model == NULL, "-m MODEL is missing" },
		{ p->prompt != NULL && p->npaths > 0,
		    "-p and files exclude each other" },
		{ p->prompt == NULL && (p->system != NULL || p->raw),
		    "--system and --raw go with -p" },
		{ job->keep_going && (!p->jsonl || p->prompt != NULL),
		    "--keep-going goes with --jsonl and records" },
		{ p->raw && p->system != NULL,
		    "--system and --raw exclude each other" },
		{ greedy && (peft_given(c, "top-p") ||
		    peft_given(c, "top-k")),
		    "--top-p and --top-k choose what is sampled from: they "
		    "need --temperature" },
		{ greedy && peft_given(c, "seed"),
		    "-s is for sampling: it needs --temperature" },
		{ peft_given(c, "width") && p->prompt != NULL,
		    "--width is for records: -p is one" },
		{ p->prompt != NULL && (ses->nadapters > 1 ||
		    ses->ncombined > 0 || ses->folder != NULL), "-p is "
		    "answered by the one adapter of -a: records choose among "
		    "several, --adapters and --combine" },
		{ ses->any_base && !adapters,
		    "--any-base is for -a and --adapters" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		if (!number_option(job, ch))
			option(job, ch);
	job->prompt.paths = argv + optind;
	job->prompt.npaths = (size_t)(argc - optind);
	job->session.adapters = job->adapters;
	job->session.combined = job->combined;
	job->session.threads = job->common.threads;
	job->sampling.rng = peft_rng_key(job->common.seed, "sample");
	check(job);
}

int
main(int argc, char **argv)
{
	struct job job = { .sampling = { .top_p = 1 }, .width = 16,
	    .kvlimit = (size_t)4 << 30,
	    .prompt = { .max_tokens = 256, .reload = -1 } };
	struct peft_err err = { 0 };
	struct peft_out *out;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if (job.session.folder != NULL)
		job.prompt.reload = listen_for_hup();
	if ((out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	if (run(&job, out, &err) == -1) {
		peft_out_abort(out);
		peft_die(err.status, "%s", err.msg);
	}
	if (peft_out_commit(out, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	if (job.refused > 0)
		peft_warn("%zu of the records were refused: see \"error\" in "
		    "the answers", job.refused);
	return peft_finish(job.refused > 0 ? PEFT_INPUT : PEFT_OK);
}
