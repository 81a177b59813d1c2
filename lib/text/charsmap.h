/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_CHARSMAP_H
#define PEFT_TEXT_CHARSMAP_H

#include <stddef.h>

#include "base/err.h"

/*
 * SentencePiece's precompiled_charsmap: strings and what to put in their
 * place, as a double array (of the library Darts) and a list of texts.
 */
struct peft_charsmap;

/* Of its bytes, which are copied. */
struct peft_charsmap *peft_charsmap_open(const void *, size_t,
		    struct peft_err *) PEFT_MUSTCHECK;
/* The same in base64, as tokenizer.json has it. */
struct peft_charsmap *peft_charsmap_base64(const char *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_charsmap_close(struct peft_charsmap *);

/* What to put for the shortest string of the map that s[0..n) begins with,
 * or for the longest (its bytes then in *used, which is NULL for the
 * shortest): 1 with its bytes in *to and *len, 0 there is none, -1 the map is
 * damaged. */
int		 peft_charsmap_find(const struct peft_charsmap *,
		    const char *s, size_t n, size_t *used, const char **to,
		    size_t *len, struct peft_err *) PEFT_MUSTCHECK;

#endif
