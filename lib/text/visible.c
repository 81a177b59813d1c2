/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as the characters that stand for them. */

#include "base/buf.h"
#include "text/tokenizer-impl.h"

int
peft_rewrite_visible(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	char utf8[4];
	size_t i;

	(void)r;
	out->n = 0;
	for (i = 0; i < v->n; i++)
		if (peft_mapped_put(out, utf8, peft_utf8_put(utf8,
		    peft_byte_char((unsigned char)v->s[i])),
		    peft_view_origin(v, i), err) == -1)
			return -1;
	return v->n > 0;
}
