/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a GGUF file on its way into another. */

#include <string.h>

#include "tensor/source-impl.h"

static bool
is_of_file(const char *key, bool types)
{
	static const char *const keys[] = { "general.file_type",
	    "general.quantization_version" };
	size_t i;

	for (i = 0; !types && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	if (!types && strncmp(key, "quantize.imatrix.", 17) == 0)
		return true;
	return strncmp(key, "split.", 6) == 0 ||
	    strcmp(key, "general.alignment") == 0;
}

int
peft_source_pairs(const struct peft_source *s, bool types,
    struct peft_gguf_out *o, struct peft_err *err)
{
	const struct peft_file *f;
	struct peft_gguf g;
	size_t i;

	if (s->kind != PEFT_GGUF)
		return 1;
	f = &s->files[s->gguf_file];
	if (peft_gguf_parse(&g, f->map, f->len, err) == -1)
		return peft_errprefix(err, "%s", f->label);
	for (i = 0; i < g.nkv; i++)
		if (!is_of_file(g.kv[i].key, types))
			peft_gguf_put_pair(o, &g.kv[i]);
	peft_gguf_free(&g);
	return o->kv.failed ? peft_seterr(err, "no memory for metadata") : 0;
}
