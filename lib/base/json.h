/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_JSON_H
#define PEFT_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cJSON.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * The only door to cJSON, whose own reader is lenient: it takes text after the
 * value, bytes that are not UTF-8, \u0000 (which cuts a string short), lone
 * surrogates, NaN and duplicate keys.  None of them passes here.  The result
 * is freed with cJSON_Delete().  Look-ups are case-sensitive.
 *
 * A number that is not spelt as a plain whole one of at most 15 digits has
 * its spelling in valuestring (1.0, 1e5, 9007199254740993); others have NULL.
 */
enum { PEFT_JSON_DEPTH = 200 };		/* nested deeper is refused */

cJSON	*peft_json(const char *s, size_t len, struct peft_err *)
	    PEFT_MUSTCHECK;
/* What people wrote may hold U+0000: in values (not in keys) it is the two
 * bytes c0 80, which UTF-8 has no use for, and is printed as it came.  NULs
 * takes it for what it is, in place, where a text is more than a C string;
 * s has n bytes, and the result so many as it returns. */
cJSON	*peft_json_said(const char *s, size_t len, struct peft_err *)
	    PEFT_MUSTCHECK;
size_t	 peft_json_nuls(char *s, size_t n);

/* What an option's value says: JSON, or a string where it is none. */
cJSON	*peft_json_word(const char *s);

const cJSON	*peft_json_get(const cJSON *object, const char *key);

/* The key gets this value, at the object's end; a value that it had goes. */
void	peft_json_set(cJSON *object, const char *key, cJSON *value);

/* Does a value ask for nothing: absent, null, false, 0, "", [] or {}? */
bool	peft_json_off(const cJSON *);

/* Typed look-ups.  1 found, 0 absent or null (*out untouched), -1 there but
 * of another type or out of range; the message names the key. */
int	peft_json_str(const cJSON *, const char *key, const char **out,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_json_bool(const cJSON *, const char *key, bool *out,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_json_real(const cJSON *, const char *key, double *out,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Whole, and between min and max (both within 2^53). */
int	peft_json_int(const cJSON *, const char *key, int64_t min, int64_t max,
	    int64_t *out, struct peft_err *) PEFT_MUSTCHECK;

/* Append s as a JSON string with its quotes; UTF-8 stays as it is. */
void	peft_json_putstr(struct peft_buf *, const char *s, size_t len);
/* Append the shortest decimal that reads back as the same double; NaN and
 * infinities become null. */
void	peft_json_putreal(struct peft_buf *, double);
/* Append a whole value.  indent 0: one line as Python's json.dumps writes it
 * with separators ("," ":"); otherwise pretty with that many spaces and, if
 * asked, sorted keys (as PEFT and transformers write their files).  Numbers
 * keep their spelling: Python takes 6.0 for another type than 6. */
void	peft_json_print(struct peft_buf *, const cJSON *, int indent,
	    bool sort_keys);

#endif
