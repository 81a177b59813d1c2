/* SPDX-License-Identifier: Apache-2.0 */
/* Token records, read. */

#include <math.h>
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

void
peft_record_free(struct peft_record *r)
{
	size_t i;

	for (i = 0; i < r->nchoices; i++)
		free(r->choices[i]);
	free(r->choices);
	free(r->nchoice);
	free(r->ids);
	free(r->labels);
	free(r->id);
	free(r->adapter);
	memset(r, 0, sizeof(*r));
}

/* A list of whole numbers from min to below max. */
static int
read_ids(const cJSON *j, const char *what, int64_t min, size_t max,
    int32_t **out, size_t *n, struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;

	if (!cJSON_IsArray(j))
		return peft_seterr(err, "\"%s\" is not a list", what);
	*n = (size_t)cJSON_GetArraySize(j);
	if ((*out = peft_calloc(*n + 1, sizeof(**out), err)) == NULL)
		return -1;
	cJSON_ArrayForEach(e, j) {
		double d = cJSON_IsNumber(e) ? e->valuedouble : NAN;

		if (!(d >= (double)min) || !(d < (double)max) || d != floor(d))
			return peft_seterr(err, "\"%s\"[%zu] is not a token of "
			    "a vocabulary of %zu", what, i, max);
		(*out)[i++] = (int32_t)d;
	}
	return 0;
}

static int
read_labels(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	const cJSON *labels = peft_json_get(j, "labels");
	size_t i, n;

	if (labels == NULL)
		return peft_seterr(err, "\"labels\" is missing");
	if (read_ids(labels, "labels", PEFT_IGNORE, vocab, &r->labels, &n,
	    err) == -1)
		return -1;
	if (n != r->n)
		return peft_seterr(err, "%zu labels for %zu tokens", n, r->n);
	for (i = 0; i < n; i++) {
		if (r->labels[i] == PEFT_IGNORE)
			continue;
		if (r->labels[i] != r->ids[i])
			return peft_seterr(err, "\"labels\"[%zu] is %d, "
			    "neither the token %d nor -100", i, r->labels[i],
			    r->ids[i]);
		r->supervised += i > 0;
	}
	return 0;
}

static int
read_choices(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	const cJSON *choices = peft_json_get(j, "choices"), *e;
	size_t n = (size_t)cJSON_GetArraySize(choices);
	int64_t answer = -1;

	if (!cJSON_IsArray(choices) || n < 2)
		return peft_seterr(err, "\"choices\" is not a list of two or "
		    "more");
	r->choices = peft_calloc(n, sizeof(*r->choices), err);
	r->nchoice = peft_calloc(n, sizeof(*r->nchoice), err);
	if (r->choices == NULL || r->nchoice == NULL)
		return -1;
	cJSON_ArrayForEach(e, choices) {
		size_t i = r->nchoices++;

		if (read_ids(e, "choices", 0, vocab, &r->choices[i],
		    &r->nchoice[i], err) == -1)
			return -1;
		if (r->nchoice[i] == 0)
			return peft_seterr(err, "choice %zu is empty", i);
	}
	switch (peft_json_int(j, "answer", 0, (int64_t)n - 1, &answer, err)) {
	case -1:
		return -1;
	case 0:
		return peft_seterr(err, "\"choices\" without \"answer\"");
	}
	r->answer = (size_t)answer;
	return 0;
}

/* Keys that a record may have, here or for those who come after. */
static int
check_keys(const cJSON *j, struct peft_err *err)
{
	static const char *const known[] = { "input_ids", "labels", "id",
	    "weight", "adapter", "choices", "answer", NULL };
	const cJSON *e;
	size_t i;

	cJSON_ArrayForEach(e, j) {
		for (i = 0; known[i] != NULL; i++)
			if (strcmp(known[i], e->string) == 0)
				break;
		if (known[i] == NULL)
			return peft_seterr(err, "key \"%s\" is not of a token "
			    "record", e->string);
	}
	return 0;
}

static int
copy_string(const cJSON *j, const char *key, char **out, struct peft_err *err)
{
	const cJSON *v = peft_json_get(j, key);
	const char *s = NULL;
	char number[32];

	if (cJSON_IsNumber(v)) {	/* ids may be numbers */
		snprintf(number, sizeof(number), "%.15g", v->valuedouble);
		s = v->valuestring != NULL ? v->valuestring : number;
	} else if (peft_json_str(j, key, &s, err) == -1)
		return -1;
	if (s == NULL)
		return 0;
	return (*out = peft_strdup(s, err)) == NULL ? -1 : 0;
}

static int
read_record(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	r->weight = 1;
	if (check_keys(j, err) == -1 || read_ids(peft_json_get(j,
	    "input_ids"), "input_ids", 0, vocab, &r->ids, &r->n, err) == -1)
		return -1;
	if (r->n == 0)
		return peft_seterr(err, "\"input_ids\" is empty");
	if (peft_json_get(j, "choices") != NULL) {
		if (read_choices(j, r, vocab, err) == -1)
			return -1;
	} else if (read_labels(j, r, vocab, err) == -1)
		return -1;
	if (peft_json_real(j, "weight", &r->weight, err) == -1)
		return -1;
	if (!(r->weight >= 0))
		return peft_seterr(err, "\"weight\" is below 0");
	if (copy_string(j, "id", &r->id, err) == -1)
		return -1;
	return copy_string(j, "adapter", &r->adapter, err);
}

int
peft_record_parse(const cJSON *j, size_t vocab, struct peft_record *r,
    struct peft_err *err)
{
	memset(r, 0, sizeof(*r));
	if (read_record(j, r, vocab, err) == -1) {
		peft_record_free(r);
		return -1;
	}
	return 0;
}

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
