/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_PATTERN_H
#define PEFT_TEXT_PATTERN_H

#include <stddef.h>

#include "base/err.h"

/*
 * What tokenizer.json searches for: a string, or a regular expression.  The
 * latter are Oniguruma's (Ruby's syntax) and are run by PCRE2; what the two
 * read differently is translated or refused.  What characters are letters is
 * PCRE2's Unicode.
 */
struct peft_pattern;

struct peft_pattern *peft_pattern_string(const char *, struct peft_err *)
		    PEFT_MUSTCHECK;
struct peft_pattern *peft_pattern_regex(const char *, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_pattern_close(struct peft_pattern *);

/* The first match in s[at..n), UTF-8, to *begin and *end (an empty one has
 * them equal): 1, 0 there is none, -1 it takes too long. */
int		 peft_pattern_find(const struct peft_pattern *, const char *s,
		    size_t n, size_t at, size_t *begin, size_t *end,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
