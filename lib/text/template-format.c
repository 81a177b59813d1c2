/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: Python's format(), as str.format and % use it. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja-format.h"
#include "text/jinja-print.h"

enum { MAXWIDTH = 10000, MAXPREC = 100 };

static size_t
number(const char **p, const char *end, size_t most, bool *there)
{
	size_t n = 0;

	*there = *p < end && **p >= '0' && **p <= '9';
	for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
		n = n > most ? n : n * 10 + (size_t)(**p - '0');
	return n;
}

/* The digits of a whole number, or of a real one, without a sign. */
static int
digits(struct jj_render *r, const struct jj_value *v, const struct jj_spec *s,
    char *text, size_t size)
{
	static const char whole[] = "dxXo";
	bool real = s->type != '\0' && strchr("eEfFgG%", s->type) != NULL;
	char form[8] = "%.*f";
	double d = 0;
	int64_t i;

	if (!peft_jj_is_number(v, &d))
		return peft_jj_fail(r, "format '%c' of %s", s->type,
		    peft_jj_kind_name(v));
	if (v->kind != JJ_FLOAT && !real) {
		form[1] = 'l';
		form[2] = 'l';
		form[3] = s->type == '\0' || s->type == 'n' ? 'd' : s->type;
		if (strchr(whole, form[3]) == NULL ||
		    !peft_jj_is_whole(v, &i) || i == INT64_MIN)
			return peft_jj_fail(r, "format '%c' of %s", s->type,
			    peft_jj_kind_name(v));
		if (form[3] == 'd')
			snprintf(text, size, "%lld", (long long)llabs(i));
		else
			snprintf(text, size, form[3] == 'x' ? "%llx" :
			    form[3] == 'X' ? "%llX" : "%llo",
			    (unsigned long long)llabs(i));
		return 0;
	}
	if (!real && s->type != '\0' && s->type != 'n')
		return peft_jj_fail(r, "format '%c' of a float", s->type);
	form[3] = s->type == '%' ? 'f' : real ? s->type : 'g';
	snprintf(text, size, form[3] == 'e' ? "%.*e" : form[3] == 'E' ?
	    "%.*E" : form[3] == 'g' ? "%.*g" : form[3] == 'G' ? "%.*G" :
	    "%.*f", s->prec < 0 ? 6 : s->prec, fabs(s->type == '%' ? 100 * d :
	    d));
	if (s->type == '%')
		strcat(text, "%");
	return 0;
}

/* 1234567.5 becomes 1,234,567.5. */
static void
group(char *text)
{
	size_t n = strspn(text, "0123456789"), i;

	for (i = n; i > 3; i -= 3) {
		memmove(text + i - 2, text + i - 3, strlen(text + i - 3) + 1);
		text[i - 3] = ',';
	}
}

static void
pad(struct jj_text *t, const struct jj_spec *s, size_t n)
{
	for (; n > 0; n--)
		peft_jj_put(t, s->fill, strlen(s->fill), 0);
}

/* v between what fills it up to the width; align: of those without one. */
static void
put_padded(struct jj_text *t, const struct jj_spec *s, const struct jj_value *v,
    char align)
{
	size_t chars = peft_jj_chars(v);
	size_t more = s->width > chars ? s->width - chars : 0, before;

	align = s->align != '\0' ? s->align : align;
	before = align == '>' ? more : align == '^' ? more / 2 : 0;
	pad(t, s, before);
	peft_jj_put_str(t, v);
	pad(t, s, more - before);
}

static int
put_number(struct jj_render *r, struct jj_text *t, const struct jj_spec *s,
    const struct jj_value *v)
{
	char text[512], all[1024], sign[2] = "";
	const char *base = "";
	struct jj_value str;
	size_t zeros = 0, n;
	double d = 0;

	if (v->kind == JJ_FLOAT && s->type == '\0' && s->prec < 0) {
		if (peft_jj_tostr(r, v, &str) == -1)
			return -1;
		n = str.n < sizeof(text) - 1 ? str.n : sizeof(text) - 1;
		memcpy(text, str.s, n);
		text[n] = '\0';
		if (text[0] == '-')
			memmove(text, text + 1, n);
	} else if (digits(r, v, s, text, sizeof(text) - 200) == -1)
		return -1;
	(void)peft_jj_is_number(v, &d);
	if (d < 0 || (d == 0 && signbit(d) != 0))
		sign[0] = '-';
	else if (s->sign != '\0' && s->sign != '-')
		sign[0] = s->sign;
	if (s->alt && v->kind != JJ_FLOAT)
		base = s->type == 'x' ? "0x" : s->type == 'X' ? "0X" :
		    s->type == 'o' ? "0o" : "";
	if (s->comma)
		group(text);
	n = strlen(sign) + strlen(base) + strlen(text);
	if (s->zero && s->width > n && s->width < 400)
		zeros = s->width - n;
	snprintf(all, sizeof(all), "%s%s%.*s%s", sign, base, (int)zeros,
	    "000000000000000000000000000000000000000000000000000000000000"
	    "000000000000000000000000000000000000000000000000000000000000"
	    "000000000000000000000000000000000000000000000000000000000000"
	    "000000000000000000000000000000000000000000000000000000000000"
	    "000000000000000000000000000000000000000000000000000000000000"
	    "000000000000000000000000000000000000000000000000000000000000"
	    "0000000000000000000000000000000000000000", text);
	str = peft_jj_cstr(all);
	put_padded(t, s, &str, '>');
	return 0;
}

int
peft_jj_put_format(struct jj_render *r, struct jj_text *t,
    const struct jj_spec *s, const struct jj_value *v)
{
	struct jj_value str;
	double d;
	bool plain = s->type == '\0' && s->width == 0 && s->prec < 0 &&
	    s->sign == '\0' && !s->comma && !s->zero;

	if (s->type != 's' && !plain && peft_jj_is_number(v, &d))
		return put_number(r, t, s, v);
	if (s->type != '\0' && s->type != 's')
		return peft_jj_fail(r, "format '%c' of %s", s->type,
		    peft_jj_kind_name(v));
	if (peft_jj_tostr(r, v, &str) == -1)
		return -1;
	if (s->prec >= 0 && (size_t)s->prec < peft_jj_chars(&str))
		str = peft_jj_sub(&str, 0, peft_jj_char_at(&str,
		    (size_t)s->prec));
	put_padded(t, s, &str, '<');
	return peft_jj_spend(r, str.n + s->width);
}

/* [[fill]align][sign][#][0][width][,][.precision][type] */
int
peft_jj_spec(struct jj_render *r, const char *p, size_t n, struct jj_spec *s)
{
	const char *end = p + n;
	size_t len = n == 0 ? 0 : peft_utf8_len(p, n);
	bool there;

	*s = (struct jj_spec){ .prec = -1, .fill = " " };
	if (len > 0 && len < n && strchr("<>^=", p[len]) != NULL) {
		memcpy(s->fill, p, len);
		s->fill[len] = '\0';
		s->align = p[len];
		p += len + 1;
	} else if (n > 0 && strchr("<>^=", *p) != NULL)
		s->align = *p++;
	if (p < end && strchr("+- ", *p) != NULL)
		s->sign = *p++;
	if (p < end && *p == '#')
		s->alt = *p++ == '#';
	if (p < end && *p == '0' && s->align == '\0')
		s->zero = *p++ == '0';
	s->width = number(&p, end, MAXWIDTH, &there);
	if (p < end && *p == ',')
		s->comma = *p++ == ',';
	if (p < end && *p == '.') {
		p++;
		s->prec = (int)number(&p, end, MAXPREC, &there);
		if (!there)
			return peft_jj_fail(r, "a format without a precision");
	}
	if (p < end)
		s->type = *p++;
	if (p < end || s->width > MAXWIDTH || s->prec > MAXPREC ||
	    s->align == '=')
		return peft_jj_fail(r, "the format '%.*s' is not known here",
		    n < 40 ? (int)n : 40, end - n);
	return 0;
}
