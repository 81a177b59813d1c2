/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: from the command line and from records, as they come. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "eval/prompts.h"

int
peft_prompts_open(struct peft_prompts *p, struct peft_session *ses,
    const struct peft_promptopt *o, struct peft_err *err)
{
	*p = (struct peft_prompts){ .ses = ses, .opt = o };
	if (ses->codec.tok == NULL)
		return peft_seterr(err, "%s: no tokenizer, so that prompts "
		    "cannot be read: %s", peft_source_label(ses->source),
		    peft_codec_missing(ses->source));
	return 0;
}

void
peft_prompts_close(struct peft_prompts *p)
{
	peft_in_close(p->in);
	cJSON_Delete(p->held);
}

/* Token records know one adapter by name: several are this layer's. */
static int
encode(const struct peft_codec *codec, cJSON *j, struct peft_record *r,
    struct peft_err *err)
{
	const struct peft_encopt enc = { .prompt_only = true };
	cJSON *several = cJSON_GetObjectItemCaseSensitive(j, "adapter");
	int status;

	if (cJSON_IsArray(several) || cJSON_IsObject(several))
		cJSON_DetachItemViaPointer(j, several);
	else
		several = NULL;
	status = peft_encode_record(codec, j, &enc, r, err);
	if (several != NULL)
		cJSON_AddItemToObject(j, "adapter", several);
	return status;
}

static int
prompt_of(struct peft_prompts *p, cJSON *j, bool idle,
    struct peft_prompt *q, bool *changed, struct peft_err *err)
{
	int64_t max = (int64_t)p->opt->max_tokens;
	struct peft_session *ses = p->ses;
	int r;

	memset(q, 0, sizeof(*q));
	if (peft_json_int(j, "max_tokens", 1, 1 << 20, &max, err) == -1 ||
	    encode(&ses->codec, j, &q->record, err) == -1)
		return -1;
	q->max = (size_t)max;
	if (peft_codec_fits(&ses->codec, &q->record,
	    peft_net_config(ses->net)->vocab, err) == -1)
		r = -1;
	else if (q->record.n == 0)
		r = peft_seterr(err, "the prompt is empty");
	else
		r = peft_prompt_adapters(j, ses, idle, q, changed, err);
	if (r == 1)
		return PEFT_REQUEST;
	peft_record_free(&q->record);
	return r == 0 ? PEFT_FINISH_FIRST : -1;
}

static void
put_message(struct peft_buf *b, const char *role, const char *text)
{
	peft_buf_printf(b, "{\"role\":\"%s\",\"content\":", role);
	peft_json_putstr(b, text, strlen(text));
	peft_buf_putc(b, '}');
}

/* -p as the record it stands for. */
static cJSON *
option(const struct peft_prompts *p, struct peft_err *err)
{
	const struct peft_promptopt *o = p->opt;
	struct peft_buf b = { 0 };
	cJSON *j = NULL;

	if (o->raw || p->ses->codec.tmpl == NULL) {
		if (o->system != NULL) {
			peft_seterr(err, "--system needs a chat template, and "
			    "the model has none");
			return NULL;
		}
		peft_buf_puts(&b, "{\"prompt\":");
		peft_json_putstr(&b, o->prompt, strlen(o->prompt));
		peft_buf_putc(&b, '}');
	} else {
		peft_buf_puts(&b, "{\"messages\":[");
		if (o->system != NULL) {
			put_message(&b, "system", o->system);
			peft_buf_putc(&b, ',');
		}
		put_message(&b, "user", o->prompt);
		peft_buf_puts(&b, "]}");
	}
	if (b.failed)
		peft_seterr(err, "no memory for the prompt");
	else
		j = peft_json(b.data, b.len, err);
	peft_buf_free(&b);
	return j;
}

static void
tell(void *ctx, const char *name, const char *what)
{
	(void)ctx;
	peft_warn("adapter %s: %s; what was there before stays", name, what);
}

static void
reload(struct peft_prompts *p, bool *changed)
{
	double t = peft_now();
	size_t n = peft_session_reload(p->ses, tell, NULL);

	*changed |= n > 0;
	peft_warn("adapters read again: %zu changed, %.1f ms", n,
	    (peft_now() - t) * 1e3);
}

/* *err is about the record that was read last. */
static int
bad(const struct peft_prompts *p, struct peft_err *err)
{
	if (p->in != NULL)
		peft_errprefix(err, "%s:%zu", peft_in_label(p->in),
		    peft_in_lineno(p->in));
	return PEFT_BAD_RECORD;
}

/* Has somebody asked for it with a signal? */
static bool
is_asked(const struct peft_prompts *p)
{
	char note[256];

	return p->opt->reload >= 0 && read(p->opt->reload, note,
	    sizeof(note)) > 0;
}

/* {"control":...}: 1 it is one, and done; 0; -1. */
static int
control(struct peft_prompts *p, const cJSON *j, bool *changed,
    struct peft_err *err)
{
	const char *what = NULL;

	if (peft_json_get(j, "control") == NULL)
		return 0;
	if (peft_json_str(j, "control", &what, err) == -1)
		return -1;
	if (strcmp(what, "reload") != 0)
		return peft_seterr(err, "no control is called '%s': only "
		    "reload", what);
	if (p->ses->folder == NULL)
		return peft_seterr(err, "control: reload needs --adapters");
	reload(p, changed);
	return 1;
}

static int
read_record(struct peft_prompts *p, cJSON *j, bool idle,
    struct peft_prompt *q, bool *changed, struct peft_err *err)
{
	struct peft_err none = { 0 };
	int r;

	if (!idle && peft_json_get(j, "control") != NULL)
		r = PEFT_FINISH_FIRST;
	else if ((r = control(p, j, changed, err)) == 1)
		r = PEFT_NOT_YET;
	else if (r == 0)
		r = prompt_of(p, j, idle, q, changed, err);
	if (r == -1) {
		memset(q, 0, sizeof(*q));
		(void)peft_record_id(j, &q->record.id, &none);
	}
	if (r == PEFT_FINISH_FIRST)
		p->held = j;
	else
		cJSON_Delete(j);
	return r == -1 ? bad(p, err) : r;
}

/* The next line of all files: 1, *j; PEFT_NO_MORE and PEFT_NOT_YET. */
static int
next_line(struct peft_prompts *p, bool idle, cJSON **j, struct peft_err *err)
{
	size_t n = p->opt->npaths, len;
	char *line;
	int r;

	for (;;) {
		if (p->in == NULL && p->at == (n == 0 ? 1 : n))
			return PEFT_NO_MORE;
		if (p->in == NULL && (p->in = peft_in_open(n == 0 ? NULL :
		    p->opt->paths[p->at], err)) == NULL)
			return -1;
		if (!peft_in_ready(p->in, p->opt->reload, idle))
			return PEFT_NOT_YET;
		if ((r = peft_in_line(p->in, &line, &len, err)) == -1)
			return -1;
		if (r == 1)
			break;
		peft_in_close(p->in);
		p->in = NULL;
		p->at++;
	}
	if ((*j = peft_json_said(line, len, err)) != NULL)
		return PEFT_REQUEST;
	return bad(p, err);
}

int
peft_prompts_next(struct peft_prompts *p, bool idle, struct peft_prompt *q,
    bool *changed, struct peft_err *err)
{
	cJSON *j = p->held;
	int r;

	/* a record that waits goes first, and is asked for again */
	if ((idle || j == NULL) && is_asked(p)) {
		if (idle)
			reload(p, changed);
		else if ((j = peft_json("{\"control\":\"reload\"}", 20,
		    err)) == NULL)
			return -1;
	}
	p->held = NULL;
	if (j == NULL && p->opt->prompt != NULL) {
		if (p->at++ > 0)
			return PEFT_NO_MORE;
		if ((j = option(p, err)) == NULL)
			return -1;
	}
	if (j == NULL && (r = next_line(p, idle, &j, err)) != PEFT_REQUEST)
		return r;
	if ((r = read_record(p, j, idle, q, changed, err)) == PEFT_REQUEST &&
	    p->in != NULL)
		q->record.line = peft_in_lineno(p->in);
	return r;
}
