/* SPDX-License-Identifier: Apache-2.0 */
/* All records of several inputs, of either kind. */

#include <stdlib.h>
#include <string.h>

#include "data/load.h"
#include "data/rows.h"
#include "data/shape.h"

static int
add(struct peft_records *rs, const struct peft_record *r,
    struct peft_err *err)
{
	struct peft_record *grown;

	grown = peft_grow(rs->at, rs->n, &rs->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	rs->at = grown;
	rs->at[rs->n++] = *r;
	return 0;
}

static bool
same_info(const struct peft_tokens_info *a, const struct peft_tokens_info *b)
{
	return strcmp(a->tokenizer, b->tokenizer) == 0 &&
	    strcmp(a->tmpl, b->tmpl) == 0;
}

static int
merge_info(struct peft_records *rs, const struct peft_tokens_info *info,
    const char *path, struct peft_err *err)
{
	if (!info->seen)
		return 0;
	if (rs->info.seen && !same_info(&rs->info, info))
		return peft_setfail(err, PEFT_CHECK, "%s: made by another "
		    "tokenizer or template than the input before it", path);
	rs->info = *info;
	return 0;
}

static int
read_one(struct peft_records *rs, const char *path, size_t vocab,
    bool partial, struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_tokens_open(path, vocab, partial,
	    err);
	struct peft_record r;
	int s;

	if (t == NULL)
		return -1;
	while ((s = peft_tokens_next(t, &r, err)) == 1) {
		r.from = path;
		if (add(rs, &r, err) == -1) {
			peft_record_free(&r);
			s = -1;
			break;
		}
	}
	if (s == 0)
		s = merge_info(rs, peft_tokens_info(t), path == NULL ? "-" :
		    path, err);
	else		/* who made what cannot be read is worth knowing */
		rs->info = *peft_tokens_info(t);
	peft_tokens_close(t);
	return s;
}

int
peft_records_read(struct peft_records *rs, char *const *paths, size_t npaths,
    size_t vocab, bool partial, struct peft_err *err)
{
	size_t i;

	if (npaths == 0)
		return read_one(rs, NULL, vocab, partial, err);
	for (i = 0; i < npaths; i++)
		if (read_one(rs, paths[i], vocab, partial, err) == -1)
			return -1;
	return 0;
}

int
peft_records_plain(const struct peft_records *rs, enum peft_task task,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < rs->n; i++)
		if (rs->at[i].cls.kind != PEFT_CLASS_NONE &&
		    !peft_task_classes(task))
			return peft_seterr(err, "%s has a class, and the model "
			    "no head for classes", peft_record_place(
			    &rs->at[i], i + 1).text);
		else if (rs->at[i].rejected != NULL ||
		    rs->at[i].label != PEFT_UNLABELLED)
			return peft_seterr(err, "%s %s, which this program "
			    "does not know", peft_record_place(&rs->at[i],
			    i + 1).text, rs->at[i].rejected != NULL ?
			    "is a preference" : "has a label");
	return 0;
}

void
peft_records_free(struct peft_records *rs)
{
	size_t i;

	for (i = 0; i < rs->n; i++)
		peft_record_free(&rs->at[i]);
	free(rs->at);
	memset(rs, 0, sizeof(*rs));
}

/* One input of either kind, record by record. */
struct mixed {
	struct peft_records		*rs;
	const struct peft_codec		*codec;
	const struct peft_loadopt	*opt;
	const char			*path;
	struct peft_tokens_stream	 stream;
	int				 shape;	/* of the first */
};

static int
take_record(struct mixed *m, const cJSON *j, size_t line,
    struct peft_err *err)
{
	bool tokens = m->shape == PEFT_SHAPE_TOKENS;
	struct peft_record r = { .n = 0 };

	if (!tokens && m->codec->tok == NULL)
		return peft_seterr(err, "chats need a tokenizer, and the model "
		    "has none");
	if ((tokens ? peft_record_parse(j, m->opt->vocab, &r, err) :
	    peft_encode_record(m->codec, j, &m->opt->encode, &r, err)) == -1)
		return -1;
	r.line = line;
	r.from = m->path;
	if ((!tokens && peft_codec_fits(m->codec, &r, m->opt->vocab,
	    err) == -1) || add(m->rs, &r, err) == -1) {
		peft_record_free(&r);
		return -1;
	}
	m->stream.records++;
	return 0;
}

static int
take_row(struct mixed *m, const char *text, size_t len, size_t line,
    struct peft_err *err)
{
	cJSON *j = peft_json_said(text, len, err);
	int s;

	if (j == NULL)
		return -1;
	if (!cJSON_IsObject(j))
		s = peft_seterr(err, "not an object");
	else
		s = peft_shape_same(peft_shape_of(j), m->shape, err);
	if (m->shape == PEFT_SHAPE_NONE)
		m->shape = peft_shape_of(j);
	if (s == 0)
		s = peft_json_get(j, "peft") != NULL ?
		    peft_stream_info(&m->stream, peft_json_get(j, "peft"),
		    m->opt->partial, err) : take_record(m, j, line, err);
	cJSON_Delete(j);
	return s;
}

static int
check_end(const struct mixed *m, const char *label, struct peft_err *err)
{
	const struct peft_tokens_info *want = &m->codec->info;

	if (peft_stream_end(&m->stream, m->opt->partial, err) == -1)
		return peft_errprefix(err, "%s", label);
	if (m->stream.info.seen && m->codec->tok != NULL &&
	    !same_info(&m->stream.info, want))
		return peft_setfail(err, PEFT_CHECK, "%s: made by another "
		    "tokenizer or chat template than this model's", label);
	return 0;
}

static int
load_one(struct mixed *m, const char *path, struct peft_err *err)
{
	struct peft_rows *rows = peft_rows_open(path, NULL, err);
	const char *text, *label;
	size_t len, line;
	int s;

	if (rows == NULL)
		return -1;
	label = peft_rows_label(rows);
	if (m->opt->partial)
		peft_rows_partial(rows);
	while ((s = peft_rows_next(rows, &text, &len, &line, err)) > 0) {
		if (s == 1)
			s = take_row(m, text, len, line, err);
		if (s != 0) {
			s = peft_errprefix(err, "%s:%zu", label, line);
			break;
		}
	}
	if (s == 0)
		s = check_end(m, label, err);
	if (s == 0)
		s = merge_info(m->rs, &m->stream.info, label, err);
	peft_rows_close(rows);
	return s;
}

int
peft_records_load(struct peft_records *rs, const struct peft_codec *codec,
    char *const *paths, size_t npaths, const struct peft_loadopt *opt,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < (npaths == 0 ? 1 : npaths); i++) {
		struct mixed m = { .rs = rs, .codec = codec, .opt = opt,
		    .path = npaths == 0 ? NULL : paths[i] };

		if (load_one(&m, m.path, err) == -1)
			return -1;
	}
	return 0;
}
