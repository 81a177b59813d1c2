/* SPDX-License-Identifier: Apache-2.0 */
/* peft-inspect - tell what is in a model, an adapter or a token file */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "eval/inspect.h"

enum { O_JSON = PEFT_O_OWN, O_DIFF, O_HASH, O_SCAN };

static const struct peft_opt opts[] = {
	{ O_JSON, "json", NULL, "write a JSON object a file" },
	{ O_DIFF, "diff", NULL, "compare two: which weights differ, by how much; exit 3 if any" },
	{ O_HASH, "hash", NULL, "also the hash of the weights (reads all of them)" },
	{ O_SCAN, "scan", NULL, "look for NaN and Inf, and measure (reads all weights); exit 3 if any" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_THREADS, PEFT_OPT_QUIET,
	PEFT_OPT_VERBOSE,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "[--json] FILE ... | --diff A B",
	.about = "tell what is in a model, an adapter or a token file",
	.opts = opts,
};

struct job {
	struct peft_common	 common;
	struct peft_inspectopt	 opt;
	bool			 diff;
	char			**paths;
	size_t			 npaths;
};

/* Options that do not go together, or would do nothing. */
static void
check(const struct job *job)
{
	const struct peft_optrule rules[] = {
		{ job->diff && job->npaths != 2, "--diff takes two files" },
		{ job->diff && (job->opt.hash || job->opt.scan), "--diff "
		    "compares weights: no --hash or --scan beside it" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case O_JSON:
			job->opt.json = true;
			break;
		case O_DIFF:
			job->diff = true;
			break;
		case O_HASH:
			job->opt.hash = true;
			break;
		case O_SCAN:
			job->opt.scan = true;
			break;
		}
	job->paths = argv + optind;
	job->npaths = (size_t)(argc - optind);
	job->opt.threads = job->common.threads;
	check(job);
}

static int
run(const struct job *job, struct peft_buf *b, struct peft_err *err)
{
	size_t i;

	if (job->diff)
		return peft_inspect_diff(job->paths[0], job->paths[1],
		    &job->opt, b, err);
	if (job->npaths == 0)
		return peft_inspect("-", &job->opt, b, err);
	for (i = 0; i < job->npaths; i++)
		if (peft_inspect(job->paths[i], &job->opt, b, err) == -1)
			return -1;
	return 0;
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 }, late = { 0 };
	struct peft_buf b = { 0 };
	struct job job = { .diff = false };
	struct peft_out *out;
	int r;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if ((out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	r = run(&job, &b, &err);
	/* what was found is told, also when it is bad; a file is left by what
	 * could be read alone */
	if (r == 0 || (b.len > 0 && (err.status == PEFT_CHECK ||
	    job.common.output == NULL))) {
		if (peft_out_write(out, b.data, b.len, &late) == -1 ||
		    peft_out_commit(out, &late) == -1)
			peft_die(late.status, "%s", late.msg);
	} else
		peft_out_abort(out);
	if (r == -1)
		peft_warn("%s", err.msg);
	peft_buf_free(&b);
	return peft_finish(r == 0 ? PEFT_OK : (int)err.status);
}
