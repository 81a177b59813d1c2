/* SPDX-License-Identifier: Apache-2.0 */
/* peft-pack - make, check and unpack reproducible archives */

#include <string.h>
#include <unistd.h>

#include "base/opt.h"
#include "base/out.h"
#include "pack/pack.h"

enum { O_VERIFY = PEFT_O_OWN };

static const struct peft_opt opts[] = {
	{ 'c', "create", NULL, "make an archive of files and folders" },
	{ 'x', "extract", NULL, "check it and unpack it" },
	{ 't', "list", NULL, "check it and list it: digest, size, name" },
	{ O_VERIFY, "verify", NULL, "check it" },
	{ 'C', "directory", "DIR", "with -x: unpack into DIR, which is new or empty" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_QUIET, PEFT_OPT_VERBOSE,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "-c -o ARCHIVE FILE ... | -x -C DIR [ARCHIVE] | -t [ARCHIVE] | --verify [ARCHIVE]",
	.about = "make, check and unpack reproducible archives",
	.opts = opts,
};

struct job {
	struct peft_common	 common;
	int			 mode;		/* 'c', 'x', 't', O_VERIFY */
	const char		*folder;
	char			**paths;
	size_t			 npaths;
};

static int
print(void *ctx, const struct peft_packentry *e, struct peft_err *err)
{
	struct peft_out *out = ctx;

	(void)err;
	fprintf(peft_out_fp(out), "%s %12zu %s\n", e->digest, e->size,
	    e->name);
	return 0;
}

static int
run(const struct job *job, struct peft_out *out, struct peft_err *err)
{
	const char *path = job->npaths > 0 ? job->paths[0] : NULL;

	if (job->mode == 'c')
		return peft_pack_create(peft_out_fp(out), peft_out_label(out),
		    job->paths, job->npaths, err);
	return peft_pack_read(path, job->mode == 'x' ? job->folder : NULL,
	    job->mode == 't' ? print : NULL, out, err);
}

/* Options that do not go together, or would do nothing. */
static void
check(const struct job *job)
{
	const struct peft_common *c = &job->common;
	const struct peft_optrule rules[] = {
		{ job->mode == 0, "one of -c, -x, -t, --verify is needed" },
		{ job->mode == 'c' && job->npaths == 0, "-c needs files" },
		{ job->mode != 'c' && job->npaths > 1,
		    "one archive at a time" },
		{ job->mode == 'x' && job->folder == NULL, "-x needs -C DIR" },
		{ (job->mode == 'x' || job->mode == O_VERIFY) &&
		    (c->output != NULL || c->force),
		    "-o and -f go with -c and -t" },
		{ job->mode != 'x' && job->folder != NULL, "-C goes with -x" },
	};

	peft_optcheck(rules, sizeof(rules) / sizeof(rules[0]));
}

static void
parse(struct job *job, int argc, char **argv)
{
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1) {
		if (ch == 'C')
			job->folder = optarg;
		else if (job->mode != 0)
			peft_die(PEFT_USAGE, "-c, -x, -t and --verify exclude "
			    "each other");
		else
			job->mode = ch;
	}
	job->paths = argv + optind;
	job->npaths = (size_t)(argc - optind);
	check(job);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct job job = { .mode = 0 };
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
