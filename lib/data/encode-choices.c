/* SPDX-License-Identifier: Apache-2.0 */
/* Records with several answers to choose from. */

#include <stdlib.h>
#include <string.h>

#include "data/encode-impl.h"

/* Choices are continuations of the prompt, ended as an answer would be. */
int
peft_encode_choices(const struct peft_codec *c, const cJSON *j, bool chat,
    struct peft_record *r, struct peft_err *err)
{
	const cJSON *list = peft_json_get(j, "choices"), *e;
	size_t n = (size_t)cJSON_GetArraySize(list), i;
	int64_t answer = -1;

	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list) || n < 2)
		return peft_seterr(err, "\"choices\" is not a list of two or "
		    "more");
	if (peft_json_int(j, "answer", 0, (int64_t)n - 1, &answer, err) != 1)
		return answer == -1 ? peft_seterr(err, "\"answer\" is not one "
		    "of the choices' numbers") : -1;
	r->answer = (size_t)answer;
	r->choices = peft_calloc(n, sizeof(*r->choices), err);
	r->nchoice = peft_calloc(n, sizeof(*r->nchoice), err);
	if (r->choices == NULL || r->nchoice == NULL)
		return -1;
	cJSON_ArrayForEach(e, list) {
		struct peft_tokens t = { 0 };
		int32_t *ids;

		if (!cJSON_IsString(e))
			return peft_seterr(err, "a choice is not a string");
		if (peft_codec_encode(c, e->valuestring, PEFT_TOK_PLAIN, &t,
		    err) == -1) {
			peft_tokens_free(&t);
			return -1;
		}
		ids = peft_calloc(t.n + 2, sizeof(*ids), err);
		for (i = 0; ids != NULL && i < t.n; i++)
			ids[i] = t.at[i].id;
		if (ids != NULL && chat && peft_tokenizer_named(c->tok,
		    "eos") >= 0)
			ids[i++] = peft_tokenizer_named(c->tok, "eos");
		peft_tokens_free(&t);
		if (ids == NULL)
			return -1;
		r->choices[r->nchoices] = ids;
		r->nchoice[r->nchoices++] = i;
		if (i == 0)
			return peft_seterr(err, "choice %zu is empty",
			    r->nchoices - 1);
	}
	return 0;
}
