/* SPDX-License-Identifier: Apache-2.0 */
/* Options of what is made of adapters. */

#include <string.h>

#include "base/buf.h"
#include "base/opt.h"
#include "merge/lora.h"

void
peft_loraopt_rank(struct peft_loraopt *o, const char *arg)
{
	o->exact = strcmp(arg, "exact") == 0;
	o->rank = o->exact || strcmp(arg, "auto") == 0 ? 0 :
	    (size_t)peft_optint("--as-lora", arg, 1, 65536);
}

/* The names of the table, each once. */
static void
put_names(struct peft_buf *b)
{
	const char *name, *about;
	size_t i;

	peft_buf_puts(b, "peft");
	for (i = 0; (name = peft_layout_at(i, &about)) != NULL; i++)
		if (about != NULL)
			peft_buf_printf(b, ", %s", name);
}

void
peft_loraopt_layout(struct peft_loraopt *o, const char *arg)
{
	struct peft_buf b = { 0 };

	o->layout = peft_layout_of_name(arg);
	if (o->layout != NULL || strcmp(arg, "peft") == 0)
		return;
	put_names(&b);
	peft_die(PEFT_USAGE, "--layout: there is no '%s' (%s)", arg,
	    b.failed ? "?" : b.data);
}
