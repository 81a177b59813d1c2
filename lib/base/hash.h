/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_HASH_H
#define PEFT_BASE_HASH_H

#include <stddef.h>

#include <nettle/sha2.h>

/* SHA-256 (by nettle, which uses the processor's instructions for it). */
struct peft_sha256 {
	struct sha256_ctx	ctx;
};

#define PEFT_SHA256_HEX	65	/* 64 hexadecimal digits and a NUL */

void	peft_sha256_init(struct peft_sha256 *);
void	peft_sha256_add(struct peft_sha256 *, const void *, size_t);
void	peft_sha256_hex(struct peft_sha256 *, char hex[PEFT_SHA256_HEX]);
void	peft_sha256_of(const void *, size_t, char hex[PEFT_SHA256_HEX]);

#endif
