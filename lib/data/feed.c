/* SPDX-License-Identifier: Apache-2.0 */
/* The records of several inputs. */

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "data/feed.h"
#include "data/rows.h"
#include "data/shape.h"

struct input {
	struct peft_rows	*rows;
	size_t			 given;
	int			 shape;
};

struct peft_feed {
	struct peft_feedopt	 opt;
	struct input		*inputs;	/* [opt.n] */
	size_t			 at;		/* one after the other */
	size_t			 total;
};

int
peft_feed_share(struct peft_source_of *from, char *arg, struct peft_err *err)
{
	char *colon = strrchr(arg, ':'), *end;

	from->path = arg;
	from->share = colon == NULL ? 0 : strtod(colon + 1, &end);
	if (colon == NULL || end == colon + 1 || *end != '\0' ||
	    !isfinite(from->share) || !(from->share > 0))
		return peft_setfail(err, PEFT_USAGE, "--mix: '%s' is not "
		    "FILE:SHARE, with a share above 0", arg);
	*colon = '\0';
	return 0;
}

struct peft_feed *
peft_feed_open(const struct peft_feedopt *opt, struct peft_err *err)
{
	struct peft_feed *f = peft_calloc(1, sizeof(*f), err);

	if (f == NULL)
		return NULL;
	f->opt = *opt;
	f->inputs = peft_calloc(opt->n + 1, sizeof(*f->inputs), err);
	if (f->inputs != NULL)
		return f;
	free(f);
	return NULL;
}

void
peft_feed_close(struct peft_feed *f)
{
	size_t i;

	if (f == NULL)
		return;
	for (i = 0; i < f->opt.n; i++)
		peft_rows_close(f->inputs[i].rows);
	free(f->inputs);
	free(f);
}

size_t
peft_feed_given(const struct peft_feed *f, size_t i)
{
	return f->inputs[i].given;
}

static void say(const struct peft_feed *, const char *, ...)
    PEFT_PRINTF(2, 3);

static void
say(const struct peft_feed *f, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (f->opt.note == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->opt.note(f->opt.ctx, text);
}

/* Of which shape is the input, by a record of it?  Said aloud once. */
static void
detect(const struct peft_feed *f, struct input *in, const struct peft_row *row)
{
	struct peft_err err;
	cJSON *j = peft_json_said(row->text, row->len, &err);

	in->shape = peft_shape_of(j);
	cJSON_Delete(j);
	if (in->shape != PEFT_SHAPE_NONE)
		say(f, "%s: %s of %s", row->label, peft_rows_kind(in->rows),
		    peft_shape_name(in->shape));
}

static int
next_of(struct peft_feed *f, size_t i, struct peft_row *row,
    struct peft_err *err)
{
	struct input *in = &f->inputs[i];
	const char *path = f->opt.from[i].path;
	int s;

	if (in->rows == NULL &&
	    (in->rows = peft_rows_open(path, f->opt.columns,
	    err)) == NULL)
		return -1;
	row->label = path == NULL || strcmp(path, "-") == 0 ?
	    "standard input" : path;
	s = peft_rows_next(in->rows, &row->text, &row->len, &row->line, err);
	if (s == 0 && peft_rows_unended(in->rows))
		say(f, "%s: the last line has no newline; it is taken as it is",
		    row->label);
	if (s != 1 && s != 2)
		return s;
	if (s == 1 && in->shape == PEFT_SHAPE_NONE)
		detect(f, in, row);
	row->shape = in->shape;
	in->given++;
	f->total++;
	return s;
}

/* The input that is furthest behind its share, the first of equals. */
static size_t
behind(const struct peft_feed *f)
{
	double sum = 0, lag, most = 0;
	size_t i, best = 0;

	for (i = 0; i < f->opt.n; i++)
		sum += f->opt.from[i].share;
	for (i = 0; i < f->opt.n; i++) {
		lag = f->opt.from[i].share / sum * (double)(f->total + 1) -
		    (double)f->inputs[i].given;
		if (i == 0 || lag > most) {
			most = lag;
			best = i;
		}
	}
	return best;
}

int
peft_feed_next(struct peft_feed *f, struct peft_row *row,
    struct peft_err *err)
{
	int s = 0;

	if (f->opt.mix)
		return next_of(f, behind(f), row, err);
	for (; f->at < f->opt.n; f->at++) {
		if ((s = next_of(f, f->at, row, err)) != 0)
			return s;
		peft_rows_close(f->inputs[f->at].rows);
		f->inputs[f->at].rows = NULL;
	}
	return 0;
}
