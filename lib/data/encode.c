/* SPDX-License-Identifier: Apache-2.0 */
/* From what people write to token records. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/chat.h"
#include "data/encode-impl.h"
#include "data/plain.h"
#include "data/shape.h"

/*
 * Tokens whose bytes begin within a supervised span.  One that begins before
 * it and reaches into it is a token that no prompt ends before: it is not
 * learnt, unless the template marked the span, for then it is as transformers
 * has it.
 */
static void
label(const struct peft_tokens *tokens, const struct peft_marked *t,
    struct peft_record *r)
{
	const struct peft_spans *spans = &t->spans;
	size_t i, k = 0;

	for (i = 0; i < tokens->n; i++) {
		const struct peft_token *tok = &tokens->at[i];

		r->ids[i] = tok->id;
		r->labels[i] = PEFT_IGNORE;
		while (k < spans->n && spans->at[k].end <= tok->begin)
			k++;
		r->straddled += k < spans->n && tok->begin <
		    spans->at[k].begin && tok->end > spans->at[k].begin;
		if (k < spans->n && tok->begin < tok->end &&
		    (t->reach ? tok->end : tok->begin + (size_t)1) >
		    spans->at[k].begin) {
			r->labels[i] = tok->id;
			r->supervised += i > 0;
		}
	}
}

static void
count_unknown(const struct peft_codec *c, const struct peft_tokens *tokens,
    struct peft_record *r)
{
	int32_t unk = peft_tokenizer_named(c->tok, "unk");
	size_t i;

	r->unknown = tokens->lost;
	for (i = 0; unk >= 0 && i < tokens->n; i++)
		if (tokens->at[i].id == unk)
			r->unknown += tokens->at[i].end - tokens->at[i].begin;
}

/* Never two at the start: a template writes its own. */
static int
check_bos(const struct peft_codec *c, const struct peft_record *r,
    struct peft_err *err)
{
	int32_t bos = peft_tokenizer_named(c->tok, "bos");

	if (bos >= 0 && r->n > 1 && r->ids[0] == bos && r->ids[1] == bos)
		return peft_seterr(err, "the text begins with two %s",
		    c->bos);
	return 0;
}

static int
tokenise(const struct peft_codec *c, const struct peft_marked *t, int flags,
    struct peft_record *r, struct peft_err *err)
{
	struct peft_tokens tokens = { 0 };
	int s;

	if (t->text.failed || t->mark.failed)
		return peft_seterr(err, "no memory for the text");
	s = peft_tokenizer_encode_marked(c->tok, t->text.data == NULL ? "" :
	    t->text.data, t->text.len, t->mark.data, flags, &tokens, err);
	if (s == 0) {
		r->n = tokens.n;
		r->ids = peft_calloc(r->n + 1, sizeof(*r->ids), err);
		r->labels = peft_calloc(r->n + 1, sizeof(*r->labels), err);
		s = r->ids == NULL || r->labels == NULL ? -1 : 0;
	}
	if (s == 0) {
		count_unknown(c, &tokens, r);
		label(&tokens, t, r);
		s = check_bos(c, r, err);
	}
	peft_tokens_free(&tokens);
	return s;
}

/* Wanted or not, where that is no class. */
static void
read_label(const cJSON *j, struct peft_record *r)
{
	const cJSON *label = peft_json_get(j, "label");

	if (!cJSON_IsBool(label))
		label = peft_json_get(j, "kto_tag");
	if (cJSON_IsBool(label))
		r->label = cJSON_IsTrue(label) ? PEFT_WANTED : PEFT_UNWANTED;
}

int
peft_record_id(const cJSON *j, char **id, struct peft_err *err)
{
	const cJSON *v = peft_json_get(j, "id");
	const char *s = NULL;
	char number[32];

	*id = NULL;
	if (cJSON_IsNumber(v)) {	/* as it is spelt, if that says more */
		snprintf(number, sizeof(number), "%.15g", v->valuedouble);
		s = v->valuestring != NULL ? v->valuestring : number;
	} else if (peft_json_str(j, "id", &s, err) == -1)
		return -1;
	return s != NULL && (*id = peft_strdup(s, err)) == NULL ? -1 : 0;
}

/* What a record carries along. */
static int
extras(const cJSON *j, bool classes, struct peft_record *r,
    struct peft_err *err)
{
	const char *adapter = NULL;
	int64_t task = -1;

	r->weight = 1;
	if (peft_record_id(j, &r->id, err) == -1 ||
	    peft_json_real(j, "weight", &r->weight, err) == -1 ||
	    peft_json_int(j, "task_id", 0, 1 << 20, &task, err) == -1 ||
	    peft_json_str(j, "adapter", &adapter, err) == -1)
		return -1;
	r->task = (int)task;
	if (!(r->weight >= 0))
		return peft_seterr(err, "\"weight\" is below 0");
	if (peft_json_get(j, "text") == NULL && !classes)
		read_label(j, r);
	if (adapter != NULL && (r->adapter = peft_strdup(adapter,
	    err)) == NULL)
		return -1;
	return 0;
}

static bool
begins_with(const struct peft_buf *b, const char *s)
{
	size_t n = s == NULL ? 0 : strlen(s);

	return n > 0 && b->len >= n && memcmp(b->data, s, n) == 0;
}

/* Fill t from a simple record; *flags for the tokenizer. */
static int
read_text(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_marked *t, int *flags,
    struct peft_err *err)
{
	struct peft_encopt opt = *o;

	const cJSON *m = peft_json_get(j, "messages");

	if (m != NULL && !cJSON_IsNull(m)) {
		*flags = 0;
		opt.prompt_only |= peft_json_get(j, "choices") != NULL;
		t->reach = c->tmpl != NULL && peft_template_generates(c->tmpl);
		return peft_chat_render(c, j, &opt, &t->text, &t->mark,
		    &t->spans, err);
	}
	if (peft_plain_read(c, j, &opt, t, err) == -1)
		return -1;
	/* a BOS that was written is not put once more */
	*flags = peft_json_get(j, "segments") != NULL || (o->control &&
	    begins_with(&t->text, c->bos)) ? 0 : PEFT_TOK_SPECIAL;
	return 0;
}

static int
encode(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_record *r, struct peft_err *err)
{
	enum peft_task task = peft_encode_task(j, o);
	bool classes = peft_task_classes(task);
	struct peft_marked t = { .text = { 0 } };
	struct peft_encopt opt = *o;
	int flags, s;

	opt.unmasked |= classes;
	opt.task = task;
	if (task == PEFT_TASK_TOKEN_CLS)
		s = peft_encode_words(c, j, &opt, r, err);
	else if ((s = read_text(c, j, &opt, &t, &flags, err)) == 0)
		s = tokenise(c, &t, flags, r, err);
	if (s == 0 && task == PEFT_TASK_SEQ_CLS)
		s = peft_encode_class(j, &opt, r, err);
	if (s == 0 && r->n == 0)
		s = peft_seterr(err, "there is no text: it has no tokens");
	if (s == 0 && !o->prompt_only && !classes)
		s = peft_encode_choices(c, j, peft_json_get(j, "messages") != NULL, r,
		    err);
	if (s == 0)
		s = extras(j, classes, r, err);
	peft_marked_free(&t);
	return s;
}

int
peft_encode_turns(const cJSON *j, const struct peft_encopt *o, size_t *n,
    struct peft_err *err)
{
	const cJSON *messages;
	cJSON *own;
	int s = 0;

	*n = 0;
	if (peft_shape_simple(j, o->as_chat, &own, err) == -1)
		return -1;
	messages = peft_json_get(own != NULL ? own : j, "messages");
	if (messages != NULL && !cJSON_IsNull(messages) &&
	    peft_json_get(j, "choices") == NULL &&
	    peft_encode_task(j, o) == PEFT_TASK_CAUSAL_LM)
		s = peft_chat_turns(messages, o, n, err) == -1 ? -1 : 1;
	cJSON_Delete(own);
	return s;
}

static int
encode_pair(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_record *r, struct peft_err *err)
{
	struct peft_record *q = peft_calloc(1, sizeof(*q), err);
	struct peft_encopt opt = *o;

	opt.task = PEFT_TASK_CAUSAL_LM;
	if ((r->rejected = q) == NULL)
		return -1;
	if (encode(c, peft_json_get(j, "chosen"), &opt, r, err) == -1)
		return peft_errprefix(err, "\"chosen\"");
	if (encode(c, peft_json_get(j, "rejected"), &opt, q, err) == -1)
		return peft_errprefix(err, "\"rejected\"");
	if (r->supervised == 0 || q->supervised == 0)
		return peft_seterr(err, "\"%s\" has no supervised token",
		    r->supervised == 0 ? "chosen" : "rejected");
	if (r->n == q->n && memcmp(r->ids, q->ids, r->n *
	    sizeof(*r->ids)) == 0)
		return peft_seterr(err, "\"chosen\" and \"rejected\" are the "
		    "same");
	return 0;
}

int
peft_encode_record(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_record *r, struct peft_err *err)
{
	cJSON *own;
	int s;

	memset(r, 0, sizeof(*r));
	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_shape_simple(j, o->as_chat, &own, err) == -1)
		return -1;
	if (own != NULL && peft_json_get(own, "chosen") != NULL)
		s = o->prompt_only ? encode(c, peft_json_get(own, "chosen"),
		    o, r, err) : encode_pair(c, own, o, r, err);
	else
		s = encode(c, own != NULL ? own : j, o, r, err);
	cJSON_Delete(own);
	if (s == -1)
		peft_record_free(r);
	return s;
}

static int
render(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_buf *out, struct peft_err *err)
{
	struct peft_marked t = { .text = { 0 } };
	struct peft_encopt opt = *o;
	int flags, s;

	opt.unmasked = true;
	s = read_text(c, j, &opt, &t, &flags, err);
	if (s == 0)
		peft_buf_put(out, t.text.data, t.text.len);
	peft_marked_free(&t);
	return s;
}

static int
render_pair(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_buf *out, struct peft_err *err)
{
	if (render(c, peft_json_get(j, "chosen"), o, out, err) == -1)
		return -1;
	return o->prompt_only ? 0 : render(c, peft_json_get(j, "rejected"), o,
	    out, err);
}

int
peft_render_record(const struct peft_codec *c, const cJSON *j,
    const struct peft_encopt *o, struct peft_buf *out, struct peft_err *err)
{
	cJSON *own;
	int s;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_shape_simple(j, o->as_chat, &own, err) == -1)
		return -1;
	if (own != NULL && peft_json_get(own, "chosen") != NULL)
		s = render_pair(c, own, o, out, err);
	else
		s = render(c, own != NULL ? own : j, o, out, err);
	cJSON_Delete(own);
	return s;
}
