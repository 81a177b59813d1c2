/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: from the command line and from records. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/in.h"
#include "base/json.h"
#include "eval/prompts.h"

static struct peft_prompt *
add(struct peft_prompts *p, struct peft_err *err)
{
	struct peft_prompt *grown;

	grown = peft_grow(p->at, p->n, &p->cap, sizeof(*p->at), err);
	if (grown == NULL)
		return NULL;
	p->at = grown;
	memset(&p->at[p->n], 0, sizeof(*p->at));
	return &p->at[p->n++];
}

/* Which adapter does a record ask for? */
static int
choose(const cJSON *j, const struct peft_session *ses, int *adapter,
    struct peft_err *err)
{
	const cJSON *a = peft_json_get(j, "adapter");
	const char *name;

	*adapter = ses->nadapters > 0 ? 0 : -1;
	if (a == NULL)
		return 0;
	*adapter = -1;
	if (cJSON_IsNull(a))
		return 0;
	if (peft_json_str(j, "adapter", &name, err) == -1)
		return -1;
	if (strcmp(name, "base") == 0)
		return 0;
	*adapter = peft_session_find(ses, name, err);
	return *adapter == -1 ? -1 : 0;
}

static int
add_json(struct peft_prompts *p, const struct peft_session *ses,
    const struct peft_promptopt *o, const cJSON *j, struct peft_err *err)
{
	struct peft_encopt enc = { .prompt_only = true };
	int64_t max = (int64_t)o->max_tokens;
	struct peft_prompt *q;

	if ((q = add(p, err)) == NULL)
		return -1;
	if (choose(j, ses, &q->adapter, err) == -1 ||
	    peft_json_int(j, "max_tokens", 1, 1 << 20, &max, err) == -1 ||
	    peft_encode_record(&ses->codec, j, &enc, &q->record, err) == -1 ||
	    peft_codec_fits(&ses->codec, &q->record,
	    peft_net_config(ses->net)->vocab, err) == -1)
		return -1;
	q->max = (size_t)max;
	if (q->record.n == 0)
		return peft_seterr(err, "the prompt is empty");
	return 0;
}

static void
put_message(struct peft_buf *b, const char *role, const char *text)
{
	peft_buf_printf(b, "{\"role\":\"%s\",\"content\":", role);
	peft_json_putstr(b, text, strlen(text));
	peft_buf_putc(b, '}');
}

/* -p as the record it stands for. */
static int
add_option(struct peft_prompts *p, const struct peft_session *ses,
    const struct peft_promptopt *o, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	cJSON *j = NULL;
	int r = -1;

	if (o->raw || ses->codec.tmpl == NULL) {
		if (o->system != NULL)
			return peft_seterr(err, "--system needs a chat "
			    "template, and the model has none");
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
	else if ((j = peft_json(b.data, b.len, err)) != NULL)
		r = add_json(p, ses, o, j, err);
	cJSON_Delete(j);
	peft_buf_free(&b);
	return r;
}

static int
add_file(struct peft_prompts *p, const struct peft_session *ses,
    const struct peft_promptopt *o, const char *path, struct peft_err *err)
{
	struct peft_in *in = peft_in_open(path, err);
	char *line;
	size_t len;
	int r;

	if (in == NULL)
		return -1;
	while ((r = peft_in_line(in, &line, &len, err)) == 1) {
		cJSON *j = peft_json(line, len, err);

		r = j == NULL ? -1 : add_json(p, ses, o, j, err);
		cJSON_Delete(j);
		if (r == -1) {
			peft_errprefix(err, "%s:%zu", peft_in_label(in),
			    peft_in_lineno(in));
			break;
		}
		p->at[p->n - 1].record.line = peft_in_lineno(in);
	}
	peft_in_close(in);
	return r;
}

int
peft_prompts_read(struct peft_prompts *p, const struct peft_session *ses,
    const struct peft_promptopt *o, char *const *paths, size_t npaths,
    struct peft_err *err)
{
	size_t i;

	if (ses->codec.tok == NULL)
		return peft_seterr(err, "%s: no tokenizer, so that prompts "
		    "cannot be read: %s", peft_source_label(ses->source),
		    peft_codec_missing(ses->source));
	if (o->prompt != NULL)
		return add_option(p, ses, o, err);
	if (npaths == 0)
		return add_file(p, ses, o, NULL, err);
	for (i = 0; i < npaths; i++)
		if (add_file(p, ses, o, paths[i], err) == -1)
			return -1;
	return 0;
}

void
peft_prompts_free(struct peft_prompts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		peft_record_free(&p->at[i].record);
	free(p->at);
	memset(p, 0, sizeof(*p));
}
