/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a run. */

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in.h"
#include "base/json.h"
#include "base/out.h"
#include "base/progress.h"
#include "train/log.h"

/* The bytes of an earlier run's lines that end at `step'; a half line (the run
 * was killed) and what is behind it are none. */
static int
kept(const char *path, const char *text, size_t len, size_t step,
    size_t *bytes, struct peft_err *err)
{
	const char *begin = text, *nl;
	int64_t at = 0;

	for (; len > 0 && (nl = memchr(text, '\n', len)) != NULL;
	    len -= (size_t)(nl + 1 - text), text = nl + 1) {
		cJSON *j = peft_json(text, (size_t)(nl - text), err);
		int r = j == NULL ? -1 : peft_json_int(j, "step", 0,
		    INT64_C(1) << 52, &at, err);

		cJSON_Delete(j);
		if (r == -1)
			return peft_errprefix(err, "%s", path);
		if ((size_t)at > step)
			break;
	}
	*bytes = (size_t)(text - begin);
	return 0;
}

/* Standard output, a pipe, a terminal: what a log goes through and does not
 * stay in, so that nothing is overwritten and nothing can be kept. */
static bool
passes(const char *path)
{
	struct stat st;

	return strcmp(path, "-") == 0 || (stat(path, &st) == 0 &&
	    !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode));
}

static FILE *
open_passing(const char *path)
{
	int fd;

	if (strcmp(path, "-") != 0)
		return fopen(path, "we");
	fd = dup(STDOUT_FILENO);
	return fd == -1 ? NULL : fdopen(fd, "w");
}

/* The log of a run that goes on is cut where it goes on, in its place: there
 * is no moment at which a kill would lose what it has. */
static int
open_again(FILE **fp, const char *path, size_t step, struct peft_err *err)
{
	struct peft_buf old = { 0 };
	size_t bytes = 0;
	int r = 0;

	if (access(path, F_OK) == 0 && ((r = peft_in_slurp(path,
	    (size_t)1 << 30, &old, err)) == 0))
		r = kept(path, old.data, old.len, step, &bytes, err);
	peft_buf_free(&old);
	if (r == -1)
		return -1;
	*fp = fopen(path, "ae");
	if (*fp == NULL || ftruncate(fileno(*fp), (off_t)bytes) == -1)
		return peft_seterrno(err, "%s", path);
	return 0;
}

int
peft_log_open(FILE **fp, const char *path, bool force, bool resume,
    size_t step, struct peft_err *err)
{
	if (passes(path))
		*fp = open_passing(path);
	else if (resume)
		return open_again(fp, path, step, err);
	else
		*fp = fopen(path, force ? "we" : "wxe");
	if (*fp == NULL)
		return errno == EEXIST ? peft_seterr(err, "%s exists (-f "
		    "overwrites it)", path) : peft_seterrno(err, "%s", path);
	return 0;
}

static int
put(FILE *fp, const char *path, struct peft_buf *b, struct peft_err *err)
{
	int r = b->failed ? peft_seterr(err, "no memory") :
	    peft_fwrite(fp, path, b->data, b->len, err);

	if (r == 0 && fflush(fp) == EOF)
		r = peft_seterrno(err, "%s", path);
	peft_buf_free(b);
	return r;
}

int
peft_log_start(FILE *fp, const char *path, const char *cpu,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };

	peft_buf_puts(&b, "{\"cpu\":");
	peft_json_putstr(&b, cpu, strlen(cpu));
	peft_buf_puts(&b, "}\n");
	return put(fp, path, &b, err);
}

static void
put_number(struct peft_buf *b, const char *key, double v)
{
	peft_buf_printf(b, ",\"%s\":", key);
	peft_json_putreal(b, v);
}

static void
put_eval(struct peft_buf *b, const struct peft_stepinfo *s, size_t i)
{
	const struct peft_evalset *e = &s->evals[i];

	peft_buf_printf(b, "{\"step\":%zu", s->step);
	put_number(b, "eval_loss", e->loss);
	peft_buf_printf(b, ",\"eval_tokens\":%zu", e->tokens);
	if (s->nevals > 1) {
		peft_buf_puts(b, ",\"eval\":");
		peft_json_putstr(b, e->name, strlen(e->name));
	}
	if (i == 0)			/* it decides */
		peft_buf_printf(b, ",\"best\":%s", s->best ? "true" :
		    "false");
	peft_buf_puts(b, "}\n");
}

int
peft_log_step(FILE *fp, const char *path, const struct peft_stepinfo *s,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i;

	peft_buf_printf(&b, "{\"step\":%zu", s->step);
	put_number(&b, "lr", s->lr);
	put_number(&b, "loss", s->loss);
	put_number(&b, "grad_norm", s->grad_norm);
	peft_buf_printf(&b, ",\"tokens\":%zu,\"seconds\":%.3f,"
	    "\"peak_share\":%.3f,\"eta\":%.1f,\"resident_bytes\":%zu,"
	    "\"peak_bytes\":%zu,\"planned_bytes\":%zu%s}\n", s->tokens,
	    s->seconds, s->share, s->eta, peft_rss(), peft_rss_peak(),
	    s->planned, s->skipped ? ",\"skipped\":true" : "");
	for (i = 0; i < s->nevals; i++)
		put_eval(&b, s, i);
	return put(fp, path, &b, err);
}
