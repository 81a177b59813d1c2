/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of Arrow's columns as JSON. */

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/arrow-impl.h"

enum { MAXPLACES = 80, MAXWORDS = 8 };		/* of decimals */

int64_t
peft_arrow_whole(const struct peft_arrow_value *v)
{
	const void *p = v->array->buffers[1];
	int64_t i = v->i;

	switch (v->size) {
	case -1: return ((const int8_t *)p)[i];
	case 1: return ((const uint8_t *)p)[i];
	case -2: return ((const int16_t *)p)[i];
	case 2: return ((const uint16_t *)p)[i];
	case -4: return ((const int32_t *)p)[i];
	case 4: return ((const uint32_t *)p)[i];
	}
	return ((const int64_t *)p)[i];
}

int
peft_arrow_int(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	int64_t n = peft_arrow_whole(v);

	(void)err;
	if (v->size > 0)
		peft_buf_printf(b, "%" PRIu64, (uint64_t)n);
	else
		peft_buf_printf(b, "%" PRId64, n);
	return 0;
}

static double
of_half(unsigned h)
{
	int exponent = (int)(h >> 10 & 31);
	double m = h & 1023;

	if (exponent == 31)
		return NAN;		/* null, as infinities are */
	m = exponent == 0 ? ldexp(m, -24) : ldexp(m + 1024, exponent - 25);
	return h & 0x8000 ? -m : m;
}

int
peft_arrow_real(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	const void *p = v->array->buffers[1];
	size_t from = b->len;
	double n = v->size == 2 ? of_half(((const uint16_t *)p)[v->i]) :
	    v->size == 4 ? (double)((const float *)p)[v->i] :
	    ((const double *)p)[v->i];

	(void)err;
	peft_json_putreal(b, n);
	/* Python, and so a template, prints 6.0 where JSON would have 6 */
	if (!b->failed && strcspn(b->data + from, ".enu") == b->len - from)
		peft_buf_puts(b, ".0");
	return 0;
}

/* The digits of a number of n words, the lowest first, backwards; it is
 * divided to nothing. */
static size_t
digits_of(uint32_t *words, size_t n, char *dst)
{
	size_t len = 0, i;

	while (n > 0) {
		uint64_t rest = 0;

		for (i = n; i-- > 0; ) {
			rest = rest << 32 | words[i];
			words[i] = (uint32_t)(rest / 10);
			rest %= 10;
		}
		dst[len++] = (char)('0' + rest);
		while (n > 0 && words[n - 1] == 0)
			n--;
	}
	return len;
}

/* "d:PRECISION,SCALE" or "d:PRECISION,SCALE,BITS", two's complement. */
int
peft_arrow_scale(const char *format, size_t *scale, size_t *words)
{
	long places = 0, bits = 128;
	char *p;

	strtol(format + 2, &p, 10);
	if (*p == ',')
		places = strtol(p + 1, &p, 10);
	if (*p == ',')
		bits = strtol(p + 1, &p, 10);
	*scale = (size_t)places;
	*words = (size_t)bits / 32;
	return *p != '\0' || places < 0 || places > MAXPLACES || bits < 32 ||
	    bits > 32 * MAXWORDS || bits % 32 != 0 ? -1 : 0;
}

int
peft_arrow_decimal(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	char digits[MAXPLACES + 10 * MAXWORDS];
	uint32_t words[MAXWORDS];
	size_t scale, n, len, i;
	bool minus;

	if (peft_arrow_scale(v->schema->format, &scale, &n) == -1)
		return peft_seterr(err, "a decimal of the type '%s'",
		    v->schema->format);
	memcpy(words, (const char *)v->array->buffers[1] +
	    (size_t)v->i * n * 4, n * 4);
	minus = words[n - 1] >> 31 != 0;
	for (i = 0; minus && i < n; i++)
		words[i] = ~words[i];
	for (i = 0; minus && i < n && ++words[i] == 0; i++)
		;
	len = digits_of(words, n, digits);
	if (minus)
		peft_buf_putc(b, '-');
	while (len <= scale)
		digits[len++] = '0';
	for (i = len; i-- > 0; ) {
		peft_buf_putc(b, digits[i]);
		if (i > 0 && i == scale)
			peft_buf_putc(b, '.');
	}
	return 0;
}
