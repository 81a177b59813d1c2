/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: post_processor. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-stage.h"

static int
post_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool trim = true, keep = true;

	if (peft_json_bool(j, "trim_offsets", &trim, err) == -1 ||
	    peft_json_bool(j, "add_prefix_space", &keep, err) == -1)
		return -1;
	if (trim) {
		t->trim_offsets = true;
		t->trim_keeps_first = keep;
	}
	return 0;
}

static int
read_id(const struct peft_tokenizer *t, const cJSON *e, const char *name,
    int32_t *id, struct peft_err *err)
{
	double d = cJSON_IsNumber(e) ? e->valuedouble : -1;

	if (!(d >= 0) || d >= (double)t->ntokens || d != (double)(int32_t)d)
		return peft_seterr(err, "post_processor: an id of '%.100s' is "
		    "not in the vocabulary", name);
	*id = (int32_t)d;
	return 0;
}

/* The ids of one side of a template. */
struct side {
	int32_t	*ids;
	size_t	 n, cap;
};

/* {"SpecialToken": {"id": NAME}}: the ids that special_tokens gives it. */
static int
add_special(struct peft_tokenizer *t, const cJSON *j, const cJSON *item,
    struct side *side, struct peft_err *err)
{
	const char *name = NULL;
	const cJSON *ids, *e;
	int32_t *grown;

	if (peft_stage_str(peft_json_get(item, "SpecialToken"), "id", &name,
	    err) == -1)
		return peft_errprefix(err, "post_processor");
	ids = peft_json_get(peft_json_get(peft_json_get(j, "special_tokens"),
	    name), "ids");
	if (!cJSON_IsArray(ids))
		return peft_seterr(err, "post_processor: the token '%.100s' "
		    "has no ids", name);
	cJSON_ArrayForEach(e, ids) {
		grown = peft_grow(side->ids, side->n, &side->cap,
		    sizeof(*grown), err);
		if (grown == NULL)
			return -1;
		side->ids = grown;
		if (read_id(t, e, name, &side->ids[side->n], err) == -1)
			return -1;
		side->n++;
	}
	return 0;
}

/* {"Sequence": {"id": "A"}} is the text. */
static int
read_template(struct peft_tokenizer *t, const cJSON *j, struct side side[2],
    struct peft_err *err)
{
	const cJSON *e, *text;
	const char *which;
	bool seen = false;

	cJSON_ArrayForEach(e, peft_json_get(j, "single")) {
		if ((text = peft_json_get(e, "Sequence")) == NULL) {
			if (add_special(t, j, e, &side[seen], err) == -1)
				return -1;
			continue;
		}
		which = "A";
		if (peft_json_str(text, "id", &which, err) == -1)
			return peft_errprefix(err, "post_processor");
		if (seen || strcmp(which, "A") != 0)
			return peft_seterr(err, "post_processor: the template "
			    "has %s", seen ? "the text twice" :
			    "a second text");
		seen = true;
	}
	return seen ? 0 : peft_seterr(err, "post_processor: the template has "
	    "no place for the text");
}

/* Take over what is put around the text; a second time is once too often, to
 * Hugging Face tokenizers as well. */
static int
put_around(struct peft_tokenizer *t, struct side side[2],
    struct peft_err *err)
{
	if (t->nbefore + t->nafter > 0) {
		free(side[0].ids);
		free(side[1].ids);
		return peft_seterr(err, "post_processor: a second template");
	}
	t->before = side[0].ids;
	t->nbefore = side[0].n;
	t->after = side[1].ids;
	t->nafter = side[1].n;
	return 0;
}

static int
post_template(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct side side[2] = { { 0 }, { 0 } };

	if (read_template(t, j, side, err) == -1) {
		free(side[0].ids);
		free(side[1].ids);
		return -1;
	}
	return put_around(t, side, err);
}

/* "cls" and "sep": ["text", id] each. */
static int
post_bert(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const char *const keys[] = { "cls", "sep" };
	struct side side[2] = { { 0 }, { 0 } };
	const cJSON *pair;
	int r = 0, i;

	for (i = 0; i < 2 && r == 0; i++) {
		pair = peft_json_get(j, keys[i]);
		if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2)
			r = peft_seterr(err, "post_processor: %s is not a "
			    "token and its id", keys[i]);
		else if ((side[i].ids = peft_calloc(1, sizeof(int32_t),
		    err)) == NULL)
			r = -1;
		else
			r = read_id(t, cJSON_GetArrayItem(pair, 1), keys[i],
			    side[i].ids, err);
		side[i].n = 1;
	}
	if (r == 0)
		return put_around(t, side, err);
	free(side[0].ids);
	free(side[1].ids);
	return -1;
}

static int
post_roberta(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	return post_bytelevel(t, j, err) == -1 ? -1 : post_bert(t, j, err);
}

static const struct peft_stage post_processors[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    post_bytelevel },
	{ "TemplateProcessing", "single pair special_tokens", post_template },
	{ "BertProcessing", "sep cls", post_bert },
	{ "RobertaProcessing", "sep cls trim_offsets add_prefix_space",
	    post_roberta },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_back(struct peft_tokenizer *t, struct peft_err *err)
{
	return peft_stage_read(t, "post_processor", "processors",
	    post_processors, err);
}
