/* SPDX-License-Identifier: Apache-2.0 */
/* Records in, the same records out, with what a head for classes tells. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/out.h"
#include "data/rows.h"
#include "data/shape.h"
#include "eval/classify.h"

enum { BATCH = 64 };

/* What is at work: records as they came, and as tokens. */
struct batch {
	struct peft_session	*ses;
	int			 adapter;
	const struct peft_labels *labels;
	struct peft_rows	*rows;
	cJSON			*json[BATCH];
	struct peft_record	 records[BATCH];
	size_t			 n;
};

static void
clear(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		cJSON_Delete(b->json[i]);
		peft_record_free(&b->records[i]);
	}
	b->n = 0;
}

static int
encode(const struct batch *b, const cJSON *j, struct peft_record *r,
    struct peft_err *err)
{
	const struct peft_encopt o = { .task = b->labels->task,
	    .unlabelled = true, .unmasked = true };
	const struct peft_config *c = peft_net_config(b->ses->net);

	if (peft_shape_of(j) == PEFT_SHAPE_TOKENS)
		return peft_record_parse(j, c->vocab, r, err);
	if (b->ses->codec.tok == NULL)
		return peft_seterr(err, "texts need a tokenizer, and the model "
		    "has none");
	if (peft_encode_record(&b->ses->codec, j, &o, r, err) == -1)
		return -1;
	if (peft_codec_fits(&b->ses->codec, r, c->vocab, err) == 0)
		return 0;
	peft_record_free(r);
	return -1;
}

/* One more record; lines that frame token records are none. */
static int
take(struct batch *b, const char *text, size_t len, struct peft_err *err)
{
	cJSON *j = peft_json_said(text, len, err);

	if (j == NULL)
		return -1;
	if (peft_json_get(j, "peft") != NULL) {
		cJSON_Delete(j);
		return 0;
	}
	if ((cJSON_IsObject(j) ? encode(b, j, &b->records[b->n], err) :
	    peft_seterr(err, "not an object")) == -1) {
		cJSON_Delete(j);
		return -1;
	}
	b->json[b->n++] = j;
	return 0;
}

/* Up to so many records: 1 there may be more, 0, -1. */
static int
fill(struct batch *b, size_t want, struct peft_err *err)
{
	const char *text;
	size_t len, line;
	int s = 1;

	while (b->n < want &&
	    (s = peft_rows_next(b->rows, &text, &len, &line, err)) != 0) {
		if (s == 1 && take(b, text, len, err) == 0)
			continue;
		return s == -1 ? -1 : peft_errprefix(err, "%s:%zu",
		    peft_rows_label(b->rows), line);
	}
	return s;
}

static cJSON *
names_of(const struct peft_labels *l, const float *p, cJSON **chance)
{
	cJSON *list = cJSON_CreateArray();
	size_t i;

	*chance = cJSON_CreateArray();
	for (i = 0; i < l->n; i++) {
		if (!(p[i] > 0.5f))
			continue;
		cJSON_AddItemToArray(list, cJSON_CreateString(l->name[i]));
		cJSON_AddItemToArray(*chance,
		    cJSON_CreateNumber((double)p[i]));
	}
	return list;
}

/* At one place. */
static cJSON *
tell(const struct peft_labels *l, float *out, cJSON **chance)
{
	double p;
	size_t k;

	*chance = NULL;
	k = peft_told_class(l, out, &p);
	if (l->problem == PEFT_PROBLEM_VALUE)
		return cJSON_CreateNumber((double)out[0]);
	if (l->problem == PEFT_PROBLEM_MULTI)
		return names_of(l, out, chance);
	*chance = cJSON_CreateNumber(p);
	return cJSON_CreateString(l->name[k]);
}

static void
put(cJSON *j, const char *key, cJSON *value)
{
	if (value != NULL)
		peft_json_set(j, key, value);
	else
		cJSON_DeleteItemFromObjectCaseSensitive(j, key);
}

static void
answer(const struct peft_labels *l, cJSON *j, const struct peft_told *t,
    struct peft_buf *out)
{
	cJSON *label, *chance, *all, *chances;
	size_t i;

	if (l->task == PEFT_TASK_SEQ_CLS) {
		label = tell(l, t->out, &chance);
		put(j, "label", label);
		put(j, "probability", chance);
	} else {
		all = cJSON_CreateArray();
		chances = cJSON_CreateArray();
		for (i = 0; i < t->n; i++) {
			label = tell(l, t->out + i * l->n, &chance);
			cJSON_AddItemToArray(all, label);
			cJSON_AddItemToArray(chances, chance);
		}
		put(j, "labels", all);
		put(j, "probabilities", chances);
	}
	peft_json_print(out, j, 0, false);
	peft_buf_putc(out, '\n');
}

static int
answer_all(struct batch *b, struct peft_out *out, struct peft_err *err)
{
	struct peft_told *told = peft_calloc(b->n + 1, sizeof(*told), err);
	struct peft_buf text = { 0 };
	size_t i;
	int r = told == NULL ? -1 : peft_tell(b->ses, b->adapter, b->records,
	    b->n, told, err);

	for (i = 0; r == 0 && i < b->n; i++)
		answer(b->labels, b->json[i], &told[i], &text);
	if (r == 0 && text.failed)
		r = peft_seterr(err, "no memory for the answers");
	if (r == 0 && text.len > 0)
		r = peft_out_write(out, text.data, text.len, err);
	/* who reads them may be waiting */
	if (r == 0 && fflush(peft_out_fp(out)) == EOF)
		r = peft_seterrno(err, "%s", peft_out_label(out));
	peft_told_free(told, b->n);
	peft_buf_free(&text);
	return r;
}

static int
predict(struct batch *b, const char *path, struct peft_out *out,
    struct peft_err *err)
{
	size_t want = 1;
	int r = 0, more = 1;

	if ((b->rows = peft_rows_open(path, NULL, err)) == NULL)
		return -1;
	/* the first answer at once, then more at a time */
	for (; r == 0 && more == 1; want = want < BATCH ? want * 2 : BATCH) {
		if ((more = fill(b, want, err)) == -1)
			r = -1;
		else
			r = answer_all(b, out, err);
		clear(b);
	}
	peft_rows_close(b->rows);
	return r;
}

int
peft_predict(struct peft_session *ses, char *const *paths, size_t npaths,
    struct peft_out *out, struct peft_err *err)
{
	struct batch *b;
	size_t i;
	int r = 0;

	if (!peft_task_classes(peft_net_config(ses->net)->task))
		return peft_setfail(err, PEFT_CHECK, "there is no head for "
		    "classes (peft-generate lets a model write)");
	if ((b = peft_calloc(1, sizeof(*b), err)) == NULL)
		return -1;
	b->ses = ses;
	b->adapter = ses->nadapters > 0 ? 0 : -1;
	b->labels = peft_session_labels(ses, b->adapter);
	for (i = 0; r == 0 && i < (npaths == 0 ? 1 : npaths); i++)
		r = predict(b, npaths == 0 ? NULL : paths[i], out, err);
	free(b);
	return r;
}
