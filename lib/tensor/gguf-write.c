/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF, written (version 3, little-endian). */

#include <string.h>

#include "base/out.h"
#include "tensor/gguf.h"

static void
put_little(struct peft_buf *b, uint64_t v, size_t n)
{
	unsigned char c[8];
	size_t i;

	for (i = 0; i < n; i++)
		c[i] = (unsigned char)(v >> 8 * i);
	peft_buf_put(b, c, n);
}

static void
put_string(struct peft_buf *b, const char *s, size_t len)
{
	put_little(b, len, 8);
	peft_buf_put(b, s, len);
}

static void
put_key(struct peft_gguf_out *o, const char *key, enum peft_gguf_type type)
{
	put_string(&o->kv, key, strlen(key));
	put_little(&o->kv, type, 4);
	o->nkv++;
}

void
peft_gguf_put_u32(struct peft_gguf_out *o, const char *key, uint32_t v)
{
	put_key(o, key, PEFT_GGUF_U32);
	put_little(&o->kv, v, 4);
}

void
peft_gguf_put_f32(struct peft_gguf_out *o, const char *key, float v)
{
	put_key(o, key, PEFT_GGUF_F32);
	peft_buf_put(&o->kv, &v, sizeof(v));
}

void
peft_gguf_put_bool(struct peft_gguf_out *o, const char *key, bool v)
{
	put_key(o, key, PEFT_GGUF_BOOL);
	peft_buf_putc(&o->kv, v);
}

void
peft_gguf_put_string(struct peft_gguf_out *o, const char *key, const char *s,
    size_t len)
{
	put_key(o, key, PEFT_GGUF_STRING);
	put_string(&o->kv, s, len);
}

void
peft_gguf_put_pair(struct peft_gguf_out *o, const struct peft_gguf_kv *kv)
{
	put_key(o, kv->key, (enum peft_gguf_type)kv->type);
	if (kv->type == PEFT_GGUF_ARRAY) {
		put_little(&o->kv, kv->elem, 4);
		put_little(&o->kv, kv->count, 8);
	}
	peft_buf_put(&o->kv, kv->value, kv->nbytes);
}

void
peft_gguf_put_array(struct peft_gguf_out *o, const char *key,
    enum peft_gguf_type elem, uint64_t count)
{
	put_key(o, key, PEFT_GGUF_ARRAY);
	put_little(&o->kv, elem, 4);
	put_little(&o->kv, count, 8);
}

void
peft_gguf_put_element(struct peft_gguf_out *o, const char *s, size_t len)
{
	put_string(&o->kv, s, len);
}

void
peft_gguf_put_i32(struct peft_gguf_out *o, int32_t v)
{
	put_little(&o->kv, (uint32_t)v, 4);
}

int
peft_gguf_pad(FILE *fp, const char *label, size_t nbytes, struct peft_err *err)
{
	static const char zeros[PEFT_GGUF_ALIGN];

	return peft_fwrite(fp, label, zeros, (PEFT_GGUF_ALIGN -
	    nbytes % PEFT_GGUF_ALIGN) % PEFT_GGUF_ALIGN, err);
}

int
peft_gguf_write(FILE *fp, const char *label, struct peft_gguf_out *o,
    const struct peft_gguf_tensor *t, size_t n, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	uint64_t offset = 0;
	size_t i;
	int d, r;

	peft_buf_put(&b, "GGUF", 4);
	put_little(&b, 3, 4);
	put_little(&b, n, 8);
	put_little(&b, o->nkv, 8);
	peft_buf_put(&b, o->kv.data, o->kv.len);
	for (i = 0; i < n; i++) {
		put_string(&b, t[i].name, strlen(t[i].name));
		put_little(&b, (uint64_t)t[i].ndim, 4);
		for (d = t[i].ndim - 1; d >= 0; d--)
			put_little(&b, t[i].shape[d], 8);
		put_little(&b, (uint64_t)peft_dtypes[t[i].dtype].ggml, 4);
		put_little(&b, offset, 8);
		offset += (t[i].nbytes + PEFT_GGUF_ALIGN - 1) /
		    PEFT_GGUF_ALIGN * PEFT_GGUF_ALIGN;
	}
	if (b.failed || o->kv.failed)
		r = peft_seterr(err, "%s: no memory for the head", label);
	else if ((r = peft_fwrite(fp, label, b.data, b.len, err)) == 0)
		r = peft_gguf_pad(fp, label, b.len, err);
	peft_buf_free(&b);
	return r;
}
