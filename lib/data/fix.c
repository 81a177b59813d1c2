/* SPDX-License-Identifier: Apache-2.0 */
/* What can be mended in a chat without understanding it. */

#include <string.h>

#include "data/fix.h"
#include "data/shape.h"

static bool
is_role(const cJSON *message, const char *role)
{
	const cJSON *r = peft_json_get(message, "role");

	return cJSON_IsString(r) && strcmp(r->valuestring, role) == 0;
}

static bool
is_blank(const cJSON *message)
{
	const cJSON *c = peft_json_get(message, "content");

	return peft_json_get(message, "tool_calls") == NULL &&
	    (c == NULL || cJSON_IsNull(c) || (cJSON_IsString(c) &&
	    c->valuestring[strspn(c->valuestring, " \t\r\n")] == '\0'));
}

/* Two turns that are nothing but a role and a text, the same role. */
static bool
can_join(const cJSON *a, const cJSON *b)
{
	const cJSON *x = peft_json_get(a, "content");
	const cJSON *y = peft_json_get(b, "content");

	return cJSON_IsString(x) && cJSON_IsString(y) &&
	    cJSON_GetArraySize(a) == 2 && cJSON_GetArraySize(b) == 2 &&
	    cJSON_Compare(peft_json_get(a, "role"), peft_json_get(b, "role"),
	    true) && !is_role(a, "tool");
}

static int
join(cJSON *list, unsigned *what, struct peft_err *err)
{
	cJSON *m = list->child, *next;
	struct peft_buf b = { 0 };

	while (m != NULL && (next = m->next) != NULL) {
		if (!can_join(m, next)) {
			m = next;
			continue;
		}
		peft_buf_clear(&b);
		peft_buf_puts(&b, peft_json_get(m, "content")->valuestring);
		if (!is_blank(m) && !is_blank(next))
			peft_buf_puts(&b, "\n\n");
		peft_buf_puts(&b,
		    peft_json_get(next, "content")->valuestring);
		if (b.failed)
			return peft_seterr(err, "no memory for a record");
		cJSON_ReplaceItemInObjectCaseSensitive(m, "content",
		    cJSON_CreateString(b.data));
		cJSON_Delete(cJSON_DetachItemViaPointer(list, next));
		*what |= PEFT_FIX_JOINED;
	}
	peft_buf_free(&b);
	return 0;
}

static void
cut_head(cJSON *list, unsigned *what)
{
	cJSON *m = list->child, *next;

	for (; m != NULL && !is_role(m, "user"); m = next) {
		next = m->next;
		if (!is_role(m, "assistant"))
			continue;
		cJSON_Delete(cJSON_DetachItemViaPointer(list, m));
		*what |= PEFT_FIX_HEAD;
	}
}

static void
cut_tail(cJSON *list, unsigned *what)
{
	cJSON *m;

	while (list->child != NULL) {
		m = list->child->prev;		/* the last one */
		if (is_role(m, "assistant") && !is_blank(m))
			break;
		cJSON_Delete(cJSON_DetachItemViaPointer(list, m));
		*what |= PEFT_FIX_TAIL;
	}
}

int
peft_fix_record(const cJSON *j, cJSON **own, unsigned *what,
    struct peft_err *err)
{
	cJSON *simple, *list;

	*own = NULL;
	*what = 0;
	if (!cJSON_IsObject(j) ||
	    peft_shape_simple(j, false, &simple, err) == -1)
		return cJSON_IsObject(j) ? -1 : 0;
	list = cJSON_Duplicate(peft_json_get(simple != NULL ? simple : j,
	    "messages"), 1);
	if (!cJSON_IsArray(list)) {
		cJSON_Delete(list);
		cJSON_Delete(simple);
		return 0;
	}
	*own = cJSON_Duplicate(simple != NULL ? simple : j, 1);
	cJSON_Delete(simple);
	if (*own == NULL)
		return peft_seterr(err, "no memory for a record");
	cJSON_ReplaceItemInObjectCaseSensitive(*own, "messages", list);
	if (join(list, what, err) == -1)
		return -1;
	cut_head(list, what);
	cut_tail(list, what);
	if (list->child == NULL)
		*what = 0;		/* nothing was left to mend */
	if (*what == 0) {
		cJSON_Delete(*own);
		*own = NULL;
	}
	return 0;
}

void
peft_fix_describe(struct peft_buf *b, unsigned what)
{
	static const char *const words[] = { "turns of one role are joined",
	    "answers before any question are left out",
	    "what has no answer at the end is left out" };
	const char *sep = "";
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (what & 1u << i) {
			peft_buf_printf(b, "%s%s", sep, words[i]);
			sep = "; ";
		}
}
