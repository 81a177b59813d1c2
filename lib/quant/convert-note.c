/* SPDX-License-Identifier: Apache-2.0 */
/* What people are told of weights that do not get what they were to. */

#include <stdio.h>

#include "base/buf.h"
#include "quant/convert-impl.h"

const char peft_why_misfit[] = "rows do not divide";
const char peft_why_joint[] = "experts in one tensor";

/* Whether some were to get type t and do not fit. */
static bool
note_misfits(const struct peft_spec *specs, size_t n, enum peft_dtype t,
    char note[PEFT_CONVERT_NOTE])
{
	size_t got[PEFT_NDTYPE] = { 0 }, i, many = 0;
	struct peft_buf b = { 0 };
	int to;

	for (i = 0; i < n; i++)
		if (specs[i].asked == t && specs[i].why == peft_why_misfit) {
			got[specs[i].dtype]++;
			many++;
		}
	peft_buf_printf(&b, "%zu weights have rows that do not divide into "
	    "blocks of %u (%s): they get", many, peft_dtypes[t].block,
	    peft_dtypes[t].name);
	for (i = 0, to = 0; to < PEFT_NDTYPE; to++)
		if (got[to] > 0)
			peft_buf_printf(&b, "%s %s", i++ > 0 ? " or" : "",
			    peft_dtypes[to].name);
	snprintf(note, PEFT_CONVERT_NOTE, "%s", b.failed ? "" : b.data);
	peft_buf_free(&b);
	return many > 0;
}

static bool
note_joint(const struct peft_spec *specs, size_t n,
    char note[PEFT_CONVERT_NOTE])
{
	size_t i, many = 0;
	enum peft_dtype t = PEFT_BF16;

	for (i = 0; i < n; i++)
		if (specs[i].why == peft_why_joint) {
			t = specs[i].dtype;
			many++;
		}
	snprintf(note, PEFT_CONVERT_NOTE, "%zu weights of experts stay %s, as "
	    "transformers reads them (-t 'experts.*weight=TYPE' is for these "
	    "programs alone)", many, peft_dtypes[t].name);
	return many > 0;
}

bool
peft_convert_note(const struct peft_spec *specs, size_t n, int i,
    char note[PEFT_CONVERT_NOTE])
{
	return i < PEFT_NDTYPE ? note_misfits(specs, n, (enum peft_dtype)i,
	    note) : note_joint(specs, n, note);
}
