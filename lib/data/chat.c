/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chats: rendering, and what of them is supervised.
 *
 * A template that marks what the assistant says ({% generation %}) is
 * believed.  Otherwise a turn is what the rendering of the chat up to it has
 * more than the rendering before it with the generation prompt; both must be
 * prefixes of the whole, which is checked: templates that rewrite earlier
 * turns (thinking) are refused rather than masked wrongly.
 */

#include <stdlib.h>
#include <string.h>

#include "data/chat.h"

static bool
is_assistant(const cJSON *message)
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
			return peft_seterr(err, "message %zu has no content",
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

	for (i = 0; passed[i] != NULL; i++)
		if ((e = peft_json_get(record, passed[i])) != NULL)
			cJSON_AddItemReferenceToObject(v, passed[i],
			    (cJSON *)(uintptr_t)e);
	cJSON_ArrayForEach(e, o->set)
		cJSON_AddItemReferenceToObject(v, e->string,
		    (cJSON *)(uintptr_t)e);
	if (c->bos != NULL)
		cJSON_AddStringToObject(v, "bos_token", c->bos);
	if (c->eos != NULL)
		cJSON_AddStringToObject(v, "eos_token", c->eos);
	return v;
}

/* The first n messages; gen: with the generation prompt. */
static int
render(const struct peft_codec *c, cJSON *vars, const cJSON *messages,
    size_t n, bool gen, struct peft_buf *text, struct peft_buf *mark,
    struct peft_spans *spans, struct peft_err *err)
{
	cJSON *list = cJSON_CreateArray();
	const cJSON *e;
	int r;

	cJSON_ArrayForEach(e, messages)
		if (n-- > 0)
			cJSON_AddItemReferenceToArray(list,
			    (cJSON *)(uintptr_t)e);
		else
			break;
	cJSON_DeleteItemFromObjectCaseSensitive(vars, "messages");
	cJSON_AddItemToObject(vars, "messages", list);
	cJSON_DeleteItemFromObjectCaseSensitive(vars,
	    "add_generation_prompt");
	cJSON_AddBoolToObject(vars, "add_generation_prompt", gen);
	r = peft_template_render(c->tmpl, vars, text, mark, spans, err);
	return r == -1 ? peft_errprefix(err, "chat template") : 0;
}

static bool
is_prefix(const struct peft_buf *p, const struct peft_buf *whole)
{
	return p->len <= whole->len && (p->len == 0 ||
	    memcmp(p->data, whole->data, p->len) == 0);
}

/* The bytes of turn k (the k-th message) within the whole. */
static int
turn_span(const struct peft_codec *c, cJSON *vars, const cJSON *messages,
    size_t k, const struct peft_buf *whole, struct peft_span *span,
    struct peft_err *err)
{
	struct peft_buf before = { 0 }, with = { 0 };
	int r = -1;

	if (render(c, vars, messages, k, true, &before, NULL, NULL,
	    err) == 0 && render(c, vars, messages, k + 1, false, &with, NULL,
	    NULL, err) == 0) {
		if (!is_prefix(&before, &with) || !is_prefix(&with, whole))
			peft_seterr(err, "the template changes earlier turns "
			    "when later ones come: what the assistant said in "
			    "message %zu cannot be told by its place; make one "
			    "record of each turn (--supervise last)", k + 1);
		else {
			*span = (struct peft_span){ before.len, with.len };
			r = 0;
		}
	}
	peft_buf_free(&before);
	peft_buf_free(&with);
	return r;
}

/* Which turns are to be learnt: want[k], of n.  -1 if weights are wrong. */
static int
choose(const cJSON *messages, const struct peft_encopt *o, bool *want,
    struct peft_err *err)
{
	size_t k = 0, last = SIZE_MAX, asked = 0;
	const cJSON *e, *role, *w;

	cJSON_ArrayForEach(e, messages) {
		role = peft_json_get(e, "role");
		w = peft_json_get(e, "weight");
		want[k] = is_assistant(e);
		if (want[k])
			last = k;
		else if (strcmp(role->valuestring, "user") == 0)
			asked = k;
		k++;
		if (w == NULL || cJSON_IsNull(w))
			continue;
		if (!want[k - 1] || !cJSON_IsNumber(w) ||
		    (w->valuedouble != 0 && w->valuedouble != 1))
			return peft_seterr(err, "message %zu: a \"weight\" is 0 "
			    "or 1, and only the assistant's turns have one", k);
		want[k - 1] = w->valuedouble == 1;
	}
	while (k-- > 0)
		if ((o->supervise == PEFT_SUP_LAST && k != last) ||
		    (o->supervise == PEFT_SUP_COMPLETION && k < asked))
			want[k] = false;
	return 0;
}

/* Spans of the turns that are wanted, by rendering prefixes. */
static int
spans_by_prefix(const struct peft_codec *c, cJSON *vars,
    const cJSON *messages, const bool *want, const struct peft_buf *whole,
    struct peft_spans *spans, struct peft_err *err)
{
	struct peft_span span;
	const cJSON *e;
	size_t k = 0;

	cJSON_ArrayForEach(e, messages)
		if (want[k++] && (turn_span(c, vars, messages, k - 1, whole,
		    &span, err) == -1 || peft_spans_add(spans, span.begin,
		    span.end, err) == -1))
			return -1;
	return 0;
}

/* Of the spans that the template marked, those of the turns wanted.  Not
 * every template marks every turn: then only the last one is sure. */
static int
keep_wanted(const cJSON *messages, const struct peft_encopt *o,
    const bool *want, struct peft_spans *spans, struct peft_err *err)
{
	size_t k = 0, turns = 0, wanted = 0, n = 0;
	const cJSON *e;

	cJSON_ArrayForEach(e, messages) {
		turns += is_assistant(e);
		wanted += want[k++];
	}
	if (wanted == turns)
		return 0;
	if (turns != spans->n && o->supervise == PEFT_SUP_LAST &&
	    wanted == 1 && spans->n > 0) {
		spans->at[0] = spans->at[spans->n - 1];
		spans->n = 1;
		return 0;
	}
	if (turns != spans->n)
		return peft_seterr(err, "the template marks %zu stretches for "
		    "%zu turns of the assistant: which are to be learnt cannot "
		    "be told", spans->n, turns);
	k = turns = 0;
	cJSON_ArrayForEach(e, messages) {
		if (want[k++])
			spans->at[n++] = spans->at[turns];
		turns += is_assistant(e);
	}
	spans->n = n;
	return 0;
}

/* weighed: the messages as they came, weights and all. */
static int
supervise(const struct peft_codec *c, cJSON *vars, const cJSON *messages,
    const cJSON *weighed, const struct peft_encopt *o,
    const struct peft_buf *text, struct peft_spans *spans,
    struct peft_err *err)
{
	bool *want = peft_calloc((size_t)cJSON_GetArraySize(messages),
	    sizeof(*want), err);
	int r = -1;

	if (want == NULL)
		return -1;
	if (choose(weighed, o, want, err) == -1)
		;
	else if (o->supervise == PEFT_SUP_TEXT)
		r = peft_spans_add(spans, 0, text->len, err);
	else if (peft_template_generates(c->tmpl))
		r = keep_wanted(messages, o, want, spans, err);
	else
		r = spans_by_prefix(c, vars, messages, want, text, spans, err);
	free(want);
	return r;
}

/* Without the weights, which are none of the template's business: a new
 * list, or NULL if there are none. */
static cJSON *
without_weights(const cJSON *messages)
{
	const cJSON *e;
	cJSON *copy = NULL, *m;

	cJSON_ArrayForEach(e, messages)
		if (copy == NULL && peft_json_get(e, "weight") != NULL)
			copy = cJSON_Duplicate(messages, 1);
	cJSON_ArrayForEach(m, copy)
		cJSON_DeleteItemFromObjectCaseSensitive(m, "weight");
	return copy;
}

int
peft_chat_render(const struct peft_codec *c, const cJSON *record,
    const struct peft_encopt *o, struct peft_buf *text,
    struct peft_buf *mark, struct peft_spans *spans, struct peft_err *err)
{
	const cJSON *weighed = peft_json_get(record, "messages"), *e;
	const cJSON *messages = weighed;
	struct peft_spans *gen;
	cJSON *vars, *own;
	size_t n = 0;
	int r;

	if (c->tmpl == NULL)
		return peft_seterr(err, "the model has no chat template (looked "
		    "for chat_template.jinja and tokenizer_config.json's "
		    "chat_template)");
	if (check_messages(messages, err) == -1)
		return -1;
	cJSON_ArrayForEach(e, messages)
		n++;
	if (o->prompt_only && is_assistant(cJSON_GetArrayItem(messages,
	    (int)n - 1)))
		n--;
	if ((own = without_weights(messages)) != NULL)
		messages = own;
	vars = make_vars(c, record, o);
	gen = o->prompt_only || o->supervise == PEFT_SUP_TEXT ? NULL : spans;
	r = render(c, vars, messages, n, o->prompt_only, text, mark, gen, err);
	if (r == 0 && !o->prompt_only)
		r = supervise(c, vars, messages, weighed, o, text, spans, err);
	cJSON_Delete(vars);
	cJSON_Delete(own);
	return r;
}
