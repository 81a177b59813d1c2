/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in training data: what a record alone tells. */

#include <stdlib.h>
#include <string.h>

#include "data/lint-impl.h"
#include "data/shape.h"

static void
found(struct peft_look *k, enum peft_finding what, size_t message)
{
	if (!k->found[what])
		k->message[what] = message;
	k->found[what] = true;
}

static bool
is_blank(const char *s)
{
	return s[strspn(s, " \t\r\n")] == '\0';
}

/* The words of a message's content, which may be in parts. */
static void
add_content(struct peft_words *w, const cJSON *message)
{
	const cJSON *content = peft_json_get(message, "content"), *e, *text;

	if (cJSON_IsString(content))
		peft_words_add(w, content->valuestring);
	else
		cJSON_ArrayForEach(e, content)
			if (cJSON_IsString(text = peft_json_get(e, "text")))
				peft_words_add(w, text->valuestring);
}

static const char *
role_of(const cJSON *message)
{
	const cJSON *role = peft_json_get(message, "role");

	return cJSON_IsString(role) ? role->valuestring : "?";
}

/* All words but those of the system and, with prompt, of the last answer. */
static void
add_record(struct peft_words *w, const cJSON *j, bool prompt)
{
	static const char *const keys[] = { "prompt", "text", "completion",
	    NULL };
	const cJSON *e, *list = peft_json_get(j, "messages");
	size_t i;

	cJSON_ArrayForEach(e, list)
		if (strcmp(role_of(e), "system") != 0 && (!prompt ||
		    e->next != NULL || strcmp(role_of(e), "assistant") != 0))
			add_content(w, e);
	for (i = 0; list == NULL && keys[i] != NULL; i++)
		if (cJSON_IsString(e = peft_json_get(j, keys[i])) &&
		    !(prompt && i == 2))
			peft_words_add(w, e->valuestring);
	cJSON_ArrayForEach(e, peft_json_get(j, "segments"))
		if (cJSON_IsString(peft_json_get(e, "text")) && (!prompt ||
		    !cJSON_IsTrue(peft_json_get(e, "label"))))
			peft_words_add(w, peft_json_get(e,
			    "text")->valuestring);
}

uint64_t
peft_lint_prompt(const cJSON *j, struct peft_sketch *k)
{
	const cJSON *chosen = peft_json_get(j, "chosen");
	struct peft_words w = { .n = 0 };

	add_record(&w, chosen != NULL ? chosen : j, true);
	peft_words_sketch(&w, k);
	return w.n == 0 ? 0 : w.all;
}

static bool
follows(const char *role, const char *before)
{
	if (strcmp(role, "system") == 0)
		return before[0] == '\0';
	if (strcmp(role, "user") == 0)
		return strcmp(before, "user") != 0;
	if (strcmp(role, "assistant") == 0)
		return before[0] != '\0' && strcmp(before, "assistant") != 0 &&
		    strcmp(before, "system") != 0;
	if (strcmp(role, "tool") == 0)
		return strcmp(before, "assistant") == 0 ||
		    strcmp(before, "tool") == 0;
	return true;		/* a role that only the template knows */
}

/* One that a template may hand through, and most often a slip of the pen:
 * its text does not have the word. */
static bool
is_unknown(const struct peft_lint *l, const char *role)
{
	static const char *const usual[] = { "system", "user", "assistant",
	    "tool" };
	size_t i;

	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (strcmp(usual[i], role) == 0)
			return false;
	return l->codec->tmpl != NULL &&
	    !peft_template_mentions(l->codec->tmpl, role);
}

/* A system turn first if at all, then user and assistant in turn (tools
 * answer where they are called), the assistant last. */
static void
look_at_roles(const struct peft_lint *l, const cJSON *messages,
    struct peft_look *k)
{
	const char *before = "", *role = "";
	const cJSON *e, *v;
	size_t n = 0;

	cJSON_ArrayForEach(e, messages) {
		role = role_of(e);
		n++;
		if (!follows(role, before))
			found(k, PEFT_F_ORDER, n);
		if (is_unknown(l, role))
			found(k, PEFT_F_ROLE, n);
		v = peft_json_get(e, "content");
		if (strcmp(role, "assistant") == 0 &&
		    (v == NULL || cJSON_IsNull(v) || (cJSON_IsString(v) &&
		    is_blank(v->valuestring))) &&
		    peft_json_get(e, "tool_calls") == NULL)
			found(k, PEFT_F_EMPTY, n);
		before = role;
	}
	if (messages != NULL && strcmp(role, "assistant") != 0)
		found(k, PEFT_F_ORDER, n);
}

/* A special token's text within what a user wrote. */
static void
look_for_special(const struct peft_lint *l, const char *s, size_t message,
    struct peft_look *k)
{
	const struct peft_tokenizer *t = l->codec->tok;
	struct peft_tokens tokens = { 0 };
	struct peft_err err;
	size_t i;

	if (peft_codec_encode(l->codec, s, 0, &tokens, &err) == 0)
		for (i = 0; i < tokens.n; i++)
			if (peft_tokenizer_is_special(t, tokens.at[i].id) &&
			    tokens.at[i].id != peft_tokenizer_named(t, "unk"))
				found(k, PEFT_F_SPECIAL, message);
	peft_tokens_free(&tokens);
}

static void
look_at_content(const struct peft_lint *l, const cJSON *j,
    struct peft_look *k)
{
	static const char *const keys[] = { "prompt", "completion", "text",
	    NULL };
	const cJSON *e, *v, *list = peft_json_get(j, "messages");
	size_t n = 0, i;

	cJSON_ArrayForEach(e, list) {
		n++;
		if (cJSON_IsString(v = peft_json_get(e, "content")))
			look_for_special(l, v->valuestring, n, k);
	}
	for (i = 0; list == NULL && keys[i] != NULL; i++)
		if (cJSON_IsString(v = peft_json_get(j, keys[i])))
			look_for_special(l, v->valuestring, 0, k);
	v = peft_json_get(j, "completion");
	if (list == NULL && cJSON_IsString(v) && is_blank(v->valuestring))
		found(k, PEFT_F_EMPTY, 0);
}

/* The last supervised stretch holds an end token, white space at most
 * behind it. */
static void
look_at_end(const struct peft_lint *l, const struct peft_record *r,
    struct peft_look *k)
{
	int32_t eos = peft_tokenizer_named(l->codec->tok, "eos");
	size_t i = r->n;
	bool ended = eos < 0;

	while (i > 0 && r->labels[i - 1] == PEFT_IGNORE)
		i--;
	if (i == 0)
		return;
	for (; i > 0 && r->labels[i - 1] != PEFT_IGNORE; i--)
		ended |= r->labels[i - 1] == eos;
	if (!ended)
		found(k, PEFT_F_NOEND, 0);
}

static void
look_at_tokens(const struct peft_lint *l, const struct peft_record *r,
    struct peft_look *k)
{
	size_t i;

	k->tokens += r->n;
	k->supervised += r->supervised;
	k->unknown += r->unknown;
	k->straddled += r->straddled;
	k->length = r->n > k->length ? r->n : k->length;
	k->found[PEFT_F_LONG] |= l->max_length > 0 && r->n > l->max_length;
	k->found[PEFT_F_UNKNOWN] |= r->unknown > 0;
	if (r->nchoices == 0) {
		k->found[PEFT_F_UNSUPERVISED] |= r->supervised == 0;
		look_at_end(l, r, k);
	}
	for (i = 0; i < r->n; i++)
		k->ids = (k->ids ^ (uint64_t)(uint32_t)r->ids[i]) *
		    UINT64_C(0x9e3779b97f4a7c15) + 1;
	k->ids ^= k->ids >> 32;
}

/* One side of a pair, or all there is. */
static void
look_at_text(const struct peft_lint *l, const cJSON *j, struct peft_look *k,
    struct peft_words *w)
{
	look_at_roles(l, peft_json_get(j, "messages"), k);
	look_at_content(l, j, k);
	add_record(w, j, false);
}

void
peft_lint_look(const struct peft_lint *l, const cJSON *j,
    const struct peft_record *r, struct peft_look *k)
{
	struct peft_words w = { .n = 0 };
	struct peft_err ignored;
	cJSON *own = NULL;

	memset(k, 0, sizeof(*k));
	k->found[PEFT_F_BAD] = r == NULL;
	if (peft_shape_simple(j, false, &own, &ignored) == 0 && own != NULL)
		j = own;
	if (peft_json_get(j, "chosen") != NULL && own != NULL) {
		look_at_text(l, peft_json_get(j, "chosen"), k, &w);
		look_at_text(l, peft_json_get(j, "rejected"), k, &w);
	} else if (peft_shape_of(j) != PEFT_SHAPE_TOKENS)
		look_at_text(l, j, k, &w);
	k->prompt = peft_shape_of(j) == PEFT_SHAPE_TOKENS ? 0 :
	    peft_lint_prompt(j, &k->asked);
	peft_words_sketch(&w, &k->sketch);
	if (r != NULL) {
		k->counted = true;
		k->ids = 1;
		look_at_tokens(l, r, k);
		if (r->rejected != NULL)
			look_at_tokens(l, r->rejected, k);
	}
	cJSON_Delete(own);
}

int
peft_lint_info(const struct peft_lint *l, const cJSON *j, struct peft_look *k,
    struct peft_err *err)
{
	struct peft_tokens_info info = { .seen = false };
	const struct peft_tokens_info *own = &l->codec->info;
	int64_t end;

	memset(k, 0, sizeof(*k));
	if (peft_tokens_parse_info(j, &info, &end, err) == -1)
		return -1;
	k->found[PEFT_F_DRIFT] = info.seen &&
	    (strcmp(info.tokenizer, own->tokenizer) != 0 ||
	    strcmp(info.tmpl, own->tmpl) != 0);
	return 0;
}
