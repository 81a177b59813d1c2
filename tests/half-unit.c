/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats, over all their values. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/half.h"
#include "quant/quant.h"
#include "tap.h"

/* Sign, exponent, fraction of a 16-bit float that is finite. */
static double
defined(unsigned bits, int nfrac, int bias)
{
	int e = (int)(bits >> nfrac & ((1u << (15 - nfrac)) - 1));
	double f = (double)(bits & ((1u << nfrac) - 1));
	double v = e == 0 ? ldexp(f, 1 - bias - nfrac) :
	    ldexp(f + ldexp(1, nfrac), e - bias - nfrac);

	return bits & 0x8000 ? -v : v;
}

/*
 * Every finite value there and back; and of the f32 between it and the next
 * one up: the midpoint goes to the even one, its neighbours to the nearer.
 */
static bool
test_half(float (*to)(uint16_t), uint16_t (*from)(float), int nfrac, int bias,
    unsigned inf)
{
	unsigned h, sign;

	for (sign = 0; sign <= 0x8000; sign += 0x8000)
		for (h = 0; h < inf; h++) {
			uint16_t a = (uint16_t)(sign | h);
			double v = defined(a, nfrac, bias), mid;
			uint16_t b = (uint16_t)(a + 1);
			float m;

			if ((double)to(a) != v || !signbit(to(a)) != !sign ||
			    from(to(a)) != a)
				return false;
			/* the step above the last one is as wide */
			mid = h + 1 < inf ? (v + defined(b, nfrac, bias)) / 2 :
			    v + (v - defined(a - 1u, nfrac, bias)) / 2;
			m = (float)mid;
			if ((double)m != mid)
				continue;	/* bf16's finest */
			if (from(m) != (a % 2 == 0 ? a : b) ||
			    from(nextafterf(m, 0)) != a ||
			    from(nextafterf(m, sign ? -INFINITY : INFINITY)) !=
			    b)
				return false;
		}
	return true;
}

static bool
test_special(float (*to)(uint16_t), uint16_t (*from)(float), uint16_t inf)
{
	float quiet = NAN, last;
	uint32_t u = 0x7f800001;
	unsigned h;

	for (h = inf + 1u; h < 0x8000; h++)
		if (!isnan(to((uint16_t)h)) || !isnan(to((uint16_t)(h |
		    0x8000))))
			return false;
	memcpy(&last, &u, sizeof(last));	/* the last bit alone */
	return to(inf) == INFINITY && to(inf | 0x8000) == -INFINITY &&
	    from(INFINITY) == inf && from(-INFINITY) == (inf | 0x8000) &&
	    isnan(to(from(quiet))) && isnan(to(from(last))) &&
	    from(3.4e38f) >= (inf == 0x7c00 ? inf : inf - 1);
}

int
main(void)
{
	ok(test_half(peft_f16_to_f32, peft_f32_to_f16, 10, 15, 0x7c00),
	    "f16: every value, every midpoint");
	ok(test_special(peft_f16_to_f32, peft_f32_to_f16, 0x7c00),
	    "f16: infinity and NaN");
	ok(test_half(peft_from_bf16, peft_to_bf16, 7, 127, 0x7f80),
	    "bf16: every value, every midpoint");
	ok(test_special(peft_from_bf16, peft_to_bf16, 0x7f80),
	    "bf16: infinity and NaN");
	ok(peft_f32_to_f16(65519.996f) == 0x7bff && peft_f32_to_f16(65520) ==
	    0x7c00 && peft_f32_to_f16(0x1p-25f) == 0 &&
	    peft_f32_to_f16(0x1.8p-25f) == 1 && peft_f32_to_f16(-0x1p-149f) ==
	    0x8000, "f16: the ends of its range");
	return tap_end();
}
