/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of any style, made simple. */

#include <string.h>

#include "data/shape-impl.h"

void
peft_shape_ref(cJSON *dst, const char *key, const cJSON *src)
{
	cJSON_AddItemReferenceToObject(dst, key, (cJSON *)(uintptr_t)src);
}

void
peft_shape_ref_to(cJSON *list, const cJSON *src)
{
	cJSON_AddItemReferenceToArray(list, (cJSON *)(uintptr_t)src);
}

void
peft_shape_say(cJSON *list, const char *role, const char *content)
{
	cJSON *m = cJSON_CreateObject();

	cJSON_AddStringToObject(m, "role", role);
	cJSON_AddStringToObject(m, "content", content);
	cJSON_AddItemToArray(list, m);
}

static const char *
role_of(const char *from)
{
	static const char *const names[][2] = { { "human", "user" },
	    { "gpt", "assistant" }, { "chatgpt", "assistant" },
	    { "bard", "assistant" }, { "bing", "assistant" },
	    { "model", "assistant" }, { "observation", "tool" },
	    { "function_response", "tool" }, { "user", "user" },
	    { "assistant", "assistant" }, { "system", "system" },
	    { "tool", "tool" }, { NULL, NULL } };
	size_t i;

	for (i = 0; names[i][0] != NULL; i++)
		if (strcmp(names[i][0], from) == 0)
			return names[i][1];
	return NULL;
}

/* Arguments as an object: templates print them with tojson, and a string
 * would come out quoted twice. */
static int
fix_function(cJSON *function, struct peft_err *err)
{
	const cJSON *args = peft_json_get(function, "arguments");
	cJSON *v;

	if (!cJSON_IsString(args))
		return 0;
	v = args->valuestring[0] == '\0' ? cJSON_CreateObject() :
	    peft_json_said(args->valuestring, strlen(args->valuestring), err);
	if (v == NULL)
		return peft_errprefix(err, "\"arguments\"");
	if (!cJSON_IsObject(v)) {
		cJSON_Delete(v);
		return peft_seterr(err, "\"arguments\" hold no object");
	}
	cJSON_ReplaceItemInObjectCaseSensitive(function, "arguments", v);
	return 0;
}

static int
fix_calls(cJSON *calls, struct peft_err *err)
{
	cJSON *e, *function;

	cJSON_ArrayForEach(e, calls) {
		function = cJSON_GetObjectItemCaseSensitive(e, "function");
		if (fix_function(function != NULL ? function : e, err) == -1)
			return -1;
	}
	return 0;
}

/* A function_call of ShareGPT: its value is the call, or a list of calls. */
static int
put_calls(cJSON *dst, const char *value, struct peft_err *err)
{
	cJSON *v = peft_json_said(value, strlen(value), err), *calls, *e, *call;
	int s = 0;

	if (v == NULL)
		return peft_errprefix(err, "a function call");
	calls = cJSON_AddArrayToObject(dst, "tool_calls");
	if (cJSON_IsObject(v)) {
		call = cJSON_CreateArray();
		cJSON_AddItemToArray(call, v);
		v = call;
	}
	cJSON_ArrayForEach(e, v) {
		if (!cJSON_IsString(peft_json_get(e, "name")))
			s = peft_seterr(err, "a function call without a "
			    "\"name\"");
		call = cJSON_CreateObject();
		cJSON_AddStringToObject(call, "type", "function");
		cJSON_AddItemToObject(call, "function", cJSON_Duplicate(e, 1));
		cJSON_AddItemToArray(calls, call);
	}
	if (s == 0 && v->child == NULL)
		s = peft_seterr(err, "a function call that is no object");
	cJSON_Delete(v);
	return s == 0 ? fix_calls(calls, err) : -1;
}

/* {"from","value"} */
static int
sharegpt_turn(cJSON *dst, const cJSON *m, struct peft_err *err)
{
	const cJSON *from = peft_json_get(m, "from");
	const cJSON *value = peft_json_get(m, "value");
	const char *role;

	if (!cJSON_IsString(from) || !cJSON_IsString(value))
		return peft_seterr(err, "\"from\" or \"value\" is missing or "
		    "not a string");
	if (strcmp(from->valuestring, "function_call") == 0) {
		cJSON_AddStringToObject(dst, "role", "assistant");
		cJSON_AddStringToObject(dst, "content", "");
		return put_calls(dst, value->valuestring, err);
	}
	if ((role = role_of(from->valuestring)) == NULL)
		return peft_seterr(err, "it is from \"%.40s\"; known are human, "
		    "gpt, system, function_call and observation",
		    from->valuestring);
	cJSON_AddStringToObject(dst, "role", role);
	peft_shape_ref(dst, "content", value);
	if (peft_json_get(m, "weight") != NULL)
		peft_shape_ref(dst, "weight", peft_json_get(m, "weight"));
	return 0;
}

static bool
has_string_arguments(const cJSON *m)
{
	const cJSON *e, *function;

	cJSON_ArrayForEach(e, peft_json_get(m, "tool_calls")) {
		function = peft_json_get(e, "function");
		if (cJSON_IsString(peft_json_get(function != NULL ? function :
		    e, "arguments")))
			return true;
	}
	return false;
}

/* {"role","content",...}: all keys in their order. */
static int
plain_turn(cJSON *dst, const cJSON *m, struct peft_err *err)
{
	const cJSON *e;
	cJSON *calls;

	cJSON_ArrayForEach(e, m) {
		if (strcmp(e->string, "tool_calls") != 0 ||
		    !has_string_arguments(m)) {
			peft_shape_ref(dst, e->string, e);
			continue;
		}
		calls = cJSON_Duplicate(e, 1);
		cJSON_AddItemToObject(dst, e->string, calls);
		if (fix_calls(calls, err) == -1)
			return -1;
	}
	return 0;
}

int
peft_shape_turns(cJSON *list, const cJSON *src, const char *what, bool masked,
    struct peft_err *err)
{
	const cJSON *e, *role;
	size_t n = 0;
	cJSON *m;
	int s;

	if (!cJSON_IsArray(src))
		return peft_seterr(err, "\"%s\" is not a list of messages",
		    what);
	cJSON_ArrayForEach(e, src) {
		n++;
		if (!cJSON_IsObject(e))
			return peft_seterr(err, "message %zu of \"%s\" is not "
			    "an object", n, what);
		cJSON_AddItemToArray(list, m = cJSON_CreateObject());
		s = peft_json_get(e, "from") != NULL ?
		    sharegpt_turn(m, e, err) : plain_turn(m, e, err);
		if (s == -1)
			return peft_errprefix(err, "message %zu of \"%s\"", n,
			    what);
		role = peft_json_get(m, "role");
		if (!masked || !cJSON_IsString(role) ||
		    strcmp(role->valuestring, "assistant") != 0)
			continue;
		cJSON_DeleteItemFromObjectCaseSensitive(m, "weight");
		cJSON_AddNumberToObject(m, "weight", 0);
	}
	return 0;
}

bool
peft_shape_turns_simple(const cJSON *messages)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, messages)
		if (peft_json_get(e, "from") != NULL ||
		    has_string_arguments(e))
			return false;
	return true;
}

int
peft_shape_tools(const cJSON *tools, cJSON **own, struct peft_err *err)
{
	cJSON *list, *e, *next, *wrap;

	*own = NULL;
	if (tools == NULL || (cJSON_IsArray(tools) && (tools->child == NULL ||
	    peft_json_get(tools->child, "name") == NULL)))
		return 0;
	list = cJSON_IsString(tools) ? tools->valuestring[0] == '\0' ?
	    cJSON_CreateArray() : peft_json_said(tools->valuestring,
	    strlen(tools->valuestring), err) : cJSON_Duplicate(tools, 1);
	if (list == NULL)
		return peft_errprefix(err, "\"tools\"");
	for (e = list->child; cJSON_IsArray(list) && e != NULL; e = next) {
		next = e->next;
		if (peft_json_get(e, "name") == NULL)
			continue;
		wrap = cJSON_CreateObject();
		cJSON_AddStringToObject(wrap, "type", "function");
		cJSON_AddItemToObject(wrap, "function",
		    cJSON_Duplicate(e, 1));
		cJSON_ReplaceItemViaPointer(list, e, wrap);
	}
	*own = list;
	return 0;
}
