/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_HASH_IMPL_H
#define PEFT_BASE_HASH_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

/* For hash-pieces.c and its kernel only (and for their test). */
enum { PEFT_SHA256_LANES = 16 };

/* The SHA-256s of so many pieces, one behind the other.  The caller has asked
 * whether the processor has AVX-512. */
void	peft_sha256_lanes_avx512(const void *pieces,
	    uint8_t digests[PEFT_SHA256_LANES][SHA256_DIGEST_SIZE]);

#endif
