/* SPDX-License-Identifier: Apache-2.0 */
/* Records as people see them. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "data/show.h"

enum peft_style
peft_show_style(int fd)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fd) && (no == NULL || no[0] == '\0') ? PEFT_COLOUR :
	    PEFT_PLAIN;
}

/* Tokens i .. end are all supervised or all not. */
static void
put_stretch(struct peft_buf *b, const struct peft_codec *c,
    const struct peft_record *r, size_t i, size_t end, bool on,
    enum peft_style style)
{
	struct peft_err err;

	if (on)
		peft_buf_puts(b, style == PEFT_COLOUR ? "\033[32m" : "[[");
	(void)!peft_tokenizer_decode(c->tok, r->ids + i, end - i, false, b,
	    &err);
	if (on)
		peft_buf_puts(b, style == PEFT_COLOUR ? "\033[0m" : "]]");
}

static void
put_one(struct peft_buf *b, const struct peft_codec *c,
    const struct peft_record *r, const char *what, enum peft_style style)
{
	size_t i, end;

	peft_buf_printf(b, "-- %s%zu tokens, %zu supervised\n", what, r->n,
	    r->supervised);
	for (i = 0; i < r->n; i = end) {
		bool on = r->labels[i] != PEFT_IGNORE;

		for (end = i; end < r->n &&
		    (r->labels[end] != PEFT_IGNORE) == on; end++)
			;
		put_stretch(b, c, r, i, end, on, style);
	}
	if (b->len > 0 && b->data[b->len - 1] != '\n')
		peft_buf_putc(b, '\n');
}

void
peft_show_record(struct peft_buf *b, const struct peft_codec *c,
    const struct peft_record *r, enum peft_style style)
{
	put_one(b, c, r, r->rejected != NULL ? "chosen: " :
	    r->label == PEFT_WANTED ? "wanted: " :
	    r->label == PEFT_UNWANTED ? "unwanted: " : "", style);
	if (r->rejected != NULL)
		put_one(b, c, r->rejected, "rejected: ", style);
}

static int
put_text(struct peft_buf *b, const struct peft_codec *c,
    const struct peft_record *r, struct peft_err *err)
{
	int s = peft_tokenizer_decode(c->tok, r->ids, r->n, false, b, err);

	peft_buf_putc(b, '\n');
	return s;
}

int
peft_show_decoded(const struct peft_codec *c, const char *path, bool partial,
    struct peft_out *out, struct peft_err *err)
{
	struct peft_tokens_reader *t = peft_tokens_open(path,
	    peft_tokenizer_size(c->tok), partial, err);
	struct peft_buf b = { 0 };
	struct peft_record r;
	int s;

	if (t == NULL)
		return -1;
	while ((s = peft_tokens_next(t, &r, err)) == 1) {
		peft_buf_clear(&b);
		s = put_text(&b, c, &r, err);
		if (s == 0 && r.rejected != NULL)
			s = put_text(&b, c, r.rejected, err);
		if (s == 0)
			s = peft_out_write(out, b.data, b.len, err);
		peft_record_free(&r);
		if (s == -1)
			break;
	}
	peft_buf_free(&b);
	peft_tokens_close(t);
	return s;
}
