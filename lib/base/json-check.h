/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_JSON_CHECK_H
#define PEFT_BASE_JSON_CHECK_H

#include <stddef.h>

#include "base/err.h"

/* Is s[0..len) one JSON value by RFC 8259, in valid UTF-8, nested at most
 * PEFT_JSON_DEPTH deep, without \u0000 or half surrogate pairs?  Duplicate
 * keys are not looked for. */
enum { PEFT_JSON_DEPTH = 200 };

int	peft_json_check(const char *s, size_t len, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
