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

/* Of base64, as tokenizer.json has it. */
struct peft_charsmap *peft_charsmap_base64(const char *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_charsmap_close(struct peft_charsmap *);

#endif
