/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of the model that another is made from. */

#include <string.h>

#include "quant/origin.h"

int
peft_origin_open(struct peft_origin *o, struct peft_source *src,
    const char *path, const char *out, int threads, struct peft_err *err)
{
	memset(o, 0, sizeof(*o));
	memset(o->hex, '0', sizeof(o->hex) - 1);
	memcpy(o->hex, "sha256:", 7);
	o->meta[0] = "peft.origin";
	o->meta[1] = o->hex;
	if (out == NULL || strcmp(out, "-") == 0)
		return peft_source_hash_path(path, threads, o->hex, err);
	o->hasher = peft_hasher_open(src, threads, err);
	return o->hasher == NULL ? -1 : 0;
}

void
peft_origin_begin(struct peft_origin *o, const struct peft_weight *w)
{
	if (o->hasher != NULL)
		peft_hasher_begin(o->hasher, w);
}

void
peft_origin_wait(struct peft_origin *o)
{
	if (o->hasher != NULL)
		peft_hasher_wait(o->hasher);
}

int
peft_origin_settle(struct peft_origin *o, struct peft_sink *sink,
    struct peft_err *err)
{
	char is[sizeof(o->hex)];

	if (o->hasher == NULL)
		return 0;
	peft_hasher_end(o->hasher, is);
	return peft_sink_settle(sink, o->hex, is, err);
}

void
peft_origin_close(struct peft_origin *o)
{
	peft_hasher_close(o->hasher);
	o->hasher = NULL;
}
