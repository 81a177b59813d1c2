/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JINJA_PRINT_H
#define PEFT_TEXT_JINJA_PRINT_H

#include "text/jinja.h"

/* What str() and json.dumps() share. */
void	peft_jj_put_real(struct jj_text *, double);	/* finite */
/* One value deeper: 0 (and r->depth is one more), or -1 when the nesting or
 * the text is too much. */
int	peft_jj_enter(struct jj_render *, const struct jj_text *);

#endif
