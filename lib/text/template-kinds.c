/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: what kind of characters a string has, by Python's str.is*. */

#include "text/jinja.h"
#include "text/unicode.h"

struct range {
	unsigned	from, to;
};

#include "text/kind-tables.inc"

enum { LOWER = 1, UPPER = 2, TITLE = 4, CASED = LOWER | UPPER | TITLE,
    ALPHA = 8, DECIMAL = 16, DIGIT = 32, NUMERIC = 64, ID = 128,
    ID_START = 256, PRINTABLE = 512, ASCII = 1024,
    ALNUM = ALPHA | DECIMAL | DIGIT | NUMERIC };

static bool
within(const struct range *table, size_t n, unsigned cp)
{
	size_t i;

	for (i = 0; i < n && table[i].to < cp; i++)
		;
	return i < n && cp >= table[i].from;
}
#define IN(table, cp)	within(table, sizeof(table) / sizeof(table[0]), cp)

static const struct {
	enum peft_gc	gc;
	unsigned	kinds;
} by_category[] = {
	{ PEFT_LL, LOWER | ALPHA | ID | ID_START | PRINTABLE },
	{ PEFT_LU, UPPER | ALPHA | ID | ID_START | PRINTABLE },
	{ PEFT_LT, TITLE | ALPHA | ID | ID_START | PRINTABLE },
	{ PEFT_LM, ALPHA | ID | ID_START | PRINTABLE },
	{ PEFT_LO, ALPHA | ID | ID_START | PRINTABLE },
	{ PEFT_ND, DECIMAL | DIGIT | NUMERIC | ID | PRINTABLE },
	{ PEFT_NL, NUMERIC | ID | ID_START | PRINTABLE },
	{ PEFT_NO, NUMERIC | PRINTABLE },
	{ PEFT_MN, ID | PRINTABLE }, { PEFT_MC, ID | PRINTABLE },
	{ PEFT_PC, ID | PRINTABLE },
	{ PEFT_CC, 0 }, { PEFT_CC_SPACE, 0 }, { PEFT_CF, 0 }, { PEFT_CS, 0 },
	{ PEFT_CO, 0 }, { PEFT_CN, 0 }, { PEFT_CN_DIGITS, 0 },
	{ PEFT_ZL, 0 }, { PEFT_ZP, 0 }, { PEFT_ZS, 0 },
};

static unsigned
kinds_of(unsigned cp)
{
	enum { N = sizeof(by_category) / sizeof(by_category[0]) };
	enum peft_gc gc = peft_gc(cp);
	unsigned kinds;
	size_t i;

	for (i = 0; i < N && by_category[i].gc != gc; i++)
		;
	kinds = i < N ? by_category[i].kinds : PRINTABLE;
	if (cp < 0x80)
		return kinds | ASCII | (cp == '_' ? ID_START : 0) |
		    (cp == ' ' ? PRINTABLE : 0);
	return kinds | (IN(more_digits, cp) ? DIGIT : 0) |
	    (IN(more_numbers, cp) ? NUMERIC : 0) |
	    (IN(more_lower, cp) ? LOWER : 0) | (IN(more_upper, cp) ? UPPER : 0);
}

bool
peft_jj_is_word(unsigned cp, bool letter)
{
	unsigned kinds = kinds_of(cp);

	return ((kinds & ALNUM) != 0 || cp == '_') &&
	    !(letter && (kinds & DECIMAL) != 0);
}

/* What holds of the string: of some of its characters, of all. */
struct seen {
	unsigned	some, all, first;
	size_t		n;
	bool		title;	/* upper case begins words and no other place */
};

static struct seen
look(const struct jj_value *s)
{
	struct seen seen = { .all = ~0u, .title = true };
	unsigned kinds, before = 0;
	size_t i, len;

	for (i = 0; i < s->n; i += len, seen.n++, before = kinds) {
		len = peft_utf8_len(s->s + i, s->n - i);
		len = len == 0 ? 1 : len;
		kinds = kinds_of(peft_utf8_get(s->s + i, len));
		seen.some |= kinds;
		seen.all &= kinds;
		if (seen.n == 0)
			seen.first = kinds;
		if ((kinds & CASED) != 0 && ((kinds & LOWER) != 0) !=
		    ((before & CASED) != 0))
			seen.title = false;
	}
	return seen;
}

#define IS(name, what)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)			\
{									\
	struct seen s = look(self);					\
									\
	(void)r;							\
	(void)a;							\
	*out = peft_jj_bool(what);					\
	return 0;							\
}
#define NO(kinds)	((s.some & (kinds)) == 0)
#define ANY(kinds)	(!NO(kinds))
#define EACH(kinds)	(s.n > 0 && (s.all & (kinds)) != 0)

IS(m_isalpha, EACH(ALPHA))
IS(m_isdecimal, EACH(DECIMAL))
IS(m_isdigit, EACH(DIGIT))
IS(m_isnumeric, EACH(NUMERIC))
IS(m_islower, ANY(LOWER) && NO(UPPER | TITLE))
IS(m_isupper, ANY(UPPER) && NO(LOWER | TITLE))
IS(m_istitle, ANY(CASED) && s.title)
IS(m_isidentifier, EACH(ID) && (s.first & ID_START) != 0)
IS(m_isprintable, s.n == 0 || EACH(PRINTABLE))
IS(m_isascii, s.n == 0 || EACH(ASCII))

/* Each of its own kind. */
static int
m_isalnum(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_value c;
	size_t i, len;
	bool yes = self->n > 0;

	(void)r;
	(void)a;
	for (i = 0; i < self->n && yes; i += len) {
		len = peft_utf8_len(self->s + i, self->n - i);
		len = len == 0 ? 1 : len;
		c = peft_jj_sub(self, i, i + len);
		yes = (look(&c).some & ALNUM) != 0;
	}
	*out = peft_jj_bool(yes);
	return 0;
}

#define ROW(n, fn)	{ .name = n, .f = fn, .params = "", .of = JJ_STR }
static const struct jj_builtin methods[] = {
	ROW("isalpha", m_isalpha), ROW("isdecimal", m_isdecimal),
	ROW("isdigit", m_isdigit), ROW("isnumeric", m_isnumeric),
	ROW("isalnum", m_isalnum), ROW("islower", m_islower),
	ROW("isupper", m_isupper), ROW("istitle", m_istitle),
	ROW("isidentifier", m_isidentifier),
	ROW("isprintable", m_isprintable), ROW("isascii", m_isascii),
};

const struct jj_builtin *
peft_jj_kind_method(const char *name, size_t len)
{
	return peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    name, len, JJ_STR);
}
