/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json: truncation and padding.  They are settings of whoever saved
 * the file, for batches of its own; here no text is cut or filled up, but
 * what obeying them would make of it can be asked.
 */

#include <string.h>

#include "text/tokenizer-stage.h"

static int
check_word(const cJSON *j, const char *key, const char *words,
    struct peft_err *err)
{
	const char *s = NULL;

	if (peft_json_str(j, key, &s, err) == -1)
		return -1;
	if (s != NULL && !peft_stage_among(s, words))
		return peft_seterr(err, "\"%s\": \"%.40s\" is not known here "
		    "(known: %s)", key, s, words);
	return 0;
}

static int
read_truncation(struct peft_tokenizer *t, const cJSON *j,
    struct peft_err *err)
{
	int64_t most = 512, stride = 0;

	if (check_word(j, "direction", "Left Right", err) == -1 ||
	    check_word(j, "strategy", "LongestFirst OnlyFirst OnlySecond",
	    err) == -1 ||
	    peft_json_int(j, "max_length", 0, UINT32_MAX, &most, err) == -1 ||
	    peft_json_int(j, "stride", 0, UINT32_MAX, &stride, err) == -1)
		return -1;
	t->most = (size_t)most;
	return 0;
}

/* "strategy": "BatchLongest" or {"Fixed": length} */
static int
read_padding(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	const cJSON *strategy = peft_json_get(j, "strategy");
	int64_t fixed = 0, multiple = 0, id = 0, type = 0;
	const char *token = NULL;

	if (cJSON_IsObject(strategy) ? peft_json_int(strategy, "Fixed", 0,
	    UINT32_MAX, &fixed, err) == -1 : check_word(j, "strategy",
	    "BatchLongest", err) == -1)
		return -1;
	if (check_word(j, "direction", "Left Right", err) == -1 ||
	    peft_json_int(j, "pad_to_multiple_of", 0, UINT32_MAX, &multiple,
	    err) == -1 ||
	    peft_json_int(j, "pad_id", 0, PEFT_MAXVOCAB, &id, err) == -1 ||
	    peft_json_int(j, "pad_type_id", 0, UINT32_MAX, &type, err) == -1 ||
	    peft_json_str(j, "pad_token", &token, err) == -1)
		return -1;
	t->least = (size_t)fixed;
	t->multiple = (size_t)multiple;
	return 0;
}

static const struct peft_stage blocks[] = {
	{ "truncation", "direction max_length strategy stride",
	    read_truncation },
	{ "padding", "strategy direction pad_to_multiple_of pad_id "
	    "pad_type_id pad_token", read_padding },
};

int
peft_tokenizer_batch(struct peft_tokenizer *t, struct peft_err *err)
{
	const cJSON *j, *e;
	size_t i;

	t->most = SIZE_MAX;
	for (i = 0; i < 2; i++) {
		j = peft_json_get(t->json, blocks[i].type);
		if (j == NULL || cJSON_IsNull(j))
			continue;
		if (!cJSON_IsObject(j))
			return peft_seterr(err, "%s is not an object",
			    blocks[i].type);
		cJSON_ArrayForEach(e, j)
			if (!peft_stage_among(e->string, blocks[i].keys))
				return peft_seterr(err, "%s: the key \"%.100s\" "
				    "is not known here", blocks[i].type,
				    e->string);
		if (blocks[i].read(t, j, err) == -1)
			return peft_errprefix(err, "%s", blocks[i].type);
	}
	return 0;
}

size_t
peft_tokenizer_batched(const struct peft_tokenizer *t, size_t n)
{
	n = n > t->most ? t->most : n;
	n = n < t->least ? t->least : n;
	if (t->multiple > 0 && n % t->multiple > 0)
		n += t->multiple - n % t->multiple;
	return n;
}
