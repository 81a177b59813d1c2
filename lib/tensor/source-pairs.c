/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of a GGUF file on its way into another. */

#include <stdio.h>
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

static bool
ends(const char *key, const char *tail)
{
	size_t n = strlen(key), k = strlen(tail);

	return n > k && strcmp(key + n - k, tail) == 0;
}

/* A pair of a file whose kv_b_proj is in two parts, as it is where that is
 * one weight: heads are as wide and as many as they are, and not what
 * attention over the narrow part sees. */
static void
put_remade(const struct peft_gguf *g, const struct peft_gguf_kv *kv,
    struct peft_gguf_out *o)
{
	static const struct { const char *key, *is; } rows[] = {
		{ ".attention.key_length", ".attention.key_length_mla" },
		{ ".attention.value_length", ".attention.value_length_mla" },
		{ ".attention.head_count_kv", ".attention.head_count" } };
	char key[128];
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (ends(kv->key, rows[i].is) && i < 2)
			return;
		if (!ends(kv->key, rows[i].key))
			continue;
		snprintf(key, sizeof(key), "%.*s%s", (int)(strlen(kv->key) -
		    strlen(rows[i].key)), kv->key, rows[i].is);
		if (peft_gguf_uint(g, key, &v)) {
			peft_gguf_put_u32(o, kv->key, (uint32_t)v);
			return;
		}
	}
	peft_gguf_put_pair(o, kv);
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
		if (is_of_file(g.kv[i].key, types))
			continue;
		else if (s->remade)
			put_remade(&g, &g.kv[i], o);
		else
			peft_gguf_put_pair(o, &g.kv[i]);
	peft_gguf_free(&g);
	return o->kv.failed ? peft_seterr(err, "no memory for metadata") : 0;
}
