/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what may stand in an address. */

#include <string.h>

#include "text/jinja.h"

/* In a query "/" is quoted and a space is "+". */
static int
quote(struct jj_render *r, const struct jj_value *v, bool query,
    struct jj_text *t)
{
	static const char hex[] = "0123456789ABCDEF", plain[] = "-._~/";
	struct jj_value s;
	size_t i;

	if (peft_jj_tostr(r, v, &s) == -1)
		return -1;
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.s[i];
		int mark = s.mark == NULL ? 0 : s.mark[i];
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' &&
		    (c | 32) <= 'z') || (memchr(plain, c, 5) != NULL &&
		    !(query && c == '/')))
			peft_jj_put(t, s.s + i, 1, mark);
		else if (query && c == ' ')
			peft_jj_put(t, "+", 1, mark);
		else
			peft_jj_put(t, code, 3, mark);
	}
	return t->text.len > JJ_MAXOUT ? peft_jj_fail(r, "a text that is too "
	    "long") : peft_jj_spend(r, s.n);
}

/* key=value&key=value */
static int
pairs(struct jj_render *r, const struct jj_value *in, struct jj_text *t)
{
	struct jj_value list, pair;
	size_t i;

	if ((in->kind == JJ_DICT ? peft_jj_items_of(r, in, NULL, &list) :
	    peft_jj_items(r, in, &list)) == -1)
		return -1;
	for (i = 0; i < list.n; i++) {
		if (peft_jj_items(r, &list.items[i], &pair) == -1)
			return -1;
		if (pair.n != 2)
			return peft_jj_fail(r, "urlencode of what are no "
			    "pairs");
		if (i > 0)
			peft_jj_put(t, "&", 1, 0);
		if (quote(r, &pair.items[0], true, t) == -1)
			return -1;
		peft_jj_put(t, "=", 1, 0);
		if (quote(r, &pair.items[1], true, t) == -1)
			return -1;
	}
	return 0;
}

int
peft_jj_urlencode(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_text t = { .text = { 0 } };
	bool many = in->kind == JJ_DICT || in->kind == JJ_LIST ||
	    in->kind == JJ_UNDEFINED;

	(void)a;
	if ((many ? pairs(r, in, &t) : quote(r, in, false, &t)) == 0)
		return peft_jj_take(r, &t, out);
	peft_jj_text_free(&t);
	return -1;
}
