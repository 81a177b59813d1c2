/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata values. */

#include <endian.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "tensor/gguf.h"

const struct peft_gguf_kv *
peft_gguf_find(const struct peft_gguf *g, const char *key)
{
	size_t i;

	for (i = 0; i < g->nkv; i++)
		if (strcmp(g->kv[i].key, key) == 0)
			return &g->kv[i];
	return NULL;
}

static uint64_t
little(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n > 0)
		v = v << 8 | p[--n];
	return v;
}

/* Width and signedness of the integer types; 0 for others. */
static const struct {
	size_t	bytes;
	bool	is_signed;
} ints[PEFT_GGUF_NTYPE] = {
	[PEFT_GGUF_U8] = { 1, false }, [PEFT_GGUF_I8] = { 1, true },
	[PEFT_GGUF_U16] = { 2, false }, [PEFT_GGUF_I16] = { 2, true },
	[PEFT_GGUF_U32] = { 4, false }, [PEFT_GGUF_I32] = { 4, true },
	[PEFT_GGUF_U64] = { 8, false }, [PEFT_GGUF_I64] = { 8, true },
	[PEFT_GGUF_BOOL] = { 1, false },
};

int64_t
peft_gguf_int_at(const struct peft_gguf_kv *kv, uint64_t i)
{
	size_t n = ints[kv->elem].bytes;
	uint64_t v = little(kv->value + i * n, n);

	if (ints[kv->elem].is_signed && n < 8 && v >> (8 * n - 1) != 0)
		v |= ~UINT64_C(0) << 8 * n;
	return (int64_t)v;
}

static bool
real_at(const struct peft_gguf_kv *kv, uint64_t i, double *out)
{
	float f;

	if (kv->elem == PEFT_GGUF_F32) {
		memcpy(&f, kv->value + 4 * i, sizeof(f));
		*out = (double)f;
	} else if (kv->elem == PEFT_GGUF_F64)
		memcpy(out, kv->value + 8 * i, sizeof(*out));
	else if (kv->elem == PEFT_GGUF_U64)
		*out = (double)little(kv->value + 8 * i, 8);
	else if (ints[kv->elem].bytes > 0)
		*out = (double)peft_gguf_int_at(kv, i);
	else
		return false;
	return true;
}

bool
peft_gguf_real(const struct peft_gguf *g, const char *key, double *out)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);

	return kv != NULL && kv->type != PEFT_GGUF_ARRAY &&
	    real_at(kv, 0, out) && isfinite(*out);
}

bool
peft_gguf_uint(const struct peft_gguf *g, const char *key, uint64_t *out)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);
	int64_t v;

	if (kv == NULL || kv->type == PEFT_GGUF_ARRAY ||
	    ints[kv->type].bytes == 0 || (v = peft_gguf_int_at(kv, 0)) < 0)
		return false;
	*out = (uint64_t)v;
	return true;
}

int
peft_gguf_token(const struct peft_gguf *g, const char *key, size_t usual,
    size_t n, size_t *id, struct peft_err *err)
{
	uint64_t v;

	*id = usual < n ? usual : SIZE_MAX;
	if (peft_gguf_find(g, key) == NULL)
		return 0;
	if (!peft_gguf_uint(g, key, &v) || v >= n)
		return peft_seterr(err, "the key %s is no token", key);
	*id = (size_t)v;
	return 0;
}

void
peft_gguf_next_string(const uint8_t **p, const char **s, size_t *len)
{
	uint64_t n;

	memcpy(&n, *p, sizeof(n));
	*len = (size_t)le64toh(n);
	*s = (const char *)*p + 8;
	*p += 8 + *len;
}

bool
peft_gguf_string(const struct peft_gguf *g, const char *key, const char **s,
    size_t *len)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);
	const uint8_t *p;

	if (kv == NULL || kv->type != PEFT_GGUF_STRING)
		return false;
	p = kv->value;
	peft_gguf_next_string(&p, s, len);
	return true;
}

/* What is no text is shown as U+FFFD, byte for byte, so that all of it can
 * stand in JSON and on a terminal. */
static void
put_text(struct peft_buf *b, const char *s, size_t len)
{
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = *s == '\0' ? 0 : peft_utf8_len(s, len);
		if (n > 0)
			peft_buf_put(b, s, n);
		else {
			peft_buf_puts(b, "\xef\xbf\xbd");
			n = 1;
		}
	}
}

static void
put_string(struct peft_buf *b, const char *s, size_t len, bool quoted)
{
	struct peft_buf text = { 0 };

	put_text(&text, s, len);
	if (quoted)
		peft_json_putstr(b, text.len > 0 ? text.data : "", text.len);
	else
		peft_buf_put(b, text.data, text.len);
	b->failed |= text.failed;
	peft_buf_free(&text);
}

void
peft_gguf_print(const struct peft_gguf_kv *kv, struct peft_buf *b)
{
	const uint64_t most = 8;
	const uint8_t *p = kv->value;
	bool array = kv->type == PEFT_GGUF_ARRAY;
	const char *s;
	size_t len;
	double d;
	uint64_t i;

	if (array)
		peft_buf_putc(b, '[');
	for (i = 0; i < kv->count && (i < most || !array); i++) {
		if (i > 0)
			peft_buf_puts(b, ", ");
		if (kv->elem == PEFT_GGUF_STRING) {
			peft_gguf_next_string(&p, &s, &len);
			put_string(b, s, len, array);
		} else if (kv->elem == PEFT_GGUF_BOOL)
			peft_buf_puts(b, kv->value[i] ? "true" : "false");
		else if (real_at(kv, i, &d))
			peft_json_putreal(b, d);
	}
	if (kv->count > most && array)
		peft_buf_printf(b, ", ... %llu in all",
		    (unsigned long long)kv->count);
	if (array)
		peft_buf_putc(b, ']');
}
