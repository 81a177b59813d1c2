/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF: every value can be printed and asked for, side files made from the
 * metadata are JSON (but for tokens that are there twice, which is told when
 * the tokenizer is opened), and what holds for any source (weights.h). */

#include "tensor/gguf.h"
#include "weights.h"

static void
ask(const struct peft_gguf *g, const struct peft_gguf_kv *kv)
{
	const char *s = NULL;
	double real;
	uint64_t whole, i;
	size_t len = 0;

	(void)peft_gguf_real(g, kv->key, &real);
	(void)peft_gguf_uint(g, kv->key, &whole);
	if (peft_gguf_string(g, kv->key, &s, &len))
		FUZZ_CLAIM((const uint8_t *)s >= kv->value &&
		    len <= kv->nbytes);
	if (kv->elem != PEFT_GGUF_STRING && kv->elem != PEFT_GGUF_F32 &&
	    kv->elem != PEFT_GGUF_F64)
		for (i = 0; i < kv->count; i++)
			(void)peft_gguf_int_at(kv, i);
}

static void
parse(const uint8_t *data, size_t size)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_gguf g;
	size_t i;

	if (peft_gguf_parse(&g, data, size, &err) == -1)
		return;
	for (i = 0; i < g.nkv; i++) {
		FUZZ_CLAIM(peft_gguf_find(&g, g.kv[i].key) == &g.kv[i]);
		ask(&g, &g.kv[i]);
		peft_gguf_print(&g.kv[i], &b);
	}
	for (i = 0; i < g.n; i++)
		FUZZ_CLAIM(g.tensors[i].begin <= size &&
		    g.tensors[i].nbytes <= size - g.tensors[i].begin);
	peft_buf_free(&b);
	peft_gguf_free(&g);
}

static void
check_sides(struct peft_source *s)
{
	struct peft_err err = { 0 };
	const struct peft_side *side = NULL;
	size_t n = 0;

	FUZZ_CLAIM(s == NULL || peft_source_sides(s, &side, &n, &err) == 0);
	for (; n > 0; n--, side++) {
		cJSON *j;

		if (strstr(side->name, ".json") == NULL)
			continue;
		j = peft_json(side->data, side->len, &err);
		FUZZ_CLAIM(j != NULL || (strstr(err.msg, "duplicate key") &&
		    strcmp(side->name, "tokenizer.json") == 0));
		cJSON_Delete(j);
	}
	peft_source_close(s);
}

/* With its weights, and without. */
static void
open_both(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	struct peft_err err = { 0 };

	check_sides(peft_source_open(file.path, &err));
	check_sides(peft_source_open_sides(file.path, &err));
	fuzz_close(&file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size);
	if (size < 4 || memcmp(data, "GGUF", 4) != 0)
		return 0;
	open_both(data, size);
	fuzz_source(data, size);
	return 0;
}
