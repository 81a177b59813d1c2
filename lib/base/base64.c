/* SPDX-License-Identifier: Apache-2.0 */
/* Base64. */

#include <string.h>

#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
peft_base64_put(struct peft_buf *b, const void *data, size_t n)
{
	const unsigned char *s = data;
	char out[4];
	size_t i;

	for (i = 0; i < n; i += 3) {
		unsigned v = (unsigned)s[i] << 16;

		v |= i + 1 < n ? (unsigned)s[i + 1] << 8 : 0;
		v |= i + 2 < n ? s[i + 2] : 0;
		out[0] = digits[v >> 18];
		out[1] = digits[v >> 12 & 63];
		out[2] = i + 1 < n ? digits[v >> 6 & 63] : '=';
		out[3] = i + 2 < n ? digits[v & 63] : '=';
		peft_buf_put(b, out, 4);
	}
}

/* A group of four, of which `pad' are padding. */
static int
get_group(struct peft_buf *b, const char *s, size_t pad)
{
	unsigned v = 0;
	char out[3];
	size_t i;

	for (i = 0; i < 4; i++) {
		const char *d = i < 4 - pad ? memchr(digits, s[i], 64) :
		    digits;

		if (d == NULL)
			return -1;
		v = v << 6 | (unsigned)(d - digits);
	}
	/* bits that stand for nothing are 0 */
	if ((v & ((1u << 8 * pad) - 1)) != 0)
		return -1;
	for (i = 0; i < 3; i++)
		out[i] = (char)(v >> (16 - 8 * i) & 255);
	peft_buf_put(b, out, 3 - pad);
	return 0;
}

int
peft_base64_get(struct peft_buf *b, const char *s, size_t n)
{
	size_t i, pad = 0;

	if (n % 4 != 0)
		return -1;
	while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < n; i += 4)
		if (get_group(b, s + i, i + 4 == n ? pad : 0) == -1)
			return -1;
	return 0;
}
