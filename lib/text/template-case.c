/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: letters in upper and lower case. */

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "text/jinja.h"

/* What becomes of a character behind another (0: at the start). */
typedef bool raises(unsigned before, locale_t);

static bool
always(unsigned before, locale_t loc)
{
	(void)before;
	(void)loc;
	return true;
}

static bool
never(unsigned before, locale_t loc)
{
	(void)before;
	(void)loc;
	return false;
}

static bool
at_start(unsigned before, locale_t loc)
{
	(void)loc;
	return before == 0;
}

/* str.title(): behind what is no letter. */
static bool
behind_others(unsigned before, locale_t loc)
{
	return iswalpha_l((wint_t)before, loc) == 0;
}

/* The filter title, which has its own mind of what a word begins behind. */
static bool
behind_breaks(unsigned before, locale_t loc)
{
	char utf8[4];

	(void)loc;
	return before == 0 || (before < 0x80 &&
	    strchr("-({[<", (int)before) != NULL) ||
	    peft_jj_space(utf8, peft_utf8_put(utf8, before)) > 0;
}

/* One character; ß is the one letter of use whose capital is two. */
static void
put_char(struct jj_text *t, unsigned cp, bool up, int mark, locale_t loc)
{
	char utf8[4];

	if (up && cp == 0xdf) {
		peft_jj_put(t, "SS", 2, mark);
		return;
	}
	cp = (unsigned)(up ? towupper_l((wint_t)cp, loc) :
	    towlower_l((wint_t)cp, loc));
	peft_jj_put(t, utf8, peft_utf8_put(utf8, cp), mark);
}

static int
change(struct jj_render *r, const struct jj_value *in, raises *rule,
    struct jj_value *out)
{
	/* a fixed one, whatever the user's is */
	locale_t loc = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	struct jj_text t = { .text = { 0 } };
	unsigned before = 0, cp;
	struct jj_value s;
	size_t i, len;

	if (loc == (locale_t)0)
		return peft_jj_fail(r, "upper and lower case are not known on "
		    "this system");
	if (peft_jj_tostr(r, in, &s) == -1) {
		freelocale(loc);
		return -1;
	}
	for (i = 0; i < s.n; i += len, before = cp) {
		len = peft_utf8_len(s.s + i, s.n - i);
		len = len == 0 ? 1 : len;
		cp = peft_utf8_get(s.s + i, len);
		put_char(&t, cp, rule(before, loc),
		    s.mark == NULL ? 0 : s.mark[i], loc);
	}
	freelocale(loc);
	if (peft_jj_take(r, &t, out) == -1)
		return -1;
	out->safe = s.safe;
	return 0;
}

int
peft_jj_upper(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, always, out);
}

int
peft_jj_lower(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, never, out);
}

int
peft_jj_capitalize(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, at_start, out);
}

int
peft_jj_title(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, behind_others, out);
}

int
peft_jj_headline(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, behind_breaks, out);
}
