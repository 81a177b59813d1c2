/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat templates: a template, a line "=== vars ===", and the variables as
 * JSON.  What is rendered is UTF-8, has a mark for each byte and spans
 * within it, and is the same behind a text that was there before.  Renderings
 * of the first messages that were found on the way are what these alone give.
 */

#include "input.h"
#include "text/template.h"

static void
check_text(const struct peft_buf *out, size_t from)
{
	size_t i, n;

	for (i = from; i < out->len; i += n) {
		n = peft_utf8_len(out->data + i, out->len - i);
		FUZZ_CLAIM(n > 0);
	}
}

static void
check_marks(const struct peft_buf *out, const struct peft_buf *mark,
    const struct peft_spans *gen)
{
	size_t i;

	FUZZ_CLAIM(mark->len == out->len);
	for (i = 0; i < mark->len; i++)
		FUZZ_CLAIM(mark->data[i] == 0 || mark->data[i] == 1);
	for (i = 0; i < gen->n; i++)
		FUZZ_CLAIM(gen->at[i].begin < gen->at[i].end &&
		    gen->at[i].end <= out->len && (i == 0 ||
		    gen->at[i - 1].end < gen->at[i].begin));
}

static void
render(const struct peft_template *t, const cJSON *vars)
{
	struct peft_buf out = { 0 }, again = { 0 }, mark = { 0 };
	struct peft_spans gen = { 0 };
	struct peft_err err = { 0 };
	int r = peft_template_render(t, vars, &out, &mark, &gen, NULL, &err), s;

	if (r == 0) {
		check_text(&out, 0);
		check_marks(&out, &mark, &gen);
		FUZZ_CLAIM(gen.n == 0 || peft_template_generates(t));
	}
	peft_buf_puts(&again, "before ");
	s = peft_template_render(t, vars, &again, NULL, NULL, NULL, &err);
	FUZZ_CLAIM(r == s);
	FUZZ_CLAIM(r == -1 || (again.len == out.len + 7 && (out.len == 0 ||
	    memcmp(again.data + 7, out.data, out.len) == 0)));
	peft_spans_free(&gen);
	peft_buf_free(&mark);
	peft_buf_free(&again);
	peft_buf_free(&out);
}

/* The first n messages alone: is that so much of the whole? */
static void
check_prefix(const struct peft_template *t, const cJSON *vars,
    const struct peft_prefix *p, const struct peft_buf *whole)
{
	cJSON *some = cJSON_Duplicate(vars, true), *messages;
	struct peft_buf out = { 0 };
	struct peft_err err = { 0 };
	int r;

	messages = cJSON_GetObjectItemCaseSensitive(some, "messages");
	while ((size_t)cJSON_GetArraySize(messages) > p->n)
		cJSON_DeleteItemFromArray(messages, (int)p->n);
	cJSON_ReplaceItemInObjectCaseSensitive(some, "add_generation_prompt",
	    cJSON_CreateBool(p->gen));
	r = peft_template_render(t, some, &out, NULL, NULL, NULL, &err);
	FUZZ_CLAIM(r == 0 && out.len == p->len && whole->len >= p->len + 7);
	FUZZ_CLAIM(out.len == 0 || memcmp(out.data, whole->data + 7,
	    out.len) == 0);
	peft_buf_free(&out);
	cJSON_Delete(some);
}

static void
render_prefixes(const struct peft_template *t, cJSON *vars)
{
	const cJSON *messages = peft_json_get(vars, "messages");
	struct peft_prefix at[16];
	struct peft_prefixes prefixes = { at, 0 };
	struct peft_buf out = { 0 };
	struct peft_err err = { 0 };
	size_t n = (size_t)cJSON_GetArraySize(messages), i;

	if (!cJSON_IsArray(messages) || n > 8)
		return;
	if (peft_json_get(vars, "add_generation_prompt") == NULL)
		cJSON_AddFalseToObject(vars, "add_generation_prompt");
	for (i = 0; i < 2 * n; i++)
		at[prefixes.n++] = (struct peft_prefix){ .n = i / 2 + 1,
		    .gen = i % 2 != 0 };
	peft_buf_puts(&out, "before ");
	if (peft_template_render(t, vars, &out, NULL, NULL, &prefixes,
	    &err) == 0)
		for (i = 0; i < prefixes.n; i++)
			if (at[i].len != SIZE_MAX)
				check_prefix(t, vars, &at[i], &out);
	peft_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size, "\n=== vars ===\n");
	struct peft_err err = { 0 };
	struct peft_template *t;
	cJSON *vars;

	t = peft_template_open(p.first, p.nfirst, &err);
	vars = p.second == NULL ? cJSON_CreateObject() :
	    peft_json(p.second, p.nsecond, &err);
	if (t != NULL && cJSON_IsObject(vars)) {
		/* not the clock's, which goes on */
		if (peft_json_get(vars, PEFT_TEMPLATE_NOW) == NULL)
			cJSON_AddNumberToObject(vars, PEFT_TEMPLATE_NOW, 1e9);
		render(t, vars);
		render_prefixes(t, vars);
	}
	peft_template_close(t);
	cJSON_Delete(vars);
	return 0;
}
