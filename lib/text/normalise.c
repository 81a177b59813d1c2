/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisers that work character by character. */

#include <utf8proc.h>

#include "base/buf.h"
#include "text/mapped.h"
#include "text/unicode.h"

/* The first character of which something else becomes. */
static size_t
first_change(const struct peft_rewrite *r, const struct peft_view *v)
{
	unsigned cp, to[3];
	size_t i, len;

	for (i = 0; i < v->n; i += len) {
		len = peft_utf8_len(v->s + i, v->n - i);
		cp = peft_utf8_get(v->s + i, len);
		if (r->each(cp, to) != 1 || to[0] != cp)
			break;
	}
	return i;
}

/* What becomes of a character stands for what it stood for. */
int
peft_rewrite_each(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t i = first_change(r, v), len, n, k;
	struct peft_origin from;
	unsigned to[3];
	char utf8[4];

	if (i == v->n)
		return 0;
	out->n = 0;
	if (peft_mapped_copy(out, v, 0, i, err) == -1)
		return -1;
	for (; i < v->n; i += len) {
		len = peft_utf8_len(v->s + i, v->n - i);
		n = r->each(peft_utf8_get(v->s + i, len), to);
		from = peft_view_origin(v, i);
		for (k = 0; k < n; k++)
			if (peft_mapped_put(out, utf8, peft_utf8_put(utf8,
			    to[k]), from, err) == -1)
				return -1;
	}
	return 1;
}

int
peft_rewrite_strip(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t begin = 0, end = v->n;

	if (r->left)
		begin = peft_space_after(v->s, v->n, 0);
	if (r->right)
		end = peft_space_before(v->s, begin, v->n);
	if (begin == 0 && end == v->n)
		return 0;
	out->n = 0;
	return peft_mapped_copy(out, v, begin, end, err) == -1 ? -1 : 1;
}

static size_t
keep(unsigned cp, unsigned to[3])
{
	to[0] = cp;
	return 1;
}

/* Pairs that are newer than Unicode 15, up to 17: each letter from..to in
 * steps is by `by' below or above its small one. */
static const struct {
	unsigned	from, to, step;
	int		by;
} newer_pairs[] = {
	{ 0x1c89, 0x1c89, 1, 1 }, { 0xa7cb, 0xa7cb, 1, 0x264 - 0xa7cb },
	{ 0xa7cc, 0xa7ce, 2, 1 }, { 0xa7d2, 0xa7d4, 2, 1 },
	{ 0xa7da, 0xa7da, 1, 1 }, { 0xa7dc, 0xa7dc, 1, 0x19b - 0xa7dc },
	{ 0x10d50, 0x10d65, 1, 32 }, { 0x16ea0, 0x16eb8, 1, 27 },
};

size_t
peft_each_lower(unsigned cp, unsigned to[3])
{
	size_t i;

	to[0] = cp;
	if (cp < 0x80) {
		to[0] += cp >= 'A' && cp <= 'Z' ? 32 : 0;
		return 1;
	}
	if (cp == 0x130) {	/* the only one that becomes two */
		to[0] = 'i';
		to[1] = 0x307;
		return 2;
	}
	for (i = 0; i < sizeof(newer_pairs) / sizeof(newer_pairs[0]); i++)
		if (cp >= newer_pairs[i].from && cp <= newer_pairs[i].to) {
			if ((cp - newer_pairs[i].from) % newer_pairs[i].step ==
			    0)
				to[0] = cp + (unsigned)newer_pairs[i].by;
			return 1;
		}
	to[0] = (unsigned)utf8proc_tolower((utf8proc_int32_t)cp);
	return 1;
}

size_t
peft_each_bare(unsigned cp, unsigned to[3])
{
	return peft_is_combining(cp) ? 0 : keep(cp, to);
}

size_t
peft_each_bert_bare(unsigned cp, unsigned to[3])
{
	return peft_is_nonspacing(cp) ? 0 : keep(cp, to);
}

size_t
peft_each_nmt(unsigned cp, unsigned to[3])
{
	if ((cp >= 1 && cp <= 8) || cp == 0x0b || (cp >= 0x0e && cp <= 0x1f) ||
	    cp == 0x7f || cp == 0x8f || cp == 0x9f)
		return 0;
	if (cp == 9 || cp == 10 || cp == 12 || cp == 13 || cp == 0x1680 ||
	    (cp >= 0x200b && cp <= 0x200f) || cp == 0x2028 || cp == 0x2029 ||
	    cp == 0x2581 || cp == 0xfeff || cp == 0xfffd)
		cp = ' ';
	return keep(cp, to);
}

size_t
peft_each_bert_clean(unsigned cp, unsigned to[3])
{
	if (cp == 0 || (peft_is_other(cp) && cp != 9 && cp != 10 && cp != 13))
		return 0;
	return keep(peft_class_of(cp) == PEFT_SPACE ? ' ' : cp, to);
}

size_t
peft_each_bert_han(unsigned cp, unsigned to[3])
{
	if (cp < 0x3400 || !(cp <= 0x4dbf || (cp >= 0x4e00 && cp <= 0x9fff) ||
	    (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x20000 &&
	    cp <= 0x2a6df) || (cp >= 0x2a700 && cp <= 0x2b81f) ||
	    (cp >= 0x2b920 && cp <= 0x2ceaf) || (cp >= 0x2f800 &&
	    cp <= 0x2fa1f)))
		return keep(cp, to);
	to[0] = to[2] = ' ';
	to[1] = cp;
	return 3;
}
