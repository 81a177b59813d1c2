/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_COMPLETE_H
#define PEFT_BASE_COMPLETE_H

#include "base/opt.h"

/* Print the completion script of this program, made from its option tables,
 * for "bash" or "zsh"; -1 for another shell. */
int	peft_complete(const struct peft_opt *own, const struct peft_opt *always,
	    const char *shell);

#endif
