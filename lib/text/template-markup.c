/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: strings that are Markup, as "safe" and "escape" make them:
 * autoescape is off, but what is added to them is escaped all the same. */

#include <string.h>

#include "text/jinja.h"

int
peft_jj_escape(struct jj_render *r, const struct jj_value *in,
    struct jj_value *out)
{
	static const struct {
		char		 c;
		const char	*s;
	} names[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" },
	    { '\'', "&#39;" }, { '"', "&#34;" } };
	struct jj_text t = { .text = { 0 } };
	struct jj_value s;
	size_t i, k;

	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	for (i = 0; !s.safe && i < s.n; i++) {
		int mark = s.mark == NULL ? 0 : s.mark[i];

		for (k = 0; k < 5 && names[k].c != s.s[i]; k++)
			;
		if (k < 5)
			peft_jj_put(&t, names[k].s, strlen(names[k].s), mark);
		else
			peft_jj_put(&t, s.s + i, 1, mark);
	}
	if (s.safe)
		*out = s;
	else if (peft_jj_take(r, &t, out) == -1)
		return -1;
	out->safe = true;
	return 0;
}

int
peft_jj_add(struct jj_render *r, const struct jj_value *a,
    const struct jj_value *b, struct jj_value *out)
{
	bool safe = a->safe || b->safe;
	struct jj_value x = *a, y = *b;

	if (safe && (peft_jj_escape(r, a, &x) == -1 ||
	    peft_jj_escape(r, b, &y) == -1))
		return -1;
	if (x.n + y.n > JJ_MAXOUT)
		return peft_jj_fail(r, "a string that is too long");
	*out = peft_jj_concat(&r->pool, &x, &y);
	out->safe = safe;
	return peft_jj_spend(r, out->n);
}
