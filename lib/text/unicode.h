/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_UNICODE_H
#define PEFT_TEXT_UNICODE_H

#include <stddef.h>

/* The classes of characters that pre-tokenizers speak of: \p{L}, \p{N},
 * \s (White_Space). */
enum peft_class { PEFT_OTHER, PEFT_LETTER, PEFT_NUMBER, PEFT_SPACE };

enum peft_class	peft_class_of(unsigned cp);

/* The class of the character at s (n >= 1 bytes of valid UTF-8 are there),
 * and its length. */
enum peft_class	peft_class_at(const char *s, size_t n, size_t *len);

#endif
