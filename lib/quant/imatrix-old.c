/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices in the older form, read. */

#include "base/buf.h"
#include "base/map.h"
#include "quant/imatrix-impl.h"

struct cursor {
	const uint8_t	*p;
	size_t		 left;
};

static int
take_i32(struct cursor *c, const char *what, int64_t least, int64_t *v,
    struct peft_err *err)
{
	int32_t i;

	if (c->left < 4)
		return peft_seterr(err, "ends early, where %s should be",
		    what);
	memcpy(&i, c->p, 4);
	c->p += 4;
	c->left -= 4;
	*v = i;
	if (i < least)
		return peft_seterr(err, "%s: %d", what, i);
	return 0;
}

static int
take_name(struct cursor *c, const char **name, size_t *len,
    struct peft_err *err)
{
	int64_t n = 0;
	size_t i, k;

	if (take_i32(c, "the length of a name", 1, &n, err) == -1)
		return -1;
	if ((size_t)n > c->left || n > 255)
		return peft_seterr(err, "a name of %lld bytes", (long long)n);
	*name = (const char *)c->p;
	*len = (size_t)n;
	for (i = 0; i < *len; i += k)
		if ((k = peft_utf8_len(*name + i, *len - i)) == 0 ||
		    c->p[i] < 0x20 || c->p[i] == 0x7f)
			return peft_seterr(err, "a name that is not UTF-8, or "
			    "has control characters");
	c->p += n;
	c->left -= (size_t)n;
	return 0;
}

static int
take_entry(struct peft_imatrix *m, size_t *cap, struct cursor *c,
    struct peft_map *seen, struct peft_err *err)
{
	int64_t calls = 0, n = 0;
	struct peft_importance *e;
	const char *name = NULL;
	size_t len = 0, i;
	int r;

	if (take_name(c, &name, &len, err) == -1)
		return -1;
	r = peft_map_add(seen, name, len, 0, err);
	if (r == 0)
		peft_seterr(err, "the entry %.*s is there twice", (int)len,
		    name);
	if (r != 1)
		return -1;
	if (take_i32(c, "a number of calls", INT32_MIN, &calls, err) == -1 ||
	    take_i32(c, "a number of values", 1, &n, err) == -1)
		return peft_errprefix(err, "entry %.*s", (int)len, name);
	if ((size_t)n > c->left / 4)
		return peft_seterr(err, "entry %.*s: %lld values, more than "
		    "the file holds", (int)len, name, (long long)n);
	if ((e = peft_imatrix_add(m, cap, name, len, (size_t)n,
	    err)) == NULL)
		return -1;
	for (i = 0; i < e->n; i++)
		e->mean[i] = calls > 0 ? f32_at(c->p, i) / (float)calls :
		    f32_at(c->p, i);
	c->p += 4 * e->n;
	c->left -= 4 * e->n;
	return peft_imatrix_check(e, err);
}

/* How many chunks, and what they were of: in files that have it. */
static int
take_end(struct peft_imatrix *m, struct cursor *c, struct peft_err *err)
{
	int64_t v = 0;
	size_t i, k;

	if (c->left == 0)
		return 0;
	if (take_i32(c, "the number of chunks", INT32_MIN, &v, err) == -1)
		return -1;
	m->chunks = v > 0 ? (uint32_t)v : 0;
	if (c->left == 0)
		return 0;
	if (take_i32(c, "the length of the data's name", 0, &v, err) == -1)
		return -1;
	if ((size_t)v != c->left)
		return peft_seterr(err, "the data's name has %lld bytes, %zu "
		    "are left", (long long)v, c->left);
	for (i = 0; i < c->left; i += k)
		if ((k = peft_utf8_len((const char *)c->p + i,
		    c->left - i)) == 0)
			return peft_seterr(err, "the data's name is not "
			    "UTF-8");
	return peft_imatrix_name(m, (const char *)c->p, c->left, err);
}

int
peft_imatrix_take_old(struct peft_imatrix *m, const uint8_t *p, size_t size,
    struct peft_err *err)
{
	struct cursor c = { p, size };
	struct peft_map seen = { 0 };
	int64_t n = 0;
	size_t cap = 0;
	int r;

	r = take_i32(&c, "the number of entries", 1, &n, err);
	if (r == 0 && (size_t)n > c.left / 17)
		r = peft_seterr(err, "%lld entries, more than the file holds "
		    "(it is no importance matrix?)", (long long)n);
	for (; r == 0 && n > 0; n--)
		r = take_entry(m, &cap, &c, &seen, err);
	peft_map_free(&seen);
	return r == 0 ? take_end(m, &c, err) : -1;
}
