/* SPDX-License-Identifier: Apache-2.0 */
/* Answering prompts and writing the answers. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "eval/prompts.h"

struct writer {
	struct peft_session		*ses;
	struct peft_prompts		*prompts;
	const struct peft_answeropt	*how;
	struct peft_out			*out;
	struct peft_request		*requests;
	size_t				 done;	/* answers that are whole */
	size_t				 sent;	/* bytes of the streamed one */
};

/* The text of a request so far, without the token that ended it. */
static int
text_of(const struct writer *w, const struct peft_request *q,
    struct peft_buf *text, struct peft_err *err)
{
	size_t n = q->nout - (q->ended ? 1 : 0);

	if (peft_tokenizer_decode(w->ses->codec.tok, q->out, n, true, text,
	    err) == -1)
		return -1;
	return text->failed ? peft_seterr(err, "no memory for the text") : 0;
}

/* Bytes that will not change when more tokens come: all but a last character
 * that may still be half there (decoders show it as U+FFFD). */
static size_t
settled(const struct peft_buf *b)
{
	static const char half[] = "\xef\xbf\xbd";
	size_t n = b->len;

	while (n >= 3 && memcmp(b->data + n - 3, half, 3) == 0)
		n -= 3;
	return n;
}

static int
on_token(void *ctx, const struct peft_request *q, struct peft_err *err)
{
	struct writer *w = ctx;
	struct peft_buf text = { 0 };
	bool last = q->ended || q->nout == q->max;
	size_t n;
	int r = 0;

	if (last && w->how->progress != NULL)
		peft_progress_set(w->how->progress, (double)++w->done, NULL);
	if (!w->how->stream)
		return 0;
	if (text_of(w, q, &text, err) == -1) {
		peft_buf_free(&text);
		return -1;
	}
	n = last ? text.len : settled(&text);
	if (n > w->sent) {
		r = peft_out_write(w->out, text.data + w->sent, n - w->sent,
		    err);
		w->sent = n;
		if (r == 0 && fflush(peft_out_fp(w->out)) == EOF)
			r = peft_seterrno(err, "%s", peft_out_label(w->out));
	}
	if (last && r == 0)
		r = peft_out_write(w->out, "\n", 1, err);
	peft_buf_free(&text);
	return r;
}

static void
put_json(const struct writer *w, size_t i, const struct peft_buf *text,
    struct peft_buf *b)
{
	const struct peft_prompt *p = &w->prompts->at[i];
	const struct peft_request *q = &w->requests[i];
	const char *name = p->adapter < 0 ? "base" :
	    w->ses->adapters[p->adapter].name;

	peft_buf_putc(b, '{');
	if (p->record.id != NULL) {
		peft_buf_puts(b, "\"id\":");
		peft_json_putstr(b, p->record.id, strlen(p->record.id));
		peft_buf_putc(b, ',');
	}
	peft_buf_puts(b, "\"adapter\":");
	peft_json_putstr(b, name, strlen(name));
	peft_buf_puts(b, ",\"text\":");
	peft_json_putstr(b, text->len > 0 ? text->data : "", text->len);
	peft_buf_printf(b, ",\"prompt_tokens\":%zu,\"tokens\":%zu,"
	    "\"finish\":\"%s\"}\n", q->n, q->nout,
	    q->ended ? "stop" : "length");
}

static int
write_answer(const struct writer *w, size_t i, struct peft_err *err)
{
	struct peft_buf text = { 0 }, line = { 0 };
	int r = -1;

	if (text_of(w, &w->requests[i], &text, err) == 0) {
		if (w->how->jsonl)
			put_json(w, i, &text, &line);
		else {
			peft_buf_put(&line, text.data, text.len);
			peft_buf_putc(&line, '\n');
		}
		r = line.failed ? peft_seterr(err, "no memory for the text") :
		    peft_out_write(w->out, line.data, line.len, err);
	}
	peft_buf_free(&text);
	peft_buf_free(&line);
	return r;
}

static size_t
make_requests(struct writer *w, int32_t *out)
{
	size_t i, room = 0;

	for (i = 0; i < w->prompts->n; i++) {
		const struct peft_prompt *p = &w->prompts->at[i];

		if (out != NULL)
			w->requests[i] = (struct peft_request){
			    .prompt = p->record.ids, .n = p->record.n,
			    .max = p->max, .adapter = p->adapter,
			    .task = p->record.task, .stream = i,
			    .out = out + room, .token = on_token, .ctx = w };
		room += p->max;
	}
	return room;
}

int
peft_answer_prompts(struct peft_session *ses, struct peft_prompts *prompts,
    const struct peft_answeropt *how, struct peft_out *out,
    struct peft_err *err)
{
	struct writer w = { .ses = ses, .prompts = prompts, .how = how,
	    .out = out };
	int32_t *ids;
	int r = -1;
	size_t i;

	w.requests = peft_calloc(prompts->n + 1, sizeof(*w.requests), err);
	ids = peft_calloc(make_requests(&w, NULL) + 1, sizeof(*ids), err);
	if (w.requests == NULL || ids == NULL)
		goto out;
	make_requests(&w, ids);
	if (peft_decode_requests(ses->net, &how->sampling, w.requests,
	    prompts->n, how->width, err) == -1)
		goto out;
	for (i = 0; !how->stream && i < prompts->n; i++)
		if (write_answer(&w, i, err) == -1)
			goto out;
	r = 0;
out:
	free(w.requests);
	free(ids);
	return r;
}
