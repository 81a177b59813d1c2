/* SPDX-License-Identifier: Apache-2.0 */
/* peft-tokenize - turn chats and texts into token records */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/in.h"
#include "base/opt.h"
#include "base/out.h"
#include "data/encode.h"
#include "data/lint.h"
#include "data/show.h"

enum {
	O_SUP = PEFT_O_OWN, O_MAXLEN, O_OVER, O_SHOW, O_LINT, O_TEST, O_JSON,
	O_DECODE, O_RENDER, O_SET, O_PARTIAL
};

static const struct peft_opt opts[] = {
	{ 'm', "model", "MODEL", "take tokenizer and chat template from MODEL" },
	{ O_SUP, "supervise", "last|all|text", "what is learnt: the last answer, all answers, all text (all)" },
	{ O_MAXLEN, "max-length", "N", "most tokens of a record (no limit)" },
	{ O_OVER, "over", "refuse|drop|cut", "what to do with longer records (refuse)" },
	{ O_SHOW, "show", "N", "show the first N records, supervised tokens marked" },
	{ O_LINT, "lint", NULL, "look for mistakes instead; exit 3 if there are any" },
	{ O_TEST, "test", "FILE", "with --lint: the test set, to find its prompts in the training set" },
	{ O_JSON, "json", NULL, "with --lint: the report as JSON" },
	{ O_DECODE, "decode", NULL, "turn token records back into text" },
	{ O_RENDER, "render", NULL, "print what the chat template makes, without tokenising" },
	{ O_SET, "set", "NAME=JSON", "a variable for the chat template (repeatable)" },
	{ O_PARTIAL, "partial", NULL, "with --decode: accept a stream that was cut short" },
	PEFT_OPT_OUTPUT, PEFT_OPT_FORCE, PEFT_OPT_QUIET, PEFT_OPT_VERBOSE,
	{ 0 }
};

static const struct peft_cli cli = {
	.synopsis = "-m MODEL [-o OUT] [FILE ...]",
	.about = "turn chats and texts into token records",
	.opts = opts,
};

enum over { REFUSE, DROP, CUT };

struct job {
	struct peft_common	 common;
	struct peft_encopt	 enc;
	struct peft_codec	 codec;
	const char		*model, *test;
	size_t			 max, show;
	int			 over;
	bool			 lint, json, decode, render, partial;
	cJSON			*set;
	/* what has been seen */
	struct peft_lint	 found;
	size_t			 records, dropped, cut, tokens, supervised;
	size_t			 batched;	/* see say() */
};

/* A record that is too long: 1 keep it, 0 drop it. */
static int
limit(struct job *job, struct peft_record *r, struct peft_err *err)
{
	size_t i;

	if (job->max == 0 || r->n <= job->max)
		return 1;
	if (job->over == REFUSE)
		return peft_seterr(err, "%zu tokens, the limit is %zu (--over "
		    "drop or cut)", r->n, job->max);
	if (job->over == DROP) {
		job->dropped++;
		return 0;
	}
	job->cut++;
	r->n = job->max;
	for (r->supervised = 0, i = 1; i < r->n; i++)
		r->supervised += r->labels[i] != PEFT_IGNORE;
	if (r->supervised == 0 && r->nchoices == 0)
		return peft_seterr(err, "cut at %zu tokens, nothing supervised "
		    "is left", job->max);
	return 1;
}

static int
put_record(struct job *job, const cJSON *j, struct peft_buf *b,
    struct peft_err *err)
{
	struct peft_record r;
	int s;

	if (peft_encode_record(&job->codec, j, &job->enc, &r, err) == -1)
		return -1;
	if ((s = limit(job, &r, err)) == 1) {
		if (job->show > 0)
			peft_show_record(b, &job->codec, &r,
			    peft_show_style(STDOUT_FILENO));
		else
			peft_record_put(b, &r);
		job->records++;
		job->tokens += r.n;
		job->batched += peft_tokenizer_batched(job->codec.tok,
		    r.n) != r.n;
		job->supervised += r.supervised;
	}
	peft_record_free(&r);
	return s == -1 ? -1 : 0;
}

/* Findings of one record, "file:line: what". */
static int
lint_record(struct job *job, const cJSON *j, const struct peft_in *in,
    struct peft_buf *b, struct peft_err *err)
{
	bool found[PEFT_NFINDING];
	struct peft_err why = { 0 };
	struct peft_record r;
	int s, i;

	s = peft_encode_record(&job->codec, j, &job->enc, &r, &why);
	i = peft_lint_record(&job->found, j, s == 0 ? &r : NULL, found, err);
	if (s == 0)
		peft_record_free(&r);
	if (i == -1)
		return -1;
	for (i = 0; !job->json && i < PEFT_NFINDING; i++)
		if (found[i])
			peft_buf_printf(b, "%s:%zu: %s%s%s\n",
			    peft_in_label(in), peft_in_lineno(in),
			    peft_finding_text[i], i == PEFT_F_BAD ? ": " : "",
			    i == PEFT_F_BAD ? why.msg : "");
	return 0;
}

static int
do_line(struct job *job, const struct peft_in *in, const char *line,
    size_t len, struct peft_buf *b, struct peft_err *err)
{
	cJSON *j = peft_json(line, len, err);
	int s;

	if (j == NULL)
		return -1;
	if (job->lint)
		s = lint_record(job, j, in, b, err);
	else if (job->render)
		s = peft_render_record(&job->codec, j, &job->enc, b, err);
	else
		s = put_record(job, j, b, err);
	cJSON_Delete(j);
	return s;
}

static int
do_file(struct job *job, const char *path, struct peft_out *out,
    struct peft_err *err)
{
	struct peft_in *in = peft_in_open(path, err);
	struct peft_buf b = { 0 };
	char *line;
	size_t len;
	int s;

	if (in == NULL)
		return -1;
	while ((s = peft_in_line(in, &line, &len, err)) == 1) {
		if (job->show > 0 && job->records == job->show) {
			s = 0;
			break;
		}
		if (do_line(job, in, line, len, &b, err) == -1) {
			s = peft_errprefix(err, "%s:%zu", peft_in_label(in),
			    peft_in_lineno(in));
			break;
		}
		s = b.failed ? peft_seterr(err, "no memory for a record") :
		    peft_out_write(out, b.data, b.len, err);
		if (s == -1)
			break;
		peft_buf_clear(&b);
	}
	peft_buf_free(&b);
	peft_in_close(in);
	return s;
}

static int
decode_file(struct job *job, const char *path, struct peft_out *out,
    struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_tokens_open(path,
	    peft_tokenizer_size(job->codec.tok), job->partial, err);
	struct peft_buf b = { 0 };
	struct peft_record r;
	int s;

	if (t == NULL)
		return -1;
	while ((s = peft_tokens_next(t, &r, err)) == 1) {
		peft_buf_clear(&b);
		s = peft_tokenizer_decode(job->codec.tok, r.ids, r.n, false,
		    &b, err);
		peft_buf_putc(&b, '\n');
		if (s == 0)
			s = peft_out_write(out, b.data, b.len, err);
		peft_record_free(&r);
		if (s == -1)
			break;
	}
	peft_buf_free(&b);
	peft_tokens_close(t);
	return s;
}

static int
read_test(struct job *job, struct peft_err *err)
{
	struct peft_in *in;
	char *line;
	size_t len;
	cJSON *j;
	int s;

	if (job->test == NULL)
		return 0;
	if ((in = peft_in_open(job->test, err)) == NULL)
		return -1;
	while ((s = peft_in_line(in, &line, &len, err)) == 1) {
		j = peft_json(line, len, err);
		s = j == NULL ? -1 : peft_lint_test(&job->found, j, err);
		cJSON_Delete(j);
		if (s == -1) {
			peft_errprefix(err, "%s:%zu", peft_in_label(in),
			    peft_in_lineno(in));
			break;
		}
	}
	peft_in_close(in);
	return s;
}

/* What frames the records: the first line and the last, or the report. */
static int
finish(struct job *job, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t n = peft_lint_total(&job->found);
	int s;

	if (job->lint)
		peft_lint_report(&b, &job->found, job->json);
	else if (!job->show && !job->render && !job->decode)
		peft_tokens_putend(&b, job->records);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	if (s == 0 && job->lint && n > 0)
		return peft_setfail(err, PEFT_CHECK, "%zu finding%s", n,
		    n == 1 ? "" : "s");
	return s;
}

static int
run(struct job *job, char *const *paths, size_t n, struct peft_out *out,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;
	int s = read_test(job, err);

	if (!job->lint && !job->show && !job->render && !job->decode) {
		peft_tokens_putinfo(&b, &job->codec.info);
		if (s == 0)
			s = peft_out_write(out, b.data, b.len, err);
		peft_buf_free(&b);
	}
	for (i = 0; s == 0 && i < (n == 0 ? 1 : n); i++)
		s = job->decode ? decode_file(job, n == 0 ? NULL : paths[i],
		    out, err) : do_file(job, n == 0 ? NULL : paths[i], out,
		    err);
	return s == 0 ? finish(job, out, err) : s;
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
	job->enc.set = job->set;
}

static void
parse(struct job *job, int argc, char **argv)
{
	static const char *const sup[] = { "last", "all", "text", NULL };
	static const char *const over[] = { "refuse", "drop", "cut", NULL };
	int ch;

	while ((ch = peft_getopt(argc, argv, &cli, &job->common)) != -1)
		switch (ch) {
		case 'm':
			job->model = optarg;
			break;
		case O_SUP:
			job->enc.supervise = (enum peft_supervise)peft_optword(
			    "--supervise", optarg, sup);
			break;
		case O_MAXLEN:
			job->max = (size_t)peft_optint("--max-length", optarg,
			    2, 1 << 24);
			break;
		case O_OVER:
			job->over = peft_optword("--over", optarg, over);
			break;
		case O_SHOW:
			job->show = (size_t)peft_optint("--show", optarg, 1,
			    1 << 24);
			break;
		case O_TEST:
			job->test = optarg;
			break;
		case O_SET:
			add_set(job, optarg);
			break;
		case O_LINT:
			job->lint = true;
			break;
		case O_JSON:
			job->json = true;
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
	if (job->lint + job->decode + job->render + (job->show > 0) > 1)
		peft_die(PEFT_USAGE, "--lint, --show, --decode and --render "
		    "exclude each other");
	if (!job->lint && (job->test != NULL || job->json))
		peft_die(PEFT_USAGE, "--test and --json go with --lint");
}

static void
say(const struct job *job)
{
	if (job->dropped > 0 || job->cut > 0)
		peft_warn("%zu records dropped, %zu cut at %zu tokens",
		    job->dropped, job->cut, job->max);
	if (job->batched > 0)
		peft_warn("%zu of %zu records have other lengths than "
		    "tokenizer.json's \"truncation\" and \"padding\" would "
		    "give them; these are not obeyed", job->batched,
		    job->records);
	if (job->common.verbose > 0)
		peft_warn("%zu records, %zu tokens, %zu supervised",
		    job->records, job->tokens, job->supervised);
}

int
main(int argc, char **argv)
{
	struct job job = { .enc = { .supervise = PEFT_SUP_ALL } };
	struct peft_err err = { 0 }, late = { 0 };
	struct peft_source *src;
	struct peft_out *out;
	int r;

	peft_setname(argv[0]);
	parse(&job, argc, argv);
	if ((src = peft_source_open(job.model, &err)) == NULL ||
	    peft_codec_open(&job.codec, src, &err) == -1 ||
	    (out = peft_out_open(job.common.output, job.common.force,
	    &err)) == NULL)
		peft_die(err.status, "%s", err.msg);
	peft_source_close(src);
	job.found.codec = &job.codec;
	job.found.max_length = job.max;
	r = run(&job, argv + optind, (size_t)(argc - optind), out, &err);
	/* a report of findings is wanted all the same */
	if (r == 0 || (err.status == PEFT_CHECK && job.lint)) {
		if (peft_out_commit(out, &late) == -1)
			peft_die(late.status, "%s", late.msg);
	} else
		peft_out_abort(out);
	if (r == -1)
		peft_warn("%s", err.msg);
	else if (!job.common.quiet)
		say(&job);
	peft_codec_close(&job.codec);
	peft_lint_free(&job.found);
	cJSON_Delete(job.set);
	return peft_finish(r == 0 ? PEFT_OK : (int)err.status);
}
