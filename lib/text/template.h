/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TEMPLATE_H
#define PEFT_TEXT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/*
 * Chat templates: the part of Jinja that transformers' templates use
 * (ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop
 * controls and {% generation %}).  Sandboxed by construction: no names but
 * those given, bounded depth, steps (10 million) and output (64 MiB).
 */
struct peft_template;

struct peft_span {
	size_t	begin, end;		/* bytes of the rendered text */
};

struct peft_spans {			/* start from { 0 } */
	struct peft_span	*at;
	size_t			 n, cap;
};
void		 peft_spans_free(struct peft_spans *);
int		 peft_spans_add(struct peft_spans *, size_t begin, size_t end,
		    struct peft_err *) PEFT_MUSTCHECK;

/* Errors name the template's line. */
struct peft_template *peft_template_open(const char *src, size_t len,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_template_close(struct peft_template *);
/* The rendering of the first n messages alone, wanted along with that of all
 * of them (vars.messages), and with add_generation_prompt as it is here. */
struct peft_prefix {
	size_t	n;
	bool	gen;
	size_t	len;		/* comes out: so many bytes of the whole are
				 * that rendering; SIZE_MAX: it is not known
				 * whether any are */
	size_t	rest, nrest;	/* of the renderer */
};

struct peft_prefixes {
	struct peft_prefix	*at;		/* [n], the shortest first */
	size_t			 n;
};

/* vars: an object of the template's variables (messages, tools, bos_token,
 * add_generation_prompt, ...).  Appends to *out; and to *mark, if not NULL,
 * for each byte of it 1 where the byte came from a string of vars, 0 where
 * the template wrote it.  gen, if not NULL, gets the spans inside
 * {% generation %}, wherever that stands: in a macro, in {% set %}.  The
 * variable PEFT_TEMPLATE_NOW, if there is one, is the time (seconds since
 * 1970, UTC) of strftime_now, which else asks the clock.  What
 * raise_exception says is the error.  prefixes, if not NULL, are filled in
 * where this costs little. */
#define PEFT_TEMPLATE_NOW	"peft.now"
int		 peft_template_render(const struct peft_template *,
		    const cJSON *vars, struct peft_buf *out,
		    struct peft_buf *mark, struct peft_spans *gen,
		    struct peft_prefixes *, struct peft_err *) PEFT_MUSTCHECK;
/* Is there such a name in its text at all?  If not, that variable does nothing.
 */
bool		 peft_template_mentions(const struct peft_template *,
		    const char *name);
/* Does the template say what the assistant wrote ({% generation %})? */
bool		 peft_template_generates(const struct peft_template *);

#endif
