/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_REGEX_H
#define PEFT_BASE_REGEX_H

#include <stdbool.h>

#include "base/err.h"

/* Regular expressions as Python knows them (PEFT's configs hold such), by
 * PCRE2 with limits on what a match may cost. */
struct peft_regex;

struct peft_regex *peft_regex_open(const char *pattern, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_regex_close(struct peft_regex *);
/* Of the whole text (Python's fullmatch): 1, 0, -1 if a limit was hit. */
int		 peft_regex_full(const struct peft_regex *, const char *text,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Anywhere in it (Python's search). */
int		 peft_regex_search(const struct peft_regex *, const char *text,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
