/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: letters in upper and lower case. */

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include <utf8proc.h>

#include "text/jinja.h"

/* Is a character behind another (0: at the start) to be a capital? */
typedef bool raises(unsigned before, unsigned cp, locale_t);

static bool
always(unsigned before, unsigned cp, locale_t loc)
{
	(void)cp;
	(void)before;
	(void)loc;
	return true;
}

static bool
never(unsigned before, unsigned cp, locale_t loc)
{
	(void)cp;
	(void)before;
	(void)loc;
	return false;
}

static bool
at_start(unsigned before, unsigned cp, locale_t loc)
{
	(void)cp;
	(void)loc;
	return before == 0;
}

/* str.title(): behind what is no letter. */
static bool
behind_others(unsigned before, unsigned cp, locale_t loc)
{
	(void)cp;
	return iswalpha_l((wint_t)before, loc) == 0;
}

static bool
swapped(unsigned before, unsigned cp, locale_t loc)
{
	(void)before;
	return iswlower_l((wint_t)cp, loc) != 0;
}

/* The filter title, which has its own mind of what a word begins behind. */
static bool
behind_breaks(unsigned before, unsigned cp, locale_t loc)
{
	(void)cp;
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

static unsigned
char_at(const struct jj_value *s, size_t i, size_t *len)
{
	*len = peft_utf8_len(s->s + i, s->n - i);
	*len = *len == 0 ? 1 : *len;
	return peft_utf8_get(s->s + i, *len);
}

/* A small sigma is another one at the end of a word. */
static bool
ends_word(const struct jj_value *s, size_t next, unsigned before, locale_t loc)
{
	size_t len;

	return iswalpha_l((wint_t)before, loc) != 0 && (next >= s->n ||
	    iswalpha_l((wint_t)char_at(s, next, &len), loc) == 0);
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
		cp = char_at(&s, i, &len);
		if (cp == 0x3a3 && !rule(before, cp, loc) &&
		    ends_word(&s, i + len, before, loc))
			peft_jj_put(&t, "\u03c2", 2, s.mark == NULL ? 0 :
			    s.mark[i]);
		else
			put_char(&t, cp, rule(before, cp, loc),
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

int
peft_jj_swapcase(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change(r, in, swapped, out);
}

/* What letters of either case are compared by; one may become several. */
int
peft_jj_casefold(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_text t = { .text = { 0 } };
	utf8proc_int32_t part[16];
	utf8proc_ssize_t k, n;
	char utf8[4];
	size_t i, len;
	int mark, last = 0;

	(void)a;
	for (i = 0; i < in->n; i += len) {
		unsigned cp = char_at(in, i, &len);

		mark = in->mark == NULL ? 0 : in->mark[i];
		n = utf8proc_decompose_char((utf8proc_int32_t)cp, part, 16,
		    UTF8PROC_CASEFOLD, &last);
		for (k = 0; k < n && k < 16; k++)
			peft_jj_put(&t, utf8, peft_utf8_put(utf8,
			    (unsigned)part[k]), mark);
	}
	if (peft_jj_take(r, &t, out) == -1)
		return -1;
	out->safe = in->safe;
	return 0;
}
