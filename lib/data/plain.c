/* SPDX-License-Identifier: Apache-2.0 */
/* Records that no template renders. */

#include <string.h>

#include "data/plain.h"

void
peft_marked_free(struct peft_marked *t)
{
	peft_buf_free(&t->text);
	peft_buf_free(&t->mark);
	peft_spans_free(&t->spans);
}

static void
put(struct peft_marked *t, const char *s, int mark)
{
	size_t from = t->text.len, i;

	peft_buf_puts(&t->text, s);
	if (t->text.failed)
		return;
	t->text.len = from + peft_json_nuls(t->text.data + from,
	    t->text.len - from);
	for (i = from; i < t->text.len; i++)
		peft_buf_putc(&t->mark, mark);
}

/* Append the end token, unless who wrote the text has: the only place where
 * spelling it out means it. */
static void
put_eos(const struct peft_codec *c, struct peft_marked *t)
{
	size_t n = c->eos == NULL ? 0 : strlen(c->eos);

	if (n == 0 || t->text.failed || t->mark.failed)
		return;
	if (t->text.len >= n && memcmp(t->text.data + t->text.len - n, c->eos,
	    n) == 0)
		memset(t->mark.data + t->mark.len - n, 0, n);
	else
		put(t, c->eos, 0);
}

/* Supervised from `begin' to what is there. */
static int
supervise(struct peft_marked *t, size_t begin, struct peft_err *err)
{
	if (t->text.failed || t->mark.failed)
		return peft_seterr(err, "no memory for the text");
	return peft_spans_add(&t->spans, begin, t->text.len, err);
}

static int
segments(const cJSON *j, struct peft_marked *t, struct peft_err *err)
{
	const cJSON *list = peft_json_get(j, "segments"), *e;
	size_t n = 0, begin;

	if (!cJSON_IsArray(list) || list->child == NULL)
		return peft_seterr(err, "\"segments\" is not a list of "
		    "segments");
	cJSON_ArrayForEach(e, list) {
		const cJSON *text = peft_json_get(e, "text");
		const cJSON *label = peft_json_get(e, "label");

		n++;
		if (!cJSON_IsString(text) || !cJSON_IsBool(label))
			return peft_seterr(err, "segment %zu needs a \"text\" "
			    "and a \"label\" that is true or false", n);
		begin = t->text.len;
		put(t, text->valuestring, 0);
		if (cJSON_IsTrue(label) && supervise(t, begin, err) == -1)
			return -1;
	}
	return 0;
}

static int
needs(const cJSON *j, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const cJSON *e;

	cJSON_ArrayForEach(e, j)
		if (b.len < 200)
			peft_buf_printf(&b, "%s\"%.40s\"", b.len == 0 ? "" :
			    ", ", e->string);
	peft_seterr(err, "a record needs \"messages\", \"conversations\", "
	    "\"prompt\" (with \"completion\"), \"instruction\" (with "
	    "\"output\"), \"text\", \"segments\", \"tokens\", or "
	    "\"chosen\" and \"rejected\"; this one has %s", b.len > 0 ? b.data : "nothing");
	peft_buf_free(&b);
	return -1;
}

/* Words as a text. */
static int
words(const struct peft_codec *c, const cJSON *j, const struct peft_encopt *o,
    struct peft_marked *t, struct peft_err *err)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, peft_json_get(j, "tokens")) {
		if (!cJSON_IsString(e))
			return peft_seterr(err, "\"tokens\" is not a list of "
			    "words");
		put(t, t->text.len > 0 ? " " : "", 0);
		put(t, e->valuestring, !o->control);
	}
	if (o->prompt_only || peft_task_classes(o->task))
		return 0;
	put_eos(c, t);
	return supervise(t, 0, err);
}

int
peft_plain_read(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_marked *t, struct peft_err *err)
{
	const char *prompt = NULL, *completion = NULL, *text = NULL;
	size_t begin;

	if (peft_json_get(j, "segments") != NULL)
		return segments(j, t, err);
	if (peft_json_str(j, "prompt", &prompt, err) == -1 ||
	    peft_json_str(j, "completion", &completion, err) == -1)
		return -1;
	if (prompt == NULL && peft_json_str(j, "text", &text, err) == -1)
		return -1;
	if (prompt == NULL && text == NULL &&
	    cJSON_IsArray(peft_json_get(j, "tokens")))
		return words(c, j, o, t, err);
	if (prompt == NULL && text == NULL)
		return needs(j, err);
	put(t, prompt != NULL ? prompt : text, !o->control);
	if (o->prompt_only)
		return 0;
	if (peft_task_classes(o->task)) {	/* the text, and no end */
		put(t, completion != NULL ? completion : "", !o->control);
		return 0;
	}
	begin = prompt != NULL && o->supervise != PEFT_SUP_TEXT ?
	    t->text.len : 0;
	if (prompt != NULL) {
		if (completion == NULL && peft_json_get(j, "choices") == NULL)
			return peft_seterr(err, "\"prompt\" without "
			    "\"completion\"");
		if (completion == NULL)
			return 0;
		put(t, completion, !o->control);
	}
	put_eos(c, t);
	return supervise(t, begin, err);
}
