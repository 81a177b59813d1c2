/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_TIED_H
#define PEFT_PEFT_TIED_H

#include "peft/method.h"

/*
 * Parts on an embedding that is the head as well, which act on both
 * (ensure_weight_tying; token rows, in any case): such a module has another
 * beside it, at the head, and no parameters of its own there.  Files have
 * them again under the head's name (struct peft_twin); these are the same, or
 * the file is refused.
 */

/* extras.c: of what is chosen for the embedding or the head one part on the
 * embedding remains, for both. */
int	peft_tied_choose(const struct peft_adapter *, const struct peft_sites *,
	    struct peft_choice *, size_t *n, struct peft_err *) PEFT_MUSTCHECK;
/* The shape that a twin has on disk, from its tensor's. */
struct peft_shape peft_tied_shape(const struct peft_module *,
	    struct peft_shape, const char *suffix);
/* After reading; before writing. */
int	peft_tied_check(const struct peft_adapter *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_tied_finish(struct peft_adapter *);
/* Once the module is attached: at the head, too. */
int	peft_tied_attach(struct peft_module *, struct peft_sites *, int index,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_tied_free(struct peft_module *);

#endif
