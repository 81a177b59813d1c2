/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in training data. */

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/lint.h"

const char *const peft_finding_text[PEFT_NFINDING] = {
	[PEFT_F_UNSUPERVISED] = "nothing is supervised",
	[PEFT_F_NOEND] = "the answer does not end with an end token",
	[PEFT_F_LONG] = "longer than the limit",
	[PEFT_F_DUPLICATE] = "the same as an earlier record",
	[PEFT_F_LEAK] = "its prompt is in the test set",
	[PEFT_F_EMPTY] = "an assistant turn is empty",
	[PEFT_F_ORDER] = "roles are out of order",
	[PEFT_F_SPECIAL] = "special tokens are spelt out in the content",
	[PEFT_F_BAD] = "cannot be encoded",
};

/* Remember n bytes by their hash: 1 new, 0 seen before, -1. */
static int
remember(struct peft_lint *l, struct peft_map *map, const void *p, size_t n,
    struct peft_err *err)
{
	char hex[PEFT_SHA256_HEX], **grown, *copy;
	int r;

	peft_sha256_of(p, n, hex);
	if (peft_map_find(map, hex, 32) != NULL)
		return 0;
	grown = peft_grow(l->keys, l->nkeys, &l->capkeys, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	l->keys = grown;
	if ((copy = peft_strdup(hex, err)) == NULL)
		return -1;
	l->keys[l->nkeys++] = copy;
	r = peft_map_add(map, copy, 32, 0, err);
	return r;
}

/* All but the last assistant turn, or the prompt: what the model is asked. */
static void
put_prompt(const cJSON *j, struct peft_buf *b)
{
	const cJSON *m = peft_json_get(j, "messages"), *e, *role;
	size_t n = (size_t)cJSON_GetArraySize(m);

	if (m == NULL) {
		e = peft_json_get(j, "prompt");
		if (e == NULL)
			e = peft_json_get(j, "text");
		if (e != NULL)
			peft_json_print(b, e, 0, false);
		return;
	}
	cJSON_ArrayForEach(e, m) {
		role = peft_json_get(e, "role");
		if (n-- > 1 || !cJSON_IsString(role) ||
		    strcmp(role->valuestring, "assistant") != 0)
			peft_json_print(b, e, 0, true);
	}
}

int
peft_lint_test(struct peft_lint *l, const cJSON *j, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r;

	put_prompt(j, &b);
	r = b.len == 0 ? 0 : remember(l, &l->test, b.data, b.len, err);
	peft_buf_free(&b);
	return r == -1 ? -1 : 0;
}

static int
look_for_leak(struct peft_lint *l, const cJSON *j, bool *found)
{
	char hex[PEFT_SHA256_HEX];
	struct peft_buf b = { 0 };

	put_prompt(j, &b);
	if (b.len > 0) {
		peft_sha256_of(b.data, b.len, hex);
		found[PEFT_F_LEAK] = peft_map_find(&l->test, hex, 32) != NULL;
	}
	peft_buf_free(&b);
	return 0;
}

/* A system turn first if at all, then user and assistant in turn (tools
 * answer where they are called), the assistant last. */
static void
look_at_roles(const cJSON *messages, bool *found)
{
	const char *before = "", *role = "";
	const cJSON *e, *v;

	cJSON_ArrayForEach(e, messages) {
		v = peft_json_get(e, "role");
		role = cJSON_IsString(v) ? v->valuestring : "?";
		if ((strcmp(role, "system") == 0 && before[0] != '\0') ||
		    (strcmp(role, "user") == 0 &&
		    strcmp(before, "user") == 0) ||
		    (strcmp(role, "assistant") == 0 &&
		    (strcmp(before, "assistant") == 0 ||
		    strcmp(before, "system") == 0 || before[0] == '\0')))
			found[PEFT_F_ORDER] = true;
		v = peft_json_get(e, "content");
		if (strcmp(role, "assistant") == 0 && cJSON_IsString(v) &&
		    v->valuestring[strspn(v->valuestring, " \t\r\n")] ==
		    '\0' && peft_json_get(e, "tool_calls") == NULL)
			found[PEFT_F_EMPTY] = true;
		before = role;
	}
	if (messages != NULL && strcmp(role, "assistant") != 0)
		found[PEFT_F_ORDER] = true;
}

/* A special token's text within what a user wrote. */
static void
look_for_special(const struct peft_lint *l, const char *s, bool *found)
{
	const struct peft_tokenizer *t = l->codec->tok;
	struct peft_tokens tokens = { 0 };
	struct peft_err err;
	size_t i;

	if (peft_tokenizer_encode(t, s, strlen(s), 0, &tokens, &err) == 0)
		for (i = 0; i < tokens.n; i++)
			if (peft_tokenizer_is_special(t, tokens.at[i].id))
				found[PEFT_F_SPECIAL] = true;
	peft_tokens_free(&tokens);
}

static void
look_at_content(const struct peft_lint *l, const cJSON *j, bool *found)
{
	const cJSON *e, *v;

	cJSON_ArrayForEach(e, peft_json_get(j, "messages"))
		if (cJSON_IsString(v = peft_json_get(e, "content")))
			look_for_special(l, v->valuestring, found);
	cJSON_ArrayForEach(e, j)
		if (cJSON_IsString(e) && (strcmp(e->string, "prompt") == 0 ||
		    strcmp(e->string, "completion") == 0 ||
		    strcmp(e->string, "text") == 0))
			look_for_special(l, e->valuestring, found);
}

/* The last supervised stretch holds an end token, white space at most
 * behind it. */
static void
look_at_end(const struct peft_lint *l, const struct peft_record *r,
    bool *found)
{
	int32_t eos = peft_tokenizer_named(l->codec->tok, "eos");
	size_t i = r->n;

	while (i > 0 && r->labels[i - 1] == PEFT_IGNORE)
		i--;
	for (found[PEFT_F_NOEND] = i > 0 && eos >= 0; i > 0 &&
	    r->labels[i - 1] != PEFT_IGNORE; i--)
		if (r->labels[i - 1] == eos)
			found[PEFT_F_NOEND] = false;
}

int
peft_lint_record(struct peft_lint *l, const cJSON *j,
    const struct peft_record *r, bool found[PEFT_NFINDING],
    struct peft_err *err)
{
	int i, s;

	memset(found, 0, PEFT_NFINDING * sizeof(*found));
	l->records++;
	look_at_roles(peft_json_get(j, "messages"), found);
	look_at_content(l, j, found);
	look_for_leak(l, j, found);
	if (r == NULL)
		found[PEFT_F_BAD] = true;
	else {
		l->tokens += r->n;
		l->supervised += r->supervised;
		found[PEFT_F_LONG] = l->max_length > 0 &&
		    r->n > l->max_length;
		if (r->nchoices == 0) {
			found[PEFT_F_UNSUPERVISED] = r->supervised == 0;
			look_at_end(l, r, found);
		}
		s = remember(l, &l->seen, r->ids, r->n * sizeof(*r->ids), err);
		if (s == -1)
			return -1;
		found[PEFT_F_DUPLICATE] = s == 0;
	}
	for (i = 0; i < PEFT_NFINDING; i++)
		l->count[i] += found[i];
	return 0;
}

size_t
peft_lint_total(const struct peft_lint *l)
{
	size_t n = 0;
	int i;

	for (i = 0; i < PEFT_NFINDING; i++)
		n += l->count[i];
	return n;
}

void
peft_lint_free(struct peft_lint *l)
{
	size_t i;

	for (i = 0; i < l->nkeys; i++)
		free(l->keys[i]);
	free(l->keys);
	peft_map_free(&l->seen);
	peft_map_free(&l->test);
}
