/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_LIST_H
#define PEFT_TEXT_TOKENIZER_LIST_H

#include "base/buf.h"
#include "text/tokenizer-impl.h"

/* Texts of tokens, which the decoders turn into others. */
struct peft_list {
	struct peft_buf	 text;		/* one behind the other */
	size_t		*end;		/* of each in text */
	size_t		 n, cap;
};

/* What was put into l->text since the last call is a text. */
int	peft_list_end(struct peft_list *, struct peft_err *) PEFT_MUSTCHECK;
struct peft_str	peft_list_at(const struct peft_list *, size_t i);

/* tokenizer-undo.c: a decoder makes another list (empty before) of one. */
int	peft_undo(const struct peft_decoder *, const struct peft_list *in,
	    struct peft_list *out, struct peft_err *) PEFT_MUSTCHECK;
/* The bytes that the visible characters of s[0..n) stand for to dst, which
 * has room for n; SIZE_MAX if they are none. */
size_t	peft_visible_bytes(const char *s, size_t n, char *dst);

#endif
