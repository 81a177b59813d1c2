/* SPDX-License-Identifier: Apache-2.0 */
/* Token records, read. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/tokens.h"

struct peft_tokens_reader {
	struct peft_in		*in;
	size_t			 vocab;
	bool			 partial;
	struct peft_tokens_stream stream;
};

int
peft_tokens_parse_info(const cJSON *j, struct peft_tokens_info *info,
    int64_t *end, struct peft_err *err)
{
	const char *tok = NULL, *tmpl = NULL;

	*end = -1;
	if (!cJSON_IsObject(j))
		return peft_seterr(err, "\"peft\" is not an object");
	if (peft_json_int(j, "end", 0, INT64_C(1) << 52, end, err) == -1 ||
	    peft_json_str(j, "tokenizer", &tok, err) == -1 ||
	    peft_json_str(j, "template", &tmpl, err) == -1)
		return -1;
	if (*end >= 0)
		return 0;
	if ((tok != NULL && strlen(tok) >= sizeof(info->tokenizer)) ||
	    (tmpl != NULL && strlen(tmpl) >= sizeof(info->tmpl)))
		return peft_seterr(err, "a hash that is too long");
	snprintf(info->tokenizer, sizeof(info->tokenizer), "%s",
	    tok == NULL ? "" : tok);
	snprintf(info->tmpl, sizeof(info->tmpl), "%s",
	    tmpl == NULL ? "" : tmpl);
	info->seen = true;
	return 0;
}

struct peft_tokens_reader *
peft_tokens_open(const char *path, size_t vocab, bool partial,
    struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_calloc(1, sizeof(*t), err);

	if (t == NULL)
		return NULL;
	t->vocab = vocab;
	t->partial = partial;
	if ((t->in = peft_in_open(path, err)) == NULL) {
		free(t);
		return NULL;
	}
	if (partial)
		peft_in_partial(t->in);
	return t;
}

/* A {"peft":...} line: what made the records, or their end. */
int
peft_stream_info(struct peft_tokens_stream *t, const cJSON *j, bool partial,
    struct peft_err *err)
{
	struct peft_tokens_info info = { .seen = false };
	int64_t end;

	if (peft_tokens_parse_info(j, &info, &end, err) == -1)
		return -1;
	if (end < 0) {			/* streams may follow each other */
		if (t->info.seen && (strcmp(t->info.tokenizer,
		    info.tokenizer) != 0 || strcmp(t->info.tmpl,
		    info.tmpl) != 0))
			return peft_setfail(err, PEFT_CHECK, "records of two "
			    "tokenizers or templates");
		if (t->info.seen && !t->ended && !partial)
			return peft_seterr(err, "the stream before has no end "
			    "line: it was cut short");
		t->info = info;
		t->ended = false;
		t->records = 0;
		return 0;
	}
	if ((size_t)end != t->records && !partial)
		return peft_seterr(err, "%zu records, the end line says %lld",
		    t->records, (long long)end);
	t->ended = true;
	return 0;
}

int
peft_stream_end(const struct peft_tokens_stream *t, bool partial,
    struct peft_err *err)
{
	if (t->info.seen && !t->ended && !partial)
		return peft_seterr(err, "no end line: what wrote it failed or "
		    "was stopped (--partial accepts it)");
	return 0;
}

static int
next(struct peft_tokens_reader *t, struct peft_record *r,
    struct peft_err *err)
{
	char *line;
	size_t len;
	cJSON *j;
	int s;

	while ((s = peft_in_line(t->in, &line, &len, err)) == 1) {
		if ((j = peft_json(line, len, err)) == NULL)
			return -2;
		if (peft_json_get(j, "peft") != NULL) {
			s = peft_stream_info(&t->stream, peft_json_get(j,
			    "peft"), t->partial, err);
			cJSON_Delete(j);
			if (s == -1)
				return -2;
			continue;
		}
		s = cJSON_IsObject(j) ? peft_record_parse(j, t->vocab, r,
		    err) : peft_seterr(err, "not an object");
		cJSON_Delete(j);
		if (s == -1)
			return -2;
		r->line = peft_in_lineno(t->in);
		t->stream.records++;
		return 1;
	}
	if (s == 0 && peft_stream_end(&t->stream, t->partial, err) == -1)
		return peft_errprefix(err, "%s", peft_in_label(t->in));
	return s;
}

int
peft_tokens_next(struct peft_tokens_reader *t, struct peft_record *r,
    struct peft_err *err)
{
	int s = next(t, r, err);

	if (s != -2)
		return s;
	return peft_errprefix(err, "%s:%zu", peft_in_label(t->in),
	    peft_in_lineno(t->in));
}

const struct peft_tokens_info *
peft_tokens_info(const struct peft_tokens_reader *t)
{
	return &t->stream.info;
}

void
peft_tokens_close(struct peft_tokens_reader *t)
{
	if (t == NULL)
		return;
	peft_in_close(t->in);
	free(t);
}
