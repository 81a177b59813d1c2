/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, by nettle. */

#include "base/hash.h"

void
peft_sha256_init(struct peft_sha256 *h)
{
	sha256_init(&h->ctx);
}

void
peft_sha256_add(struct peft_sha256 *h, const void *p, size_t n)
{
	sha256_update(&h->ctx, n, p);
}

void
peft_sha256_hex(struct peft_sha256 *h, char hex[PEFT_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[SHA256_DIGEST_SIZE];
	size_t i;

	sha256_digest(&h->ctx, sizeof(raw), raw);
	for (i = 0; i < sizeof(raw); i++) {
		hex[2 * i] = digits[raw[i] >> 4];
		hex[2 * i + 1] = digits[raw[i] & 15];
	}
	hex[2 * sizeof(raw)] = '\0';
}

void
peft_sha256_of(const void *p, size_t n, char hex[PEFT_SHA256_HEX])
{
	struct peft_sha256 h;

	peft_sha256_init(&h);
	peft_sha256_add(&h, p, n);
	peft_sha256_hex(&h, hex);
}
