/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes in which people keep their records. */

#include <string.h>

#include "base/buf.h"
#include "data/shape-impl.h"

/* Tables that became JSON have all keys everywhere, null where unused. */
static bool
has(const cJSON *j, const char *key)
{
	const cJSON *v = peft_json_get(j, key);

	return v != NULL && !cJSON_IsNull(v);
}

static int
base_shape(const cJSON *j)
{
	if (has(j, "input_ids") || has(j, "peft") ||
	    has(peft_json_get(j, "chosen"), "input_ids"))
		return PEFT_SHAPE_TOKENS;
	if (has(j, "preferred_output") && has(j, "non_preferred_output"))
		return PEFT_SHAPE_OPENAI;
	if (has(j, "chosen") && has(j, "rejected"))
		return PEFT_SHAPE_PAIR | (cJSON_IsString(peft_json_get(j,
		    "chosen")) ? 0 : PEFT_SHAPE_LISTS);
	if (has(j, "messages"))
		return PEFT_SHAPE_MESSAGES;
	if (has(j, "conversations"))
		return PEFT_SHAPE_SHAREGPT;
	if (has(j, "segments"))
		return PEFT_SHAPE_SEGMENTS;
	if (has(j, "instruction") && has(j, "output"))
		return PEFT_SHAPE_ALPACA;
	if (has(j, "prompt"))
		return PEFT_SHAPE_PROMPT | (cJSON_IsArray(peft_json_get(j,
		    "prompt")) ? PEFT_SHAPE_LISTS : 0);
	if (cJSON_IsArray(peft_json_get(j, "tokens")))
		return PEFT_SHAPE_WORDS;
	return has(j, "text") ? PEFT_SHAPE_TEXT : PEFT_SHAPE_NONE;
}

int
peft_shape_of(const cJSON *j)
{
	int shape = cJSON_IsObject(j) ? base_shape(j) : PEFT_SHAPE_NONE;
	int base = shape & 15;

	if ((base == PEFT_SHAPE_MESSAGES || base == PEFT_SHAPE_SHAREGPT ||
	    base == PEFT_SHAPE_ALPACA || base == PEFT_SHAPE_PROMPT) &&
	    (cJSON_IsBool(peft_json_get(j, "label")) || has(j, "kto_tag")))
		shape |= PEFT_SHAPE_LABEL;
	return shape;
}

const char *
peft_shape_name(int shape)
{
	static const char *const names[16][2] = {
		[PEFT_SHAPE_NONE] = { "of no known shape", NULL },
		[PEFT_SHAPE_MESSAGES] = { "chats (messages)",
		    "chats with a label (messages, label)" },
		[PEFT_SHAPE_SHAREGPT] = { "ShareGPT chats (conversations)",
		    "ShareGPT chats with a label (conversations, label)" },
		[PEFT_SHAPE_ALPACA] = { "Alpaca (instruction, input, output)",
		    "Alpaca with a label (instruction, output, label)" },
		[PEFT_SHAPE_PROMPT] = { "prompt and completion",
		    "KTO (prompt, completion, label)" },
		[PEFT_SHAPE_TEXT] = { "texts (text)", NULL },
		[PEFT_SHAPE_SEGMENTS] = { "segments (label, text)", NULL },
		[PEFT_SHAPE_PAIR] = { "preferences (chosen, rejected)", NULL },
		[PEFT_SHAPE_OPENAI] = { "preferences as OpenAI has them "
		    "(preferred_output, non_preferred_output)", NULL },
		[PEFT_SHAPE_TOKENS] = { "token records (input_ids)", NULL },
		[PEFT_SHAPE_WORDS] = { "words with classes (tokens, "
		    "ner_tags)", NULL },
	};
	int base = shape & 15;

	if (shape == (PEFT_SHAPE_PROMPT | PEFT_SHAPE_LISTS))
		return "prompt and completion in messages";
	if (shape == (PEFT_SHAPE_PROMPT | PEFT_SHAPE_LISTS |
	    PEFT_SHAPE_LABEL))
		return "KTO in messages (prompt, completion, label)";
	if (shape == (PEFT_SHAPE_PAIR | PEFT_SHAPE_LISTS))
		return "preferences in messages (chosen, rejected)";
	return names[base][(shape & PEFT_SHAPE_LABEL) != 0];
}

int
peft_shape_same(int shape, int want, struct peft_err *err)
{
	if (want == PEFT_SHAPE_NONE || shape == PEFT_SHAPE_NONE ||
	    shape == want)
		return 0;
	return peft_seterr(err, "records are mixed: this one is of %s, the "
	    "first of %s", peft_shape_name(shape), peft_shape_name(want));
}

int
peft_shape_carry(cJSON *dst, const cJSON *j, struct peft_err *err)
{
	static const char *const keys[] = { "id", "weight", "adapter",
	    "choices", "answer", "documents", NULL };
	const cJSON *v;
	cJSON *tools;
	size_t i;

	for (i = 0; keys[i] != NULL; i++)
		if ((v = peft_json_get(j, keys[i])) != NULL)
			peft_shape_ref(dst, keys[i], v);
	if ((v = peft_json_get(j, "kto_tag")) == NULL)
		v = peft_json_get(j, "label");
	if (v != NULL && !cJSON_IsNull(v))
		peft_shape_ref(dst, "label", v);
	v = peft_json_get(j, "tools");
	if (peft_shape_tools(v, &tools, err) == -1)
		return -1;
	if (tools != NULL)
		cJSON_AddItemToObject(dst, "tools", tools);
	else if (v != NULL)
		peft_shape_ref(dst, "tools", v);
	return 0;
}

/* A "system" beside the turns goes before them. */
int
peft_shape_system(cJSON *list, const cJSON *j, struct peft_err *err)
{
	const char *system = NULL;

	if (peft_json_str(j, "system", &system, err) == -1)
		return -1;
	if (system != NULL && system[0] != '\0')
		peft_shape_say(list, "system", system);
	return 0;
}

/* [[question, answer], ...] */
static int
put_history(cJSON *list, const cJSON *j, struct peft_err *err)
{
	const cJSON *history = peft_json_get(j, "history"), *e;

	cJSON_ArrayForEach(e, history) {
		const cJSON *q = e->child, *a = q == NULL ? NULL : q->next;

		if (!cJSON_IsArray(e) || !cJSON_IsString(q) ||
		    !cJSON_IsString(a) || a->next != NULL)
			return peft_seterr(err, "\"history\" is not a list of "
			    "pairs of strings");
		peft_shape_say(list, "user", q->valuestring);
		peft_shape_say(list, "assistant", a->valuestring);
	}
	return 0;
}

/* What an Alpaca record asks: instruction and input, a line each. */
int
peft_shape_question(cJSON *list, const cJSON *j, struct peft_err *err)
{
	const char *instruction = "", *input = "";
	struct peft_buf b = { 0 };

	if (peft_shape_system(list, j, err) == -1 || put_history(list, j,
	    err) == -1 || peft_json_str(j, "instruction", &instruction,
	    err) == -1 || peft_json_str(j, "input", &input, err) == -1)
		return -1;
	peft_buf_puts(&b, instruction);
	if (instruction[0] != '\0' && input[0] != '\0')
		peft_buf_putc(&b, '\n');
	peft_buf_puts(&b, input);
	if (b.failed)
		peft_seterr(err, "no memory for a record");
	else
		peft_shape_say(list, "user", b.data == NULL ? "" : b.data);
	peft_buf_free(&b);
	return b.failed ? -1 : 0;
}

static int
alpaca(cJSON *list, const cJSON *j, struct peft_err *err)
{
	const char *output = NULL;

	if (peft_shape_question(list, j, err) == -1 ||
	    peft_json_str(j, "output", &output, err) == -1)
		return -1;
	if (output == NULL)
		return peft_seterr(err, "\"output\" is missing");
	peft_shape_say(list, "assistant", output);
	return 0;
}

/* A prompt and a completion, as turns. */
static int
prompt(cJSON *list, const cJSON *j, struct peft_err *err)
{
	const cJSON *p = peft_json_get(j, "prompt");
	const cJSON *c = peft_json_get(j, "completion");

	if (peft_shape_system(list, j, err) == -1)
		return -1;
	if (cJSON_IsString(p))
		peft_shape_say(list, "user", p->valuestring);
	else if (peft_shape_turns(list, p, "prompt", true, err) == -1)
		return -1;
	if (cJSON_IsString(c))
		peft_shape_say(list, "assistant", c->valuestring);
	else if (c != NULL && peft_shape_turns(list, c, "completion", false,
	    err) == -1)
		return -1;
	return 0;
}

/* Everything that becomes one chat. */
static int
chat(const cJSON *j, int base, cJSON *own, struct peft_err *err)
{
	cJSON *list = cJSON_AddArrayToObject(own, "messages");

	switch (base) {
	case PEFT_SHAPE_ALPACA:
		return alpaca(list, j, err);
	case PEFT_SHAPE_PROMPT:
		return prompt(list, j, err);
	case PEFT_SHAPE_SHAREGPT:
		return peft_shape_system(list, j, err) == -1 ? -1 :
		    peft_shape_turns(list, peft_json_get(j, "conversations"),
		    "conversations", false, err);
	}
	return peft_shape_turns(list, peft_json_get(j, "messages"),
	    "messages", false, err);
}

static bool
is_simple(const cJSON *j, int shape, bool as_chat)
{
	const cJSON *tools = peft_json_get(j, "tools");

	switch (shape & 15) {
	case PEFT_SHAPE_MESSAGES:
		return peft_shape_turns_simple(peft_json_get(j,
		    "messages")) && (tools == NULL ||
		    (cJSON_IsArray(tools) && !has(tools->child, "name")));
	case PEFT_SHAPE_PROMPT:
		return (shape & PEFT_SHAPE_LISTS) == 0 && !as_chat;
	case PEFT_SHAPE_SHAREGPT:
	case PEFT_SHAPE_ALPACA:
	case PEFT_SHAPE_PAIR:
	case PEFT_SHAPE_OPENAI:
		return false;
	}
	return true;
}

static int
simplify(const cJSON *j, int shape, bool as_chat, cJSON *own,
    struct peft_err *err)
{
	cJSON *pair;
	int r;

	switch (shape & 15) {
	case PEFT_SHAPE_PAIR:
		return peft_shape_pair(own, j, as_chat, err);
	case PEFT_SHAPE_OPENAI:
		pair = peft_shape_openai_pair(j);
		r = peft_shape_pair(own, pair, as_chat, err);
		cJSON_Delete(pair);
		return r;
	}
	return chat(j, shape & 15, own, err) == -1 ? -1 :
	    peft_shape_carry(own, j, err);
}

int
peft_shape_simple(const cJSON *j, bool as_chat, cJSON **own,
    struct peft_err *err)
{
	int shape = peft_shape_of(j);

	*own = NULL;
	if (is_simple(j, shape, as_chat))
		return 0;
	*own = cJSON_CreateObject();
	if (simplify(j, shape, as_chat, *own, err) == 0)
		return 0;
	cJSON_Delete(*own);
	*own = NULL;
	return -1;
}
