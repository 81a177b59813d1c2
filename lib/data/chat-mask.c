/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a chat is supervised.
 *
 * A template that marks what the assistant says ({% generation %}) is
 * believed.  Otherwise a turn is found by rendering the chat up to it: it
 * begins where the rendering with the generation prompt ends, and ends where
 * the rendering with the turn ends.  Both must be prefixes of the whole.
 *
 * Two kinds of template differ from that in what does no harm.  Some write
 * more into the generation prompt than a turn begins with (an opened
 * <think>): the turn begins where the two part, at the end of a line or of a
 * special token that the template wrote.  Some close a text in another way
 * than a turn: the turn ends where its rendering and the one that goes on
 * with a generation prompt part, if all that was said lies before.
 *
 * Templates that rewrite earlier turns are refused rather than masked
 * wrongly.
 */

#include <stdlib.h>
#include <string.h>

#include "data/chat-impl.h"

static size_t
common(const struct peft_buf *a, const struct peft_buf *b)
{
	size_t n = a->len < b->len ? a->len : b->len, i = 0;

	while (i < n && a->data[i] == b->data[i])
		i++;
	return i;
}

static bool
is_prefix(const struct peft_buf *p, const struct peft_buf *whole)
{
	return common(p, whole) == p->len;
}

/* Back from i to the end of a line or special token that the template wrote;
 * not before `least'. */
static size_t
boundary(const struct peft_buf *text, const struct peft_buf *mark, size_t i,
    size_t least)
{
	while (i > least && (mark->data[i - 1] != 0 ||
	    (text->data[i - 1] != '\n' && text->data[i - 1] != '>')))
		i--;
	return i;
}

int
peft_chat_prefixes(struct peft_chat *chat, size_t n, struct peft_err *err)
{
	struct peft_prefix *p = peft_calloc(2 * n, sizeof(*p), err);
	size_t k;

	if ((chat->prefixes.at = p) == NULL)
		return -1;
	for (k = 0; k < n; k++) {
		if (!chat->want[k])
			continue;
		if (k > 0)
			*p++ = (struct peft_prefix){ .n = k, .gen = true };
		if (k + 1 < n || chat->asks)
			*p++ = (struct peft_prefix){ .n = k + 1 };
	}
	chat->prefixes.n = (size_t)(p - chat->prefixes.at);
	return 0;
}

/* Is it known that the rendering of the first n is a prefix of the whole?  Of
 * what length? */
static bool
known(const struct peft_chat *chat, size_t n, bool gen, size_t *len)
{
	const struct peft_prefix *p = chat->prefixes.at;
	size_t lo = 0, hi = chat->prefixes.n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (p[mid].n < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < chat->prefixes.n && p[lo].n == n; lo++)
		if (p[lo].gen == gen && p[lo].len != SIZE_MAX) {
			*len = p[lo].len;
			return true;
		}
	return false;
}

/* Where turn k begins in the whole. */
static int
turn_begin(const struct peft_chat *chat, size_t k,
    const struct peft_buf *whole, const struct peft_buf *mark, size_t *begin,
    struct peft_err *err)
{
	struct peft_buf asked = { 0 }, before = { 0 };
	size_t i;
	int r;

	if (known(chat, k, true, begin))
		return 0;
	r = peft_chat_render_some(chat, k, true, &asked, NULL, NULL, NULL,
	    err);
	*begin = asked.len;
	if (r == 0 && !is_prefix(&asked, whole)) {
		r = peft_chat_render_some(chat, k, false, &before, NULL, NULL,
		    NULL, err);
		i = common(&asked, whole);
		if (r == 0 && is_prefix(&before, whole) && i > before.len) {
			*begin = boundary(whole, mark, i, before.len);
			r = *begin > before.len ? 0 : 1;
		} else if (r == 0)
			r = 1;
	}
	peft_buf_free(&asked);
	peft_buf_free(&before);
	return r;
}

/* Where turn k ends, if something follows it: *end. */
static int
turn_end(const struct peft_chat *chat, size_t k,
    const struct peft_buf *whole, size_t *end, struct peft_err *err)
{
	struct peft_buf with = { 0 }, mark = { 0 }, more = { 0 };
	size_t said;
	int r;

	if (known(chat, k + 1, false, end))
		return 0;
	r = peft_chat_render_some(chat, k + 1, false, &with, &mark, NULL,
	    NULL, err);
	*end = with.len;
	if (r == 0 && !is_prefix(&with, whole)) {
		r = peft_chat_render_some(chat, k + 1, true, &more, NULL, NULL,
		    NULL, err);
		for (said = with.len; said > 0 && mark.data[said - 1] == 0;)
			said--;
		if (r == 0)
			*end = boundary(&with, &mark, common(&with, &more),
			    said);
		if (r == 0 && (*end <= said || common(&with, whole) < *end))
			r = 1;
	}
	peft_buf_free(&with);
	peft_buf_free(&mark);
	peft_buf_free(&more);
	return r;
}

static int
turn_span(const struct peft_chat *chat, size_t k, size_t n,
    const struct peft_buf *whole, const struct peft_buf *mark,
    struct peft_spans *spans, struct peft_err *err)
{
	size_t begin, end = whole->len;
	int r = turn_begin(chat, k, whole, mark, &begin, err);

	if (r == 0 && (k + 1 < n || chat->asks))
		r = turn_end(chat, k, whole, &end, err);
	if (r == 1 || (r == 0 && end < begin))
		return peft_seterr(err, "the template changes earlier turns "
		    "when later ones come: what the assistant said in message "
		    "%zu cannot be told by its place; --per-turn makes one "
		    "record of each turn", k + 1);
	return r == -1 ? -1 : peft_spans_add(spans, begin, end, err);
}

int
peft_chat_choose(const cJSON *messages, const struct peft_encopt *o,
    bool *want, struct peft_err *err)
{
	size_t k = 0, last = SIZE_MAX, asked = 0;
	const cJSON *e, *role, *w;

	cJSON_ArrayForEach(e, messages) {
		role = peft_json_get(e, "role");
		w = peft_json_get(e, "weight");
		want[k] = peft_chat_is_assistant(e);
		if (want[k])
			last = k;
		else if (strcmp(role->valuestring, "user") == 0)
			asked = k;
		k++;
		if (w == NULL || cJSON_IsNull(w))
			continue;
		if (!want[k - 1] || !cJSON_IsNumber(w) ||
		    (w->valuedouble != 0 && w->valuedouble != 1))
			return peft_seterr(err, "message %zu: a \"weight\" is 0 "
			    "or 1, and only the assistant's turns have one", k);
		want[k - 1] = w->valuedouble == 1;
	}
	while (k-- > 0)
		if ((o->supervise == PEFT_SUP_LAST && k != last) ||
		    (o->supervise == PEFT_SUP_COMPLETION && k < asked))
			want[k] = false;
	return 0;
}

/* Spans of the turns that are wanted, by rendering prefixes. */
static int
spans_by_prefix(const struct peft_chat *chat, size_t n,
    const struct peft_buf *whole, const struct peft_buf *mark,
    struct peft_spans *spans, struct peft_err *err)
{
	size_t k;

	for (k = 0; k < n; k++)
		if (chat->want[k] && turn_span(chat, k, n, whole, mark, spans,
		    err) == -1)
			return -1;
	return 0;
}

/* Of the spans that the template marked, those of the turns wanted.  Not
 * every template marks every turn: then only the last one is sure. */
static int
keep_wanted(const struct peft_chat *chat, size_t n, struct peft_spans *spans,
    struct peft_err *err)
{
	const bool *want = chat->want;
	size_t k = 0, turns = 0, wanted = 0, last = 0, kept = 0;
	const cJSON *e;

	for (e = chat->messages->child; k < n; e = e->next, k++) {
		turns += peft_chat_is_assistant(e);
		wanted += want[k];
		last = peft_chat_is_assistant(e) ? k : last;
	}
	if (wanted == turns)
		return 0;
	if (turns != spans->n && wanted == 1 && want[last] && spans->n > 0) {
		spans->at[0] = spans->at[spans->n - 1];
		spans->n = 1;
		return 0;
	}
	if (turns != spans->n && wanted > 0)
		return peft_seterr(err, "the template marks %zu stretches for "
		    "%zu turns of the assistant: which are to be learnt cannot "
		    "be told; --per-turn makes one record of each turn",
		    spans->n, turns);
	turns = 0;
	for (e = chat->messages->child, k = 0; wanted > 0 && k < n;
	    e = e->next, k++) {
		if (want[k])
			spans->at[kept++] = spans->at[turns];
		turns += peft_chat_is_assistant(e);
	}
	spans->n = kept;
	return 0;
}

int
peft_chat_supervise(const struct peft_chat *chat, size_t n,
    enum peft_supervise supervise, const struct peft_buf *text,
    const struct peft_buf *mark, struct peft_spans *spans,
    struct peft_err *err)
{
	if (supervise == PEFT_SUP_TEXT)
		return peft_spans_add(spans, 0, text->len, err);
	return peft_template_generates(chat->codec->tmpl) ?
	    keep_wanted(chat, n, spans, err) :
	    spans_by_prefix(chat, n, text, mark, spans, err);
}
