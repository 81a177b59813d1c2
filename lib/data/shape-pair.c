/* SPDX-License-Identifier: Apache-2.0 */
/* Preferences: two answers to one prompt. */

#include <string.h>

#include "base/buf.h"
#include "data/shape-impl.h"

/* Bytes that two texts have in common; a space before what differs goes with
 * that, and no character is cut in two. */
static size_t
common_bytes(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	while (n > 0 && ((unsigned char)a[n] & 0xc0) == 0x80)
		n--;
	return n - (n > 0 && a[n - 1] == ' ');
}

/* Messages that two lists have in common, but for the last of either. */
static size_t
common_messages(const cJSON *a, const cJSON *b)
{
	const cJSON *x = a->child, *y = b->child;
	size_t n = 0;

	while (x != NULL && y != NULL && x->next != NULL && y->next != NULL &&
	    cJSON_Compare(x, y, true)) {
		x = x->next;
		y = y->next;
		n++;
	}
	return n;
}

/* Both answers are texts, and nothing says that they are a chat's. */
static int
plain_side(cJSON *own, const cJSON *j, const char *mine, const char *other,
    struct peft_err *err)
{
	const char *prompt = NULL;
	struct peft_buf b = { 0 };
	size_t n;

	if (peft_json_str(j, "prompt", &prompt, err) == -1)
		return -1;
	if (prompt != NULL) {
		cJSON_AddStringToObject(own, "prompt", prompt);
		cJSON_AddStringToObject(own, "completion", mine);
		return 0;
	}
	n = common_bytes(mine, other);
	peft_buf_put(&b, mine, n);
	if (b.failed)
		return peft_seterr(err, "no memory for a record");
	cJSON_AddStringToObject(own, "prompt", b.data == NULL ? "" : b.data);
	cJSON_AddStringToObject(own, "completion", mine + n);
	peft_buf_free(&b);
	return 0;
}

/* Lists that begin alike hold the prompt; a "prompt" beside them can only
 * repeat it. */
static int
implicit(cJSON *list, const cJSON *j, const cJSON *mine, const cJSON *other,
    const char *what, struct peft_err *err)
{
	size_t n = common_messages(mine, other), k = 0;
	const char *prompt = NULL;
	const cJSON *e, *said = NULL;
	cJSON *m;

	if (peft_json_str(j, "prompt", &prompt, err) == -1 ||
	    peft_shape_turns(list, mine, what, false, err) == -1)
		return -1;
	cJSON_ArrayForEach(m, list) {
		if (k++ >= n)
			break;
		e = peft_json_get(m, "role");
		if (!cJSON_IsString(e))
			continue;
		if (strcmp(e->valuestring, "assistant") == 0) {
			cJSON_DeleteItemFromObjectCaseSensitive(m, "weight");
			cJSON_AddNumberToObject(m, "weight", 0);
		} else if (strcmp(e->valuestring, "user") == 0)
			said = peft_json_get(m, "content");
	}
	if (prompt != NULL && (!cJSON_IsString(said) ||
	    strcmp(said->valuestring, prompt) != 0))
		return peft_seterr(err, "\"prompt\" is not what the user says "
		    "last in both \"chosen\" and \"rejected\"");
	return 0;
}

/* What both answer. */
static int
put_prompt(cJSON *list, const cJSON *j, struct peft_err *err)
{
	static const char *const lists[] = { "messages", "conversations",
	    NULL };
	const cJSON *p = peft_json_get(j, "prompt");
	size_t i;

	if (peft_json_get(j, "instruction") != NULL)
		return peft_shape_question(list, j, err);
	if (peft_shape_system(list, j, err) == -1)
		return -1;
	if (cJSON_IsString(p))
		peft_shape_say(list, "user", p->valuestring);
	else if (cJSON_IsArray(p))
		return peft_shape_turns(list, p, "prompt", true, err);
	for (i = 0; lists[i] != NULL; i++)
		if (cJSON_IsArray(peft_json_get(j, lists[i])))
			return peft_shape_turns(list, peft_json_get(j,
			    lists[i]), lists[i], true, err);
	return 0;
}

static int
chat_side(cJSON *own, const cJSON *j, const cJSON *mine, const cJSON *other,
    const char *what, struct peft_err *err)
{
	cJSON *list = cJSON_AddArrayToObject(own, "messages"), *one;
	int r;

	if (cJSON_IsArray(mine) && cJSON_IsArray(other) &&
	    !cJSON_IsArray(peft_json_get(j, "prompt")) &&
	    !cJSON_IsArray(peft_json_get(j, "messages")) &&
	    !cJSON_IsArray(peft_json_get(j, "conversations")))
		return implicit(list, j, mine, other, what, err);
	if (put_prompt(list, j, err) == -1)
		return -1;
	if (cJSON_IsString(mine)) {
		peft_shape_say(list, "assistant", mine->valuestring);
		return 0;
	}
	if (cJSON_IsArray(mine))
		return peft_shape_turns(list, mine, what, false, err);
	one = cJSON_CreateArray();
	peft_shape_ref_to(one, mine);
	r = peft_shape_turns(list, one, what, false, err);
	cJSON_Delete(one);
	return r;
}

static int
side(cJSON *pair, const cJSON *j, bool as_chat, const char *what,
    const char *beside, struct peft_err *err)
{
	const cJSON *mine = peft_json_get(j, what);
	const cJSON *other = peft_json_get(j, beside);
	cJSON *own = cJSON_AddObjectToObject(pair, what);
	int r;

	if (cJSON_IsString(mine) && cJSON_IsString(other) && !as_chat &&
	    peft_json_get(j, "instruction") == NULL &&
	    peft_json_get(j, "messages") == NULL &&
	    peft_json_get(j, "conversations") == NULL &&
	    !cJSON_IsArray(peft_json_get(j, "prompt")))
		r = plain_side(own, j, mine->valuestring, other->valuestring,
		    err);
	else
		r = chat_side(own, j, mine, other, what, err);
	return r == 0 ? peft_shape_carry(own, j, err) : -1;
}

int
peft_shape_pair(cJSON *own, const cJSON *j, bool as_chat,
    struct peft_err *err)
{
	const cJSON *a = peft_json_get(j, "chosen");
	const cJSON *b = peft_json_get(j, "rejected");

	if (cJSON_IsString(a) != cJSON_IsString(b) ||
	    (!cJSON_IsString(a) && !cJSON_IsArray(a) && !cJSON_IsObject(a)) ||
	    cJSON_IsArray(a) != cJSON_IsArray(b))
		return peft_seterr(err, "\"chosen\" and \"rejected\" are not "
		    "both strings or both messages");
	if (side(own, j, as_chat, "chosen", "rejected", err) == -1)
		return -1;
	return side(own, j, as_chat, "rejected", "chosen", err);
}

/* OpenAI's {"input":{"messages","tools"},"preferred_output",...} as a pair
 * of references. */
cJSON *
peft_shape_openai_pair(const cJSON *j)
{
	const cJSON *input = peft_json_get(j, "input"), *v;
	cJSON *own = cJSON_CreateObject();

	if ((v = peft_json_get(input, "messages")) != NULL)
		peft_shape_ref(own, "prompt", v);
	if ((v = peft_json_get(input, "tools")) != NULL)
		peft_shape_ref(own, "tools", v);
	if ((v = peft_json_get(j, "id")) != NULL)
		peft_shape_ref(own, "id", v);
	peft_shape_ref(own, "chosen", peft_json_get(j, "preferred_output"));
	peft_shape_ref(own, "rejected", peft_json_get(j,
	    "non_preferred_output"));
	return own;
}
