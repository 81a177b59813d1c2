/* SPDX-License-Identifier: Apache-2.0 */
/* The header of safetensors, written. */

#include <string.h>

#include "base/json.h"
#include "base/out.h"
#include "tensor/st.h"

static void
put_meta(struct peft_buf *b, const char *const *meta)
{
	size_t i;

	peft_buf_puts(b, "\"__metadata__\":{");
	for (i = 0; meta[i] != NULL; i += 2) {
		if (i > 0)
			peft_buf_putc(b, ',');
		peft_json_putstr(b, meta[i], strlen(meta[i]));
		peft_buf_putc(b, ':');
		peft_json_putstr(b, meta[i + 1], strlen(meta[i + 1]));
	}
	peft_buf_putc(b, '}');
}

static void
put_entry(struct peft_buf *b, const struct peft_st_entry *e)
{
	int i;

	peft_json_putstr(b, e->name, strlen(e->name));
	peft_buf_printf(b, ":{\"dtype\":\"%s\",\"shape\":[",
	    peft_dtypes[e->dtype].st);
	for (i = 0; i < e->ndim; i++)
		peft_buf_printf(b, "%s%zu", i > 0 ? "," : "", e->shape[i]);
	peft_buf_printf(b, "],\"data_offsets\":[%zu,%zu]}", e->begin,
	    e->begin + e->nbytes);
}

int
peft_st_write(FILE *fp, const char *label, struct peft_st_entry *e, size_t n,
    const char *const *meta, struct peft_err *err)
{
	unsigned char prefix[PEFT_ST_PREFIX];
	struct peft_buf b = { 0 };
	size_t i, at = 0;
	int r;

	peft_buf_putc(&b, '{');
	if (meta != NULL && meta[0] != NULL)
		put_meta(&b, meta);
	for (i = 0; i < n; i++) {
		if (b.len > 1)
			peft_buf_putc(&b, ',');
		e[i].begin = at;
		at += e[i].nbytes;
		put_entry(&b, &e[i]);
	}
	peft_buf_putc(&b, '}');
	while (!b.failed && b.len % 8 != 0)
		peft_buf_putc(&b, ' ');
	for (i = 0; i < PEFT_ST_PREFIX; i++)
		prefix[i] = (unsigned char)((uint64_t)b.len >> 8 * i);
	if (b.failed || b.len > PEFT_ST_MAXHEADER)
		r = peft_seterr(err, "%s: the header is too large", label);
	else if ((r = peft_fwrite(fp, label, prefix, sizeof(prefix),
	    err)) == 0)
		r = peft_fwrite(fp, label, b.data, b.len, err);
	peft_buf_free(&b);
	return r;
}
