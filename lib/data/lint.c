/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in training data. */

#include <stdlib.h>
#include <string.h>

#include "data/lint.h"
#include "data/shape.h"

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

/* Remember a hash: 1 new, 0 seen before, -1. */
static int
remember(struct peft_lint *l, struct peft_map *map, const char *hex,
    struct peft_err *err)
{
	char **grown, *copy;

	if (peft_map_find(map, hex, 32) != NULL)
		return 0;
	grown = peft_grow(l->keys, l->nkeys, &l->capkeys, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	l->keys = grown;
	if ((copy = peft_strdup(hex, err)) == NULL)
		return -1;
	l->keys[l->nkeys++] = copy;
	return peft_map_add(map, copy, 32, 0, err);
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

/* The hash of what is asked; "" if nothing is. */
static void
hash_prompt(const cJSON *j, char hex[PEFT_SHA256_HEX])
{
	struct peft_buf b = { 0 };

	put_prompt(j, &b);
	hex[0] = '\0';
	if (b.len > 0)
		peft_sha256_of(b.data, b.len, hex);
	peft_buf_free(&b);
}

int
peft_lint_test(struct peft_lint *l, const cJSON *j, struct peft_err *err)
{
	char hex[PEFT_SHA256_HEX];
	cJSON *own;

	if (peft_shape_simple(j, false, &own, err) == -1)
		return -1;
	hash_prompt(own != NULL ? own : j, hex);
	cJSON_Delete(own);
	return hex[0] == '\0' ? 0 : remember(l, &l->test, hex, err) == -1 ?
	    -1 : 0;
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

static void
look_at_tokens(const struct peft_lint *l, const struct peft_record *r,
    struct peft_look *k)
{
	k->tokens = r->n;
	k->supervised = r->supervised;
	k->found[PEFT_F_LONG] = l->max_length > 0 && r->n > l->max_length;
	if (r->rejected != NULL) {
		k->tokens += r->rejected->n;
		k->supervised += r->rejected->supervised;
		k->found[PEFT_F_LONG] |= l->max_length > 0 &&
		    r->rejected->n > l->max_length;
	}
	if (r->nchoices == 0) {
		k->found[PEFT_F_UNSUPERVISED] = r->supervised == 0;
		look_at_end(l, r, k->found);
	}
	peft_sha256_of(r->ids, r->n * sizeof(*r->ids), k->ids);
}

void
peft_lint_look(const struct peft_lint *l, const cJSON *j,
    const struct peft_record *r, struct peft_look *k)
{
	struct peft_err ignored;
	cJSON *own = NULL;

	memset(k, 0, sizeof(*k));
	if (peft_shape_simple(j, false, &own, &ignored) == 0 && own != NULL)
		j = own;
	look_at_roles(peft_json_get(j, "messages"), k->found);
	look_at_content(l, j, k->found);
	hash_prompt(j, k->prompt);
	k->found[PEFT_F_BAD] = r == NULL;
	if (r != NULL)
		look_at_tokens(l, r, k);
	cJSON_Delete(own);
}

int
peft_lint_add(struct peft_lint *l, struct peft_look *k, struct peft_err *err)
{
	int i, s;

	l->records++;
	l->tokens += k->tokens;
	l->supervised += k->supervised;
	if (k->ids[0] != '\0') {
		if ((s = remember(l, &l->seen, k->ids, err)) == -1)
			return -1;
		k->found[PEFT_F_DUPLICATE] = s == 0;
	}
	if (k->prompt[0] != '\0')
		k->found[PEFT_F_LEAK] = peft_map_find(&l->test, k->prompt,
		    32) != NULL;
	for (i = 0; i < PEFT_NFINDING; i++)
		l->count[i] += k->found[i];
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
