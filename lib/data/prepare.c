/* SPDX-License-Identifier: Apache-2.0 */
/* Whole inputs of records, one record after the other. */

#include <string.h>

#include "base/in.h"
#include "data/prepare.h"

/* A record that is too long: 1 keep it, 0 drop it. */
static int
limit(struct peft_prep *p, struct peft_record *r, struct peft_err *err)
{
	size_t i;

	if (p->max_length == 0 || r->n <= p->max_length)
		return 1;
	if (p->over == PEFT_OVER_REFUSE)
		return peft_seterr(err, "%zu tokens, the limit is %zu (--over "
		    "drop or cut)", r->n, p->max_length);
	if (p->over == PEFT_OVER_DROP) {
		p->dropped++;
		return 0;
	}
	p->cut++;
	r->n = p->max_length;
	for (r->supervised = 0, i = 1; i < r->n; i++)
		r->supervised += r->labels[i] != PEFT_IGNORE;
	if (r->supervised == 0 && r->nchoices == 0)
		return peft_seterr(err, "cut at %zu tokens, nothing supervised "
		    "is left", p->max_length);
	return 1;
}

static int
put_record(struct peft_prep *p, const cJSON *j, struct peft_buf *b,
    struct peft_err *err)
{
	struct peft_record r;
	int s;

	if (peft_encode_record(p->codec, j, &p->enc, &r, err) == -1)
		return -1;
	if ((s = limit(p, &r, err)) == 1) {
		if (p->mode == PEFT_PREP_SHOW)
			peft_show_record(b, p->codec, &r, p->style);
		else
			peft_record_put(b, &r);
		p->records++;
		p->tokens += r.n;
		p->supervised += r.supervised;
	}
	peft_record_free(&r);
	return s == -1 ? -1 : 0;
}

/* Findings of one record, "file:line: what". */
static int
lint_record(struct peft_prep *p, const cJSON *j, const struct peft_in *in,
    struct peft_buf *b, struct peft_err *err)
{
	bool found[PEFT_NFINDING];
	struct peft_err why = { 0 };
	struct peft_record r;
	int s, i;

	s = peft_encode_record(p->codec, j, &p->enc, &r, &why);
	i = peft_lint_record(&p->lint, j, s == 0 ? &r : NULL, found, err);
	if (s == 0)
		peft_record_free(&r);
	if (i == -1)
		return -1;
	for (i = 0; !p->json && i < PEFT_NFINDING; i++)
		if (found[i])
			peft_buf_printf(b, "%s:%zu: %s%s%s\n",
			    peft_in_label(in), peft_in_lineno(in),
			    peft_finding_text[i], i == PEFT_F_BAD ? ": " : "",
			    i == PEFT_F_BAD ? why.msg : "");
	return 0;
}

static int
do_line(struct peft_prep *p, const struct peft_in *in, const char *line,
    size_t len, struct peft_buf *b, struct peft_err *err)
{
	cJSON *j = peft_json(line, len, err);
	int s;

	if (j == NULL)
		return -1;
	if (p->mode == PEFT_PREP_LINT)
		s = lint_record(p, j, in, b, err);
	else if (p->mode == PEFT_PREP_RENDER)
		s = peft_render_record(p->codec, j, &p->enc, b, err);
	else
		s = put_record(p, j, b, err);
	cJSON_Delete(j);
	return s;
}

static int
do_file(struct peft_prep *p, const char *path, struct peft_out *out,
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
		if (p->show > 0 && p->records == p->show) {
			s = 0;
			break;
		}
		if (do_line(p, in, line, len, &b, err) == -1) {
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
read_test(struct peft_prep *p, struct peft_err *err)
{
	struct peft_in *in;
	char *line;
	size_t len;
	cJSON *j;
	int s;

	if (p->test == NULL)
		return 0;
	if ((in = peft_in_open(p->test, err)) == NULL)
		return -1;
	while ((s = peft_in_line(in, &line, &len, err)) == 1) {
		j = peft_json(line, len, err);
		s = j == NULL ? -1 : peft_lint_test(&p->lint, j, err);
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

/* What stands before the records. */
static int
begin(struct peft_prep *p, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int s;

	p->lint.codec = p->codec;
	p->lint.max_length = p->max_length;
	if (p->mode != PEFT_PREP_TOKENS)
		return read_test(p, err);
	peft_tokens_putinfo(&b, &p->codec->info);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	return s;
}

/* And behind them. */
static int
finish(struct peft_prep *p, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t n = peft_lint_total(&p->lint);
	int s;

	if (p->mode == PEFT_PREP_LINT)
		peft_lint_report(&b, &p->lint, p->json);
	else if (p->mode == PEFT_PREP_TOKENS)
		peft_tokens_putend(&b, p->records);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	if (s == 0 && p->mode == PEFT_PREP_LINT && n > 0)
		return peft_setfail(err, PEFT_CHECK, "%zu finding%s", n,
		    n == 1 ? "" : "s");
	return s;
}

int
peft_prep_run(struct peft_prep *p, char *const *paths, size_t n,
    struct peft_out *out, struct peft_err *err)
{
	int s = begin(p, out, err);
	size_t i;

	for (i = 0; s == 0 && i < (n == 0 ? 1 : n); i++)
		s = do_file(p, n == 0 ? NULL : paths[i], out, err);
	return s == 0 ? finish(p, out, err) : s;
}

void
peft_prep_free(struct peft_prep *p)
{
	peft_lint_free(&p->lint);
}
