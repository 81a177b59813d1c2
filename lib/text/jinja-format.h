/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_FORMAT_H
#define PEFT_TEXT_JINJA_FORMAT_H

#include "text/jinja.h"

/* How a value is written: Python's "Format Specification Mini-Language". */
struct jj_spec {
	char	fill[5];		/* a character, in UTF-8 */
	char	align, sign, type;	/* '\0': not given */
	bool	alt, zero, comma;
	size_t	width;
	int	prec;			/* -1: not given */
};

/* template-format.c: one from s[0..n); a value written as it says. */
int	peft_jj_spec(struct jj_render *, const char *s, size_t n,
	    struct jj_spec *);
int	peft_jj_put_format(struct jj_render *, struct jj_text *,
	    const struct jj_spec *, const struct jj_value *);

/* template-fields.c: str.format; %, whose right side is a tuple, a dict or
 * one value. */
jj_function	peft_jj_format;
int	peft_jj_percent(struct jj_render *, const struct jj_value *,
	    const struct jj_value *, struct jj_value *out);

#endif
