/* SPDX-License-Identifier: Apache-2.0 */
/* Is a checkpoint of the run that is to go on? */

#include <string.h>

#include "base/json.h"
#include "train/trainer.h"

/* In one setting: its values are said, but no hashes or configs. */
static int
differs(const cJSON *is, const cJSON *was, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	peft_buf_printf(&b, "the checkpoint is of a run that differs in %s",
	    is->string);
	if (was != NULL && (!cJSON_IsString(is) ||
	    strlen(is->valuestring) < 32) && !cJSON_IsObject(is) &&
	    !cJSON_IsArray(is)) {
		peft_buf_puts(&b, ": ");
		peft_json_print(&b, was, 0, true);
		peft_buf_puts(&b, " there, ");
		peft_json_print(&b, is, 0, true);
		peft_buf_puts(&b, " here");
	}
	peft_setfail(err, PEFT_CHECK, "%s", b.failed ? "no memory" : b.data);
	peft_buf_free(&b);
	return -1;
}

int
peft_train_compare(const char *was, const char *is, bool *same_plan,
    struct peft_err *err)
{
	cJSON *a = peft_json(was, strlen(was), err);
	cJSON *b = peft_json(is, strlen(is), err);
	const cJSON *e = b == NULL ? NULL : b->child;
	int r = a == NULL || b == NULL ? -1 : 0;

	*same_plan = strcmp(was, is) == 0;
	for (; r == 0 && e != NULL; e = e->next)
		if (strcmp(e->string, "micro_tokens") != 0 &&
		    !cJSON_Compare(e, peft_json_get(a, e->string), true))
			r = differs(e, peft_json_get(a, e->string), err);
	if (r == 0 && cJSON_GetArraySize(a) != cJSON_GetArraySize(b))
		r = peft_setfail(err, PEFT_CHECK, "the checkpoint is of a run "
		    "that differs in its settings");
	cJSON_Delete(a);
	cJSON_Delete(b);
	return r;
}
