/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_PATTERN_IMPL_H
#define PEFT_TEXT_PATTERN_IMPL_H

#include "base/buf.h"

/* A regular expression of Hugging Face tokenizers (Oniguruma's) as PCRE2
 * spells the same, appended; what cannot be the same is refused. */
int	peft_pattern_translate(const char *, struct peft_buf *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
