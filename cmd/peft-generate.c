/* SPDX-License-Identifier: Apache-2.0 */
/* peft-generate - let a model, with or without adapters, go on with prompts */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "base/progress.h"
#include "eval/prompts.h"
#include "eval/session.h"

enum {
	O_MAX = PEFT_O_OWN, O_TEMP, O_TOPP, O_TOPK, O_JSONL, O_SYSTEM, O_RAW,
	O_WIDTH, O_ANYBASE, O_COMPUTE
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "the model: a folder, a GGUF file, a bundle" },
	{ 'a', "adapter", "[NAME=]ADAPTER", "load an adapter (repeatable); records choose by \"adapter\"" },
	{ 'p', "prompt", "PROMPT", "answer this instead of records" },
	{ O_SYSTEM, "system", "TEXT", "system message before the prompt" },
	{ O_RAW, "raw", NULL, "the prompt is text to go on with, not a chat message" },
	{ O_MAX, "max-tokens", "N", "make at most N tokens (256)" },
	{ O_TEMP, "temperature", "T", "0: always the most likely token (0)" },
	{ O_TOPP, "top-p", "P", "sample among the likeliest tokens that reach P (1)" },
	{ O_TOPK, "top-k", "K", "sample among the K likeliest tokens (0: all)" },
	{ O_JSONL, "jsonl", NULL, "write a JSON object a line" },
	{ O_WIDTH, "width", "N", "records in work at once (16)" },
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
	const char		*adapters[MAXADAPTER];
	struct peft_promptopt	 prompt;
	struct peft_sampling	 sampling;
	size_t			 width;
	char *const		*paths;
	size_t			 npaths;
};

static int
generate(const struct job *job, struct peft_session *ses,
    struct peft_prompts *prompts, struct peft_out *out, struct peft_err *err)
{
	struct peft_answeropt how = { .sampling = job->sampling,
	    .width = job->width, .jsonl = job->prompt.jsonl };
	struct peft_progress bar;
	int r;

	/* One answer as plain text is followed as it comes; many are worth a
	 * bar. */
	how.stream = !how.jsonl && prompts->n == 1;
	peft_progress_start(&bar, "generate", (double)prompts->n, "records",
	    &job->common);
	if (!how.stream)
		how.progress = &bar;
	r = peft_answer_prompts(ses, prompts, &how, out, err);
	if (!how.stream)
		peft_progress_end(&bar);
	return r;
}

static int
run(const struct job *job, struct peft_out *out, struct peft_err *err)
{
	struct peft_prompts prompts = { 0 };
	struct peft_session ses;
	int r;

	if (peft_session_open(&ses, &job->session, err) == -1)
		return -1;
	if (job->common.verbose > 0)
		peft_warn("%s", peft_cpu_describe(ses.cpu));
	r = peft_prompts_read(&prompts, &ses, &job->prompt, job->paths,
	    job->npaths, err);
	if (r == 0)
		r = generate(job, &ses, &prompts, out, err);
	peft_prompts_free(&prompts);
	peft_session_close(&ses);
	return r;
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
			if (job->session.nadapters == MAXADAPTER)
				peft_die(PEFT_USAGE, "more than %d adapters",
				    MAXADAPTER);
			job->adapters[job->session.nadapters++] = optarg;
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
		case O_MAX:
			job->prompt.max_tokens = (size_t)peft_optint(
			    "--max-tokens", optarg, 1, 1 << 20);
			break;
		case O_TEMP:
			job->sampling.temperature = peft_optreal(
			    "--temperature", optarg, 0, 100);
			break;
		case O_TOPP:
			job->sampling.top_p = peft_optreal("--top-p", optarg,
			    0, 1);
			break;
		case O_TOPK:
			job->sampling.top_k = (size_t)peft_optint("--top-k",
			    optarg, 0, 1 << 24);
			break;
		case O_JSONL:
			job->prompt.jsonl = true;
			break;
		case O_WIDTH:
			job->width = (size_t)peft_optint("--width", optarg, 1,
			    1024);
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
	job->session.threads = job->common.threads;
	job->sampling.rng = peft_rng_key(job->common.seed, "sample");
	if (job->session.model == NULL)
		peft_die(PEFT_USAGE, "-m MODEL is missing");
	if (job->prompt.prompt != NULL && job->npaths > 0)
		peft_die(PEFT_USAGE, "-p and files exclude each other");
	if (job->prompt.prompt == NULL &&
	    (job->prompt.system != NULL || job->prompt.raw))
		peft_die(PEFT_USAGE, "--system and --raw go with -p");
	if (job->prompt.raw && job->prompt.system != NULL)
		peft_die(PEFT_USAGE, "--system and --raw exclude each other");
}

int
main(int argc, char **argv)
{
	struct job job = { .width = 16, .sampling = { .top_p = 1 },
	    .prompt = { .max_tokens = 256 } };
	struct peft_err err = { 0 };
	struct peft_out *out;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if ((out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	if (run(&job, out, &err) == -1) {
		peft_out_abort(out);
		peft_die(err.status, "%s", err.msg);
	}
	if (peft_out_commit(out, &err) == -1)
		peft_die(err.status, "%s", err.msg);
	return peft_finish(PEFT_OK);
}
