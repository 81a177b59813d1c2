/* SPDX-License-Identifier: Apache-2.0 */
/* Chats, rendered by the model's template. */

#include <stdlib.h>
#include <string.h>

#include "data/chat-impl.h"

bool
peft_chat_is_assistant(const cJSON *message)
{
	const cJSON *role = peft_json_get(message, "role");

	return cJSON_IsString(role) &&
	    strcmp(role->valuestring, "assistant") == 0;
}

static int
check_messages(const cJSON *messages, struct peft_err *err)
{
	const cJSON *e, *content;
	size_t n = 0;

	if (!cJSON_IsArray(messages) || messages->child == NULL)
		return peft_seterr(err, "\"messages\" is not a list of "
		    "messages");
	cJSON_ArrayForEach(e, messages) {
		n++;
		if (!cJSON_IsString(peft_json_get(e, "role")))
			return peft_seterr(err, "message %zu has no role", n);
		content = peft_json_get(e, "content");
		if (!cJSON_IsString(content) && !cJSON_IsArray(content) &&
		    peft_json_get(e, "tool_calls") == NULL)
			return peft_seterr(err, content == NULL ||
			    cJSON_IsNull(content) ? "message %zu has no "
			    "content" : "message %zu: its content is no text",
			    n);
	}
	return 0;
}

/* The template's variables: the record's (tools, ...), --set's, ours. */
static cJSON *
make_vars(const struct peft_codec *c, const cJSON *record,
    const struct peft_encopt *o)
{
	static const char *const passed[] = { "tools", "documents", NULL };
	cJSON *v = cJSON_CreateObject();
	const cJSON *e;
	size_t i;

	/* transformers has them defined, if as None */
	for (i = 0; passed[i] != NULL; i++)
		if ((e = peft_json_get(record, passed[i])) != NULL)
			cJSON_AddItemReferenceToObject(v, passed[i],
			    (cJSON *)(uintptr_t)e);
		else
			cJSON_AddNullToObject(v, passed[i]);
	cJSON_ArrayForEach(e, o->set)
		cJSON_AddItemReferenceToObject(v, e->string,
		    (cJSON *)(uintptr_t)e);
	if (c->bos != NULL)
		cJSON_AddStringToObject(v, "bos_token", c->bos);
	if (c->eos != NULL)
		cJSON_AddStringToObject(v, "eos_token", c->eos);
	return v;
}

int
peft_chat_render_some(const struct peft_chat *chat, size_t n, bool gen,
    struct peft_buf *text, struct peft_buf *mark, struct peft_spans *spans,
    struct peft_prefixes *prefixes, struct peft_err *err)
{
	cJSON *vars = chat->vars;
	cJSON *list = cJSON_CreateArray();
	const cJSON *e;
	int r;

	cJSON_ArrayForEach(e, chat->messages)
		if (n-- > 0)
			cJSON_AddItemReferenceToArray(list,
			    (cJSON *)(uintptr_t)e);
		else
			break;
	peft_json_set(vars, "messages", list);
	peft_json_set(vars, "add_generation_prompt", cJSON_CreateBool(gen));
	r = peft_template_render(chat->codec->tmpl, vars, text, mark, spans,
	    prefixes, err);
	return r == -1 ? peft_errprefix(err, "chat template") : 0;
}

/* What was thought goes by three names. */
static const cJSON *
reasoning(const cJSON *message)
{
	static const char *const names[] = { "reasoning_content", "thinking",
	    "reasoning" };
	const cJSON *v;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if ((v = peft_json_get(message, names[i])) != NULL &&
		    !cJSON_IsNull(v))
			return v;
	return NULL;
}

/* As transformers (5.23) has it: under the first name whatever it came by,
 * and under the second too, in front, unless that is there. */
static void
name_reasoning(cJSON *m)
{
	const cJSON *v = reasoning(m);
	cJSON *first, *copy;

	if (v == NULL)
		return;
	copy = cJSON_Duplicate(v, 1);
	if (peft_json_get(m, "thinking") == NULL)
		cJSON_AddItemToObject(m, "thinking", cJSON_Duplicate(v, 1));
	first = cJSON_DetachItemFromObjectCaseSensitive(m, "thinking");
	cJSON_InsertItemInArray(m, 0, first);
	if (peft_json_get(m, "reasoning_content") != NULL)
		cJSON_ReplaceItemInObjectCaseSensitive(m, "reasoning_content",
		    copy);
	else
		cJSON_AddItemToObject(m, "reasoning_content", copy);
}

/* The messages as templates see them, without weights: a new list, or NULL if
 * that is what they are. */
static cJSON *
as_seen(const cJSON *messages)
{
	const cJSON *e;
	cJSON *copy = NULL, *m;

	cJSON_ArrayForEach(e, messages)
		if (copy == NULL && (peft_json_get(e, "weight") != NULL ||
		    reasoning(e) != NULL))
			copy = cJSON_Duplicate(messages, 1);
	cJSON_ArrayForEach(m, copy) {
		cJSON_DeleteItemFromObjectCaseSensitive(m, "weight");
		name_reasoning(m);
	}
	return copy;
}

/* Only what comes up to the turn asked for, if one is. */
static int
count_messages(const cJSON *messages, const struct peft_encopt *o, size_t *n,
    struct peft_err *err)
{
	struct peft_encopt all = *o;
	const cJSON *e;
	bool *want;
	size_t k = 0, turn = 0;

	*n = (size_t)cJSON_GetArraySize(messages);
	if (o->prompt_only) {
		*n -= peft_chat_is_assistant(cJSON_GetArrayItem(messages,
		    (int)*n - 1));
		return 0;
	}
	if (o->turn == 0)
		return 0;
	if ((want = peft_calloc(*n, sizeof(*want), err)) == NULL)
		return -1;
	all.turn = 0;
	if (peft_chat_choose(messages, &all, want, err) == -1) {
		free(want);
		return -1;
	}
	cJSON_ArrayForEach(e, messages) {
		turn += want[k++];
		if (turn == o->turn)
			break;
	}
	*n = k;
	free(want);
	return 0;
}

int
peft_chat_turns(const cJSON *messages, const struct peft_encopt *o, size_t *n,
    struct peft_err *err)
{
	size_t k = (size_t)cJSON_GetArraySize(messages);
	bool *want;
	int r;

	*n = 0;
	if (check_messages(messages, err) == -1 ||
	    (want = peft_calloc(k, sizeof(*want), err)) == NULL)
		return -1;
	r = peft_chat_choose(messages, o, want, err);
	while (k > 0)
		*n += want[--k];
	free(want);
	return r;
}

/* Which of the first n messages are turns to be learnt. */
static int
choose(struct peft_chat *chat, size_t n, const cJSON *weighed,
    const struct peft_encopt *o, struct peft_err *err)
{
	size_t k, all = (size_t)cJSON_GetArraySize(weighed);

	if (o->prompt_only || o->unmasked)
		return 0;
	chat->want = peft_calloc(all, sizeof(*chat->want), err);
	if (chat->want == NULL ||
	    peft_chat_choose(weighed, o, chat->want, err) == -1)
		return -1;
	for (k = 0; o->turn > 0 && k + 1 < n; k++)
		chat->want[k] = false;
	return o->supervise == PEFT_SUP_TEXT ||
	    peft_template_generates(chat->codec->tmpl) ? 0 :
	    peft_chat_prefixes(chat, n, err);
}

/* The first n messages, and what of them is supervised. */
static int
render(struct peft_chat *chat, size_t n, const struct peft_encopt *o,
    struct peft_buf *text, struct peft_buf *mark, struct peft_spans *spans,
    struct peft_err *err)
{
	bool marked = chat->want != NULL && o->supervise != PEFT_SUP_TEXT;
	int r = peft_chat_render_some(chat, n, chat->asks, text, mark,
	    marked ? spans : NULL, &chat->prefixes, err);

	if (r == 0 && chat->want != NULL)
		r = peft_chat_supervise(chat, n, o->supervise, text, mark,
		    spans, err);
	return r;
}

int
peft_chat_render(const struct peft_codec *c, const cJSON *record,
    const struct peft_encopt *o, struct peft_buf *text,
    struct peft_buf *mark, struct peft_spans *spans, struct peft_err *err)
{
	const cJSON *weighed = peft_json_get(record, "messages");
	struct peft_chat chat = { .codec = c, .messages = weighed };
	cJSON *own;
	size_t n;
	int r;

	/* --set may ask for the prompt behind what is there */
	chat.asks = o->prompt_only || cJSON_IsTrue(peft_json_get(o->set,
	    "add_generation_prompt"));
	if (c->tmpl == NULL)
		return peft_seterr(err, "the model has no chat template (looked "
		    "for chat_template.jinja and tokenizer_config.json's "
		    "chat_template)");
	if (check_messages(weighed, err) == -1 ||
	    count_messages(weighed, o, &n, err) == -1)
		return -1;
	r = choose(&chat, n, weighed, o, err);
	if ((own = as_seen(weighed)) != NULL)
		chat.messages = own;
	chat.vars = make_vars(c, record, o);
	if (r == 0)
		r = render(&chat, n, o, text, mark, spans, err);
	cJSON_Delete(chat.vars);
	cJSON_Delete(own);
	free(chat.want);
	free(chat.prefixes.at);
	return r;
}
