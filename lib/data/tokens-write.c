/* SPDX-License-Identifier: Apache-2.0 */
/* Token records, written. */

#include <string.h>

#include "base/json.h"
#include "data/tokens.h"

static void
put_ids(struct peft_buf *b, const int32_t *ids, size_t n)
{
	size_t i;

	peft_buf_putc(b, '[');
	for (i = 0; i < n; i++)
		peft_buf_printf(b, "%s%d", i > 0 ? "," : "", ids[i]);
	peft_buf_putc(b, ']');
}

void
peft_record_put(struct peft_buf *b, const struct peft_record *r)
{
	size_t i;

	peft_buf_putc(b, '{');
	if (r->id != NULL) {
		peft_buf_puts(b, "\"id\":");
		peft_json_putstr(b, r->id, strlen(r->id));
		peft_buf_putc(b, ',');
	}
	peft_buf_puts(b, "\"input_ids\":");
	put_ids(b, r->ids, r->n);
	if (r->nchoices == 0) {
		peft_buf_puts(b, ",\"labels\":");
		put_ids(b, r->labels, r->n);
	} else {
		peft_buf_puts(b, ",\"choices\":[");
		for (i = 0; i < r->nchoices; i++) {
			if (i > 0)
				peft_buf_putc(b, ',');
			put_ids(b, r->choices[i], r->nchoice[i]);
		}
		peft_buf_printf(b, "],\"answer\":%zu", r->answer);
	}
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
