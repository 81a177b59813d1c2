/* SPDX-License-Identifier: Apache-2.0 */
/* One token record, read from JSON. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/shape.h"
#include "data/tokens.h"

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
	free(r->values);
	free(r->words);
	peft_class_free(&r->cls);
	if (r->rejected != NULL)
		peft_record_free(r->rejected);
	free(r->rejected);
	memset(r, 0, sizeof(*r));
}

struct peft_recordplace
peft_record_place(const struct peft_record *r, size_t number)
{
	struct peft_recordplace p;

	snprintf(p.text, sizeof(p.text), "record %zu (%.100s:%zu)", number,
	    r->from == NULL ? "standard input" : r->from, r->line);
	return p;
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

/* What peft-tokenize reads, not what it writes? */
static bool
is_chat(const cJSON *j)
{
	return peft_shape_of(j) != PEFT_SHAPE_NONE &&
	    peft_json_get(j, "input_ids") == NULL &&
	    !cJSON_IsObject(peft_json_get(j, "chosen"));
}

/* Keys that a record may have, here or for those who come after. */
static int
check_keys(const cJSON *j, struct peft_err *err)
{
	static const char *const known[] = { "input_ids", "labels", "id",
	    "weight", "adapter", "task_id", "choices", "answer", "label",
	    "prompt", "chosen", "rejected", "class", "classes", NULL };
	const cJSON *e;
	size_t i;

	cJSON_ArrayForEach(e, j) {
		for (i = 0; known[i] != NULL; i++)
			if (strcmp(known[i], e->string) == 0)
				break;
		if (known[i] == NULL)
			return peft_seterr(err, "key \"%s\" is not of a token "
			    "record%s", e->string, is_chat(j) ?
			    ": peft-tokenize makes such of it" : "");
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

/* One of a pair: what follows the prompt, of np tokens. */
static int
read_side(const cJSON *j, const char *which, const int32_t *prompt, size_t np,
    struct peft_record *r, size_t vocab, struct peft_err *err)
{
	const cJSON *side = peft_json_get(j, which);
	struct peft_record rest = { .n = 0 };
	size_t i;
	int s = read_ids(peft_json_get(side, "input_ids"), "input_ids", 0,
	    vocab, &rest.ids, &rest.n, err);

	if (s == 0)
		s = read_labels(side, &rest, vocab, err);
	r->n = np + rest.n;
	r->ids = peft_calloc(r->n + 1, sizeof(*r->ids), err);
	r->labels = peft_calloc(r->n + 1, sizeof(*r->labels), err);
	if (r->ids == NULL || r->labels == NULL)
		s = -1;
	for (i = 0; s == 0 && i < r->n; i++) {
		r->ids[i] = i < np ? prompt[i] : rest.ids[i - np];
		r->labels[i] = i < np ? PEFT_IGNORE : rest.labels[i - np];
		r->supervised += i > 0 && r->labels[i] != PEFT_IGNORE;
	}
	peft_record_free(&rest);
	if (s == 0 && r->supervised == 0)
		s = peft_seterr(err, "nothing is supervised");
	return s == 0 ? 0 : peft_errprefix(err, "\"%s\"", which);
}

static int
read_pair(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	int32_t *prompt = NULL;
	size_t n;
	int s;

	if (peft_json_get(j, "input_ids") != NULL)
		return peft_seterr(err, "\"input_ids\" beside \"chosen\"");
	if ((r->rejected = peft_calloc(1, sizeof(*r), err)) == NULL)
		return -1;
	r->rejected->weight = 1;
	s = read_ids(peft_json_get(j, "prompt"), "prompt", 0, vocab, &prompt,
	    &n, err);
	if (s == 0)
		s = read_side(j, "chosen", prompt, n, r, vocab, err);
	if (s == 0)
		s = read_side(j, "rejected", prompt, n, r->rejected, vocab,
		    err);
	free(prompt);
	return s;
}

/* Classes instead of tokens that are to be predicted. */
static int
read_classes(const cJSON *j, struct peft_record *r, struct peft_err *err)
{
	const cJSON *each = peft_json_get(j, "classes");
	size_t i;

	if (peft_json_get(j, "labels") != NULL)
		return peft_seterr(err, "\"labels\" beside classes");
	if (each != NULL && peft_json_get(j, "class") != NULL)
		return peft_seterr(err, "\"class\" beside \"classes\"");
	if ((each != NULL ? peft_class_read_each(each, r->n, &r->cls, err) :
	    peft_class_read(j, "class", &r->cls, err)) == -1)
		return -1;
	r->labels = peft_calloc(r->n + 1, sizeof(*r->labels), err);
	if (r->labels == NULL)
		return -1;
	for (i = 0; i < r->n; i++)
		r->labels[i] = PEFT_IGNORE;
	r->supervised = peft_class_count(&r->cls);
	return 0;
}

/* What the record is of: one of the four kinds. */
static int
read_tokens(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	bool label = false;
	int s;

	if (peft_json_get(j, "chosen") != NULL)
		return read_pair(j, r, vocab, err);
	if (read_ids(peft_json_get(j, "input_ids"), "input_ids", 0, vocab,
	    &r->ids, &r->n, err) == -1)
		return -1;
	if (r->n == 0)
		return peft_seterr(err, "\"input_ids\" is empty");
	if ((s = peft_json_bool(j, "label", &label, err)) == -1)
		return -1;
	if (s == 1)
		r->label = label ? PEFT_WANTED : PEFT_UNWANTED;
	if (peft_json_get(j, "class") != NULL ||
	    peft_json_get(j, "classes") != NULL)
		return read_classes(j, r, err);
	return peft_json_get(j, "choices") != NULL ? read_choices(j, r, vocab,
	    err) : read_labels(j, r, vocab, err);
}

static int
read_record(const cJSON *j, struct peft_record *r, size_t vocab,
    struct peft_err *err)
{
	int64_t task = -1;

	r->weight = 1;
	if (check_keys(j, err) == -1 || read_tokens(j, r, vocab, err) == -1)
		return -1;
	if (peft_json_real(j, "weight", &r->weight, err) == -1)
		return -1;
	if (!(r->weight >= 0))
		return peft_seterr(err, "\"weight\" is below 0");
	if (peft_json_int(j, "task_id", 0, 1 << 20, &task, err) == -1 ||
	    copy_string(j, "id", &r->id, err) == -1)
		return -1;
	r->task = (int)task;
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
