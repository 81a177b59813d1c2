/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_PRINT_H
#define PEFT_TEXT_JINJA_PRINT_H

#include "text/jinja.h"

/* What str() and json.dumps() share. */
struct jj_words {
	const char	*none, *yes, *no, *nan, *plus, *minus;	/* infinity */
};
/* None, a bool or a number; false: v is something else. */
bool	peft_jj_put_simple(struct jj_text *, const struct jj_value *v,
	    const struct jj_words *);
/* The character of a string at byte i. */
struct jj_char {
	unsigned	cp;
	size_t		len;		/* bytes */
	int		mark;
};
struct jj_char peft_jj_char(const struct jj_value *, size_t i);
/* One value deeper: 0 (and r->depth is one more), or -1 when the nesting or
 * the text is too much. */
int	peft_jj_enter(struct jj_render *, const struct jj_text *);

#endif
