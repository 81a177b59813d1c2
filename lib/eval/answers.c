/* SPDX-License-Identifier: Apache-2.0 */
/* Answering prompts and writing the answers in the order of the prompts. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "eval/prompts.h"

/* A prompt and what is made of it; those not written yet are a queue. */
struct answer {
	struct peft_request	 request;	/* first: it is handed out */
	struct peft_prompt	 prompt;
	bool			 done;
	char			*error;		/* why there is none */
	struct answer		*next;
};

/* So many may wait for one before them. */
enum { BACKLOG = 4096 };

struct writer {
	struct peft_session		*ses;
	struct peft_prompts		*prompts;
	const struct peft_answeropt	*how;
	struct peft_out			*out;
	struct answer			*head, **tail;
	size_t				 waiting;
	size_t				 done;	/* answers that are whole */
	size_t				 sent;	/* bytes of the streamed one */
	struct peft_map			 seen;	/* prompts: how often */
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
flush(const struct writer *w, struct peft_err *err)
{
	if (fflush(peft_out_fp(w->out)) == EOF)
		return peft_seterrno(err, "%s", peft_out_label(w->out));
	return 0;
}

/* The text of the only answer as it comes. */
static int
on_token(void *ctx, struct peft_request *q, struct peft_err *err)
{
	struct writer *w = ctx;
	struct peft_buf text = { 0 };
	bool last = q->ended || q->nout == q->max;
	size_t n;
	int r = 0;

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
		if (r == 0)
			r = flush(w, err);
	}
	if (last && r == 0)
		r = peft_out_write(w->out, "\n", 1, err);
	peft_buf_free(&text);
	return r;
}

static const char *
name_of(const struct writer *w, int adapter)
{
	return adapter < 0 ? "base" : w->ses->adapters[adapter].name;
}

static void
put_id(const struct answer *a, struct peft_buf *b)
{
	const char *id = a->prompt.record.id;

	peft_buf_putc(b, '{');
	if (id == NULL)
		return;
	peft_buf_puts(b, "\"id\":");
	peft_json_putstr(b, id, strlen(id));
	peft_buf_putc(b, ',');
}

static void
put_error(const struct answer *a, struct peft_buf *b)
{
	put_id(a, b);
	peft_buf_puts(b, "\"error\":");
	peft_json_putstr(b, a->error, strlen(a->error));
	peft_buf_puts(b, "}\n");
}

/* The adapter that made the answer: the last of several. */
static void
put_json(const struct writer *w, const struct answer *a,
    const struct peft_buf *text, struct peft_buf *b)
{
	const struct peft_prompt *p = &a->prompt;
	const struct peft_request *q = &a->request;
	const char *name = name_of(w, p->stretch[p->nstretch - 1].adapter);

	put_id(a, b);
	peft_buf_puts(b, "\"adapter\":");
	peft_json_putstr(b, name, strlen(name));
	peft_buf_puts(b, ",\"text\":");
	peft_json_putstr(b, text->len > 0 ? text->data : "", text->len);
	peft_buf_printf(b, ",\"prompt_tokens\":%zu,\"tokens\":%zu,"
	    "\"finish\":\"%s\"}\n", q->n, q->nout,
	    q->ended ? "stop" : "length");
}

static int
write_answer(const struct writer *w, const struct answer *a,
    struct peft_err *err)
{
	struct peft_buf text = { 0 }, line = { 0 };
	int r = -1;

	if (a->error != NULL || text_of(w, &a->request, &text, err) == 0) {
		if (a->error != NULL)
			put_error(a, &line);
		else if (w->how->jsonl)
			put_json(w, a, &text, &line);
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

static void
free_answer(struct answer *a)
{
	free(a->request.out);
	peft_record_free(&a->prompt.record);
	free(a->error);
	free(a);
}

static void
drop_first(struct writer *w)
{
	struct answer *a = w->head;

	if ((w->head = a->next) == NULL)
		w->tail = &w->head;
	w->waiting--;
	free_answer(a);
}

/* An answer is done: those at the head of the queue that are. */
static int
settle(struct writer *w, struct answer *a, struct peft_err *err)
{
	bool any = false;

	a->done = true;
	w->done++;
	if (w->how->progress != NULL)
		peft_progress_set(w->how->progress, (double)w->done, NULL);
	for (; w->head != NULL && w->head->done; drop_first(w)) {
		if (!w->how->stream && write_answer(w, w->head, err) == -1)
			return -1;
		any = true;
	}
	return any ? flush(w, err) : 0;
}

static int
on_done(void *ctx, struct peft_request *q, struct peft_err *err)
{
	return settle(ctx, (struct answer *)q, err);
}

/* *err is told in the place of an answer. */
static int
refuse(struct writer *w, struct answer *a, struct peft_err *err)
{
	if (!w->how->keep_going)
		return -1;
	if ((a->error = strdup(err->msg)) == NULL)
		return peft_seterr(err, "no memory");
	*err = (struct peft_err){ 0 };
	++*w->how->refused;
	return settle(w, a, err);
}

static int
on_refused(void *ctx, struct peft_request *q, struct peft_err *err)
{
	return refuse(ctx, (struct answer *)q, err);
}

/*
 * What is drawn for a prompt depends on the prompt, its id and how often it
 * has come, but not on what stands before it: the same records in another
 * order get the same answers.
 */
static int
choose_stream(struct writer *w, struct answer *a, struct peft_err *err)
{
	const struct peft_record *r = &a->prompt.record;
	char hex[PEFT_SHA256_HEX], *key;
	struct peft_sha256 sha;
	size_t *times;
	int added;

	peft_sha256_init(&sha);
	if (r->id != NULL)
		peft_sha256_add(&sha, r->id, strlen(r->id) + 1);
	peft_sha256_add(&sha, r->ids, r->n * sizeof(*r->ids));
	peft_sha256_hex(&sha, hex);
	if ((key = strndup(hex, 16)) == NULL)
		return peft_seterr(err, "no memory");
	a->request.stream = strtoull(key, NULL, 16);
	if ((added = peft_map_add(&w->seen, key, 16, 0, err)) == 1)
		return 0;
	times = added == 0 ? peft_map_find(&w->seen, key, 16) : NULL;
	free(key);
	if (times == NULL)
		return -1;
	a->request.stream += ++*times * UINT64_C(0x9e3779b97f4a7c15);
	return 0;
}

static int
make_request(struct writer *w, struct answer *a, struct peft_err *err)
{
	const struct peft_prompt *p = &a->prompt;

	a->request = (struct peft_request){ .prompt = p->record.ids,
	    .n = p->record.n, .max = p->max, .nstretch = p->nstretch,
	    .task = p->record.task };
	memcpy(a->request.stretch, p->stretch, sizeof(p->stretch));
	a->request.out = peft_calloc(p->max, sizeof(*a->request.out), err);
	if (a->request.out == NULL)
		return -1;
	return w->how->sampling.temperature > 0 ? choose_stream(w, a, err) : 0;
}

static void
append(struct writer *w, struct answer *a)
{
	*w->tail = a;
	w->tail = &a->next;
	w->waiting++;
	if (w->how->progress != NULL)
		w->how->progress->total++;
}

static int
on_next(void *ctx, bool idle, struct peft_request **q, bool *changed,
    struct peft_err *err)
{
	struct writer *w = ctx;
	struct answer *a;
	int r;

	if (w->waiting >= BACKLOG)
		return PEFT_NOT_YET;
	if ((a = peft_calloc(1, sizeof(*a), err)) == NULL)
		return -1;
	r = peft_prompts_next(w->prompts, idle, &a->prompt, changed, err);
	if (r != PEFT_REQUEST && r != PEFT_BAD_RECORD) {
		free_answer(a);
		return r;
	}
	append(w, a);
	if (r == PEFT_BAD_RECORD)
		return refuse(w, a, err) == -1 ? -1 : PEFT_NOT_YET;
	*q = &a->request;
	return make_request(w, a, err) == -1 ? -1 : PEFT_REQUEST;
}

int
peft_answer_prompts(struct peft_prompts *prompts,
    const struct peft_answeropt *how, struct peft_out *out,
    struct peft_err *err)
{
	struct writer w = { .ses = prompts->ses, .prompts = prompts,
	    .how = how, .out = out, .tail = &w.head };
	const struct peft_clerk clerk = { .ctx = &w, .next = on_next,
	    .token = on_token, .done = on_done, .refused = on_refused };
	const struct peft_decodeopt opt = { .sampling = how->sampling,
	    .width = how->width, .limit = how->limit, .stat = how->stat };
	size_t i;
	int r;

	r = peft_go_on(w.ses->net, &opt, &clerk, err);
	while (w.head != NULL)
		drop_first(&w);
	for (i = 0; i < w.seen.nslots; i++)
		free((char *)(uintptr_t)w.seen.slots[i].key);
	peft_map_free(&w.seen);
	return r;
}
