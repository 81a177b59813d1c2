/* SPDX-License-Identifier: Apache-2.0 */
/* What weights can be turned into. */

#include "base/buf.h"
#include "quant/convert.h"
#include "quant/quant.h"

void
peft_convert_list(struct peft_buf *b)
{
	static const char *const kinds[] = { "floats", "4 bits and 8 "
	    "(bitsandbytes and fp8: folder, bundle)", "GGUF" };
	int kind, t;

	for (kind = 0; kind < 3; kind++) {
		peft_buf_printf(b, "%s:", kinds[kind]);
		for (t = 0; t < PEFT_NDTYPE; t++)
			if (peft_can_encode((enum peft_dtype)t) && kind ==
			    (peft_dtypes[t].st != NULL ? 0 :
			    peft_dtypes[t].ggml < 0 ? 1 : 2))
				peft_buf_printf(b, " %s", peft_dtypes[t].name);
		peft_buf_putc(b, '\n');
	}
	peft_buf_puts(b, "mixes in GGUF, as llama.cpp's:");
	for (t = 0; peft_mixes[t].name != NULL; t++)
		peft_buf_printf(b, " %s", peft_mixes[t].name);
	peft_buf_putc(b, '\n');
}
