/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and times of Arrow's columns, in the form of ISO 8601. */

#include <string.h>

#include "data/arrow-impl.h"

/* The quotient rounded down, as calendars count before their first day. */
static int64_t
down(int64_t n, int64_t by, int64_t *rest)
{
	*rest = n % by;
	if (*rest < 0)
		*rest += by;
	return n / by - (n % by < 0);
}

/* Days since 1970 as a date, in years that begin on the first of March, so
 * that a leap day is the last. */
static void
put_date(struct peft_buf *b, int64_t days)
{
	int64_t era, day, year, month;

	era = down(days + 719468, 146097, &day);	/* of 400 years */
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	year += 400 * era + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;
	peft_buf_printf(b, "%04lld-%02d-%02d", (long long)year, (int)month,
	    (int)day + 1);
}

/* A time of day; the part of a second has 6 places, or 9 where they say
 * more, or is absent, as Python prints it. */
static void
put_clock(struct peft_buf *b, int64_t t, int64_t units)
{
	int64_t part, s = down(t, units, &part);

	peft_buf_printf(b, "%02d:%02d:%02d", (int)(s / 3600),
	    (int)(s / 60 % 60), (int)(s % 60));
	part *= 1000000000 / units;
	if (part % 1000 != 0)
		peft_buf_printf(b, ".%09lld", (long long)part);
	else if (part != 0)
		peft_buf_printf(b, ".%06lld", (long long)part / 1000);
}

/* What a count takes in the buffer: dates and times may have 4 bytes. */
static int64_t
count(const struct peft_arrow_value *v)
{
	const char *format = v->schema->format;
	struct peft_arrow_value whole = *v;

	whole.size = strcmp(format, "tdD") == 0 || strcmp(format, "tts") == 0 ||
	    strcmp(format, "ttm") == 0 ? -4 : -8;
	return peft_arrow_whole(&whole);
}

int
peft_arrow_day(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	int64_t rest;

	(void)err;
	peft_buf_putc(b, '"');
	put_date(b, v->size == 0 ? count(v) :
	    down(count(v), 86400 * (int64_t)v->size, &rest));
	peft_buf_putc(b, '"');
	return 0;
}

int
peft_arrow_clock(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	(void)err;
	peft_buf_putc(b, '"');
	put_clock(b, count(v), v->size);
	peft_buf_putc(b, '"');
	return 0;
}

/* "ts?:ZONE": with a zone the count is one of UTC, and is printed as such:
 * the same instant, without a table of zones. */
int
peft_arrow_instant(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	int64_t rest, day = down(count(v), 86400 * (int64_t)v->size, &rest);

	(void)err;
	peft_buf_putc(b, '"');
	put_date(b, day);
	peft_buf_putc(b, 'T');
	put_clock(b, rest, v->size);
	peft_buf_puts(b, v->schema->format[4] != '\0' ? "+00:00\"" : "\"");
	return 0;
}
