/* SPDX-License-Identifier: Apache-2.0 */
/* Token records, written. */

#include <string.h>

#include "base/json.h"
#include "data/tokens.h"

/* The digits of id, backwards, ending before `end'; where they begin. */
static char *
digits(int32_t id, char *end)
{
	uint32_t rest = id < 0 ? 0u - (uint32_t)id : (uint32_t)id;

	do
		*--end = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (id < 0)
		*--end = '-';
	return end;
}

/* Most of the bytes that are written here are numbers, so no printf. */
static void
put_ids(struct peft_buf *b, const int32_t *ids, size_t n)
{
	char text[1024], number[12], *end = number + sizeof(number), *p;
	size_t i, used = 0;

	peft_buf_putc(b, '[');
	for (i = 0; i < n; i++) {
		if (used + sizeof(number) + 1 > sizeof(text)) {
			peft_buf_put(b, text, used);
			used = 0;
		}
		if (i > 0)
			text[used++] = ',';
		if (ids[i] == PEFT_IGNORE) {	/* of labels, most */
			memcpy(text + used, "-100", 4);
			used += 4;
			continue;
		}
		p = digits(ids[i], end);
		memcpy(text + used, p, (size_t)(end - p));
		used += (size_t)(end - p);
	}
	peft_buf_put(b, text, used);
	peft_buf_putc(b, ']');
}

/* Tokens that both of a pair begin with and neither has supervised. */
static size_t
shared(const struct peft_record *a, const struct peft_record *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (a->ids[i] != b->ids[i] || a->labels[i] != PEFT_IGNORE ||
		    b->labels[i] != PEFT_IGNORE)
			break;
	return i;
}

static void
put_side(struct peft_buf *b, const char *key, const struct peft_record *r,
    size_t from)
{
	peft_buf_printf(b, ",\"%s\":{\"input_ids\":", key);
	put_ids(b, r->ids + from, r->n - from);
	peft_buf_puts(b, ",\"labels\":");
	put_ids(b, r->labels + from, r->n - from);
	peft_buf_putc(b, '}');
}

static void
put_pair(struct peft_buf *b, const struct peft_record *r)
{
	size_t n = shared(r, r->rejected);

	peft_buf_puts(b, "\"prompt\":");
	put_ids(b, r->ids, n);
	put_side(b, "chosen", r, n);
	put_side(b, "rejected", r->rejected, n);
}

static void
put_choices(struct peft_buf *b, const struct peft_record *r)
{
	size_t i;

	peft_buf_puts(b, ",\"choices\":[");
	for (i = 0; i < r->nchoices; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		put_ids(b, r->choices[i], r->nchoice[i]);
	}
	peft_buf_printf(b, "],\"answer\":%zu", r->answer);
}

static void
put_tokens(struct peft_buf *b, const struct peft_record *r)
{
	peft_buf_puts(b, "\"input_ids\":");
	put_ids(b, r->ids, r->n);
	if (r->nchoices > 0)
		put_choices(b, r);
	else if (r->cls.kind != PEFT_CLASS_NONE) {
		peft_buf_putc(b, ',');
		peft_class_put(b, &r->cls);
	} else {
		peft_buf_puts(b, ",\"labels\":");
		put_ids(b, r->labels, r->n);
	}
	if (r->label != PEFT_UNLABELLED)
		peft_buf_printf(b, ",\"label\":%s", r->label == PEFT_WANTED ?
		    "true" : "false");
}

void
peft_record_put(struct peft_buf *b, const struct peft_record *r)
{
	peft_buf_putc(b, '{');
	if (r->id != NULL) {
		peft_buf_puts(b, "\"id\":");
		peft_json_putstr(b, r->id, strlen(r->id));
		peft_buf_putc(b, ',');
	}
	if (r->rejected != NULL)
		put_pair(b, r);
	else
		put_tokens(b, r);
	if (r->weight != 1) {
		peft_buf_puts(b, ",\"weight\":");
		peft_json_putreal(b, r->weight);
	}
	if (r->adapter != NULL) {
		peft_buf_puts(b, ",\"adapter\":");
		peft_json_putstr(b, r->adapter, strlen(r->adapter));
	}
	peft_buf_puts(b, "}\n");
}

void
peft_tokens_putinfo(struct peft_buf *b, const struct peft_tokens_info *info)
{
	peft_buf_puts(b, "{\"peft\":{\"tokenizer\":");
	peft_json_putstr(b, info->tokenizer, strlen(info->tokenizer));
	peft_buf_puts(b, ",\"template\":");
	peft_json_putstr(b, info->tmpl, strlen(info->tmpl));
	peft_buf_puts(b, "}}\n");
}

void
peft_tokens_putend(struct peft_buf *b, size_t nrecords)
{
	peft_buf_printf(b, "{\"peft\":{\"end\":%zu}}\n", nrecords);
}
