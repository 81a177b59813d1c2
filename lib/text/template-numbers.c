/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters that make and change numbers. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

/* The number that a string spells, white space around it allowed. */
static bool
parse_number(const struct jj_value *v, double *d)
{
	struct jj_value s = peft_jj_strip(v, NULL, true, true);
	char text[64], *end;

	if (s.n == 0 || s.n >= sizeof(text))
		return false;
	memcpy(text, s.s, s.n);
	text[s.n] = '\0';
	if (strspn(text, "+-.0123456789eE") != s.n)
		return false;
	*d = strtod(text, &end);
	return *end == '\0';
}

/* A whole number in a base, with underscores and a prefix, as Python's int()
 * reads it. */
static bool
parse_whole(const struct jj_value *v, int64_t base, int64_t *n)
{
	struct jj_value s = peft_jj_strip(v, NULL, true, true);
	static const char letters[] = "xob";
	static const int bases[] = { 16, 8, 2 };
	char text[80], *end;
	size_t i = 0, k = 0, from;
	const char *l;

	if (i < s.n && strchr("+-", s.s[i]) != NULL)
		text[k++] = s.s[i++];
	if (s.n - i > 2 && s.s[i] == '0' && (l = memchr(letters,
	    s.s[i + 1] | 32, 3)) != NULL && (base == 0 ||
	    base == bases[l - letters])) {
		base = bases[l - letters];
		i += 2;
		i += s.s[i] == '_';
	} else if (base == 0) {
		base = 10;
		for (from = i; from < s.n && strchr("0_", s.s[from]) != NULL;)
			from++;
		if (i < s.n && s.s[i] == '0' && from < s.n)
			return false;
	}
	for (from = i; i < s.n && k < sizeof(text) - 1; i++) {
		char c = s.s[i];

		if (c == '_' && i > from && s.s[i - 1] != '_' && i + 1 < s.n)
			continue;
		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' &&
		    (c | 32) <= 'z')))
			return false;
		text[k++] = c;
	}
	text[k] = '\0';
	errno = 0;
	*n = strtoll(text, &end, (int)base);
	return i == s.n && i > from && *end == '\0' && errno == 0;
}

/* default base */
FILTER(f_int)
{
	int64_t n, base = 10;
	double d = 0;

	if (in->kind == JJ_UNDEFINED)
		return peft_jj_fail(r, "int of something undefined");
	if (in->kind == JJ_STR && ((a->at[1] != NULL &&
	    !peft_jj_is_whole(a->at[1], &base)) || base < 0 || base == 1 ||
	    base > 36))
		base = 37;	/* refused, so it is tried as a real number */
	if (in->kind == JJ_INT)
		*out = *in;
	else if (in->kind == JJ_STR && base < 37 && parse_whole(in, base, &n))
		*out = peft_jj_int(n);
	else if ((in->kind == JJ_STR ? parse_number(in, &d) :
	    peft_jj_is_number(in, &d)) && fabs(d) < 0x1p62)
		*out = peft_jj_int((int64_t)d);
	else
		*out = a->at[0] != NULL ? *a->at[0] : peft_jj_int(0);
	return 0;
}

FILTER(f_float)
{
	double d = 0;

	if (in->kind == JJ_UNDEFINED)
		return peft_jj_fail(r, "float of something undefined");
	if (in->kind == JJ_STR ? parse_number(in, &d) :
	    peft_jj_is_number(in, &d))
		*out = peft_jj_real(d);
	else
		*out = a->at[0] != NULL ? *a->at[0] : peft_jj_real(0);
	return 0;
}

FILTER(f_abs)
{
	int64_t i;
	double d;

	(void)a;
	if (!peft_jj_is_number(in, &d) || (in->kind == JJ_INT &&
	    in->i == INT64_MIN))
		return peft_jj_fail(r, "abs of %s", peft_jj_kind_name(in));
	*out = peft_jj_is_whole(in, &i) ? peft_jj_int(i < 0 ? -i : i) :
	    peft_jj_real(fabs(d));
	return 0;
}

/* To so many digits as Python does, half to even; whole numbers stay whole
 * unless they are rounded up or down. */
FILTER(f_round)
{
	const char *const ways[] = { "common", "ceil", "floor" };
	int64_t digits = 0, whole;
	struct jj_value way = peft_jj_cstr(ways[0]);
	char text[400];
	double d, p;
	size_t k;

	way = a->at[1] != NULL ? *a->at[1] : way;
	for (k = 0; k < 3; k++)
		if (way.kind == JJ_STR && way.n == strlen(ways[k]) &&
		    memcmp(way.s, ways[k], way.n) == 0)
			break;
	if (!peft_jj_is_number(in, &d) || (a->at[0] != NULL &&
	    !peft_jj_is_whole(a->at[0], &digits)) || digits < 0 ||
	    digits > 15 || k == 3)
		return peft_jj_fail(r, "round of %s", peft_jj_kind_name(in));
	p = pow(10, (double)digits);
	snprintf(text, sizeof(text), "%.*f", (int)digits, d);
	*out = k == 0 && peft_jj_is_whole(in, &whole) ? peft_jj_int(whole) :
	    peft_jj_real(k == 0 ? strtod(text, NULL) :
	    (k == 1 ? ceil(d * p) : floor(d * p)) / p);
	return 0;
}

/* 1.5 kB; binary: 1.5 KiB */
FILTER(f_filesize)
{
	bool binary = a->at[0] != NULL && peft_jj_truth(a->at[0]);
	double base = binary ? 1024 : 1000, bytes = 0, unit;
	static const char letters[] = "kMGTPEZY";
	char text[400];
	size_t i;

	if (in->kind == JJ_STR ? !parse_number(in, &bytes) :
	    !peft_jj_is_number(in, &bytes))
		return peft_jj_fail(r, "the size of %s",
		    peft_jj_kind_name(in));
	for (i = 0, unit = base * base; i < 7 && bytes >= unit; i++)
		unit *= base;
	if (bytes == 1)
		snprintf(text, sizeof(text), "1 Byte");
	else if (bytes < base)
		snprintf(text, sizeof(text), "%.0f Bytes", trunc(bytes) + 0.0);
	else
		snprintf(text, sizeof(text), "%.1f %c%sB", base * bytes / unit,
		    binary && i == 0 ? 'K' : letters[i], binary ? "i" : "");
	*out = peft_jj_str(peft_jj_copy(&r->pool, text, strlen(text)),
	    strlen(text), NULL);
	return out->s == NULL ? peft_jj_nomem(r) : 0;
}

static const struct jj_builtin filters[] = {
	{ .name = "int", .f = f_int, .params = "default base" },
	{ .name = "float", .f = f_float, .params = "default" },
	{ .name = "abs", .f = f_abs, .params = "" },
	{ .name = "round", .f = f_round, .params = "precision method" },
	{ .name = "filesizeformat", .f = f_filesize, .params = "binary" },
};

const struct jj_builtin *
peft_jj_number_filter(const char *name, size_t len)
{
	return peft_jj_find(filters, sizeof(filters) / sizeof(filters[0]),
	    name, len, JJ_UNDEFINED);
}

static int
m_is_integer(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = peft_jj_bool(in->f == floor(in->f) && isfinite(in->f));
	return 0;
}

static uint64_t
magnitude(const struct jj_value *v)
{
	return v->i < 0 ? 0 - (uint64_t)v->i : (uint64_t)v->i;
}

static int
m_bit_length(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	uint64_t n = magnitude(in);

	(void)r;
	(void)a;
	*out = peft_jj_int(n == 0 ? 0 : 64 - __builtin_clzll(n));
	return 0;
}

static int
m_bit_count(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = peft_jj_int(__builtin_popcountll(magnitude(in)));
	return 0;
}

static const struct jj_builtin methods[] = {
	{ .name = "is_integer", .f = m_is_integer, .params = "",
	    .of = JJ_FLOAT },
	{ .name = "bit_length", .f = m_bit_length, .params = "",
	    .of = JJ_INT },
	{ .name = "bit_count", .f = m_bit_count, .params = "", .of = JJ_INT },
};

const struct jj_builtin *
peft_jj_number_method(enum jj_kind of, const char *name, size_t len)
{
	return peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    name, len, of);
}
