/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: split-tool IN.gguf OUT N [FIRST]: IN in N parts, as
 * llama-gguf-split makes them, OUT-00001-of-0000N.gguf and so on; the first
 * part has all metadata, and FIRST tensors if it is given.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "tap.h"
#include "tensor/gguf.h"

static void
put_uint(struct peft_buf *b, uint64_t v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		peft_buf_putc(b, (int)(v >> (8 * i) & 0xff));
}

static void
put_key(struct peft_gguf_out *out, const char *key, uint32_t type)
{
	put_uint(&out->kv, strlen(key), 8);
	peft_buf_puts(&out->kv, key);
	put_uint(&out->kv, type, 4);
	out->nkv++;
}

static void
put_pair(struct peft_gguf_out *out, const struct peft_gguf_kv *kv)
{
	put_key(out, kv->key, kv->type);
	if (kv->type == PEFT_GGUF_ARRAY) {
		put_uint(&out->kv, kv->elem, 4);
		put_uint(&out->kv, kv->count, 8);
	}
	peft_buf_put(&out->kv, kv->value, kv->nbytes);
}

static void
put_part(const struct peft_gguf *g, const struct peft_buf *in,
    const char *name, size_t no, size_t many, size_t from, size_t to)
{
	struct peft_gguf_out out = { 0 };
	struct peft_err err = { 0 };
	struct peft_buf path = { 0 };
	size_t i;
	FILE *fp;

	for (i = 0; no == 0 && i < g->nkv; i++)
		put_pair(&out, &g->kv[i]);
	put_key(&out, "split.no", PEFT_GGUF_U16);
	put_uint(&out.kv, no, 2);
	put_key(&out, "split.count", PEFT_GGUF_U16);
	put_uint(&out.kv, many, 2);
	put_key(&out, "split.tensors.count", PEFT_GGUF_I32);
	put_uint(&out.kv, g->n, 4);
	peft_buf_printf(&path, "%s-%05zu-of-%05zu.gguf", name, no + 1, many);
	need(!path.failed && !out.kv.failed &&
	    (fp = fopen(path.data, "w")) != NULL, &err);
	need(peft_gguf_write(fp, path.data, &out, g->tensors + from,
	    to - from, &err) == 0, &err);
	for (i = from; i < to; i++) {
		const struct peft_gguf_tensor *t = &g->tensors[i];

		fwrite(in->data + t->begin, 1, t->nbytes, fp);
		need(peft_gguf_pad(fp, path.data, t->nbytes, &err) == 0, &err);
	}
	need(fclose(fp) == 0, &err);
	peft_buf_free(&out.kv);
	peft_buf_free(&path);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_buf in = { 0 };
	struct peft_gguf g;
	size_t n, i, from, to, first;

	if (argc != 4 && argc != 5)
		return 1;
	need(peft_in_slurp(argv[1], (size_t)1 << 30, &in, &err) == 0, &err);
	need(peft_gguf_parse(&g, (const uint8_t *)in.data, in.len, &err) == 0,
	    &err);
	n = (size_t)strtoul(argv[3], NULL, 10);
	first = argc == 5 ? (size_t)strtoul(argv[4], NULL, 10) : g.n / n;
	for (i = 0, from = 0; i < n; i++, from = to) {
		to = i == 0 ? first : i == n - 1 ? g.n :
		    from + (g.n - first) / (n - 1);
		put_part(&g, &in, argv[2], i, n, from, to);
	}
	peft_gguf_free(&g);
	peft_buf_free(&in);
	return 0;
}
