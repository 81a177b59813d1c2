/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_ALORA_H
#define PEFT_PEFT_ALORA_H

#include "peft/method.h"

/* The adapter's invocation, if its config has one (else .n is 0). */
int	peft_alora_open(struct peft_adapter *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_alora_attach(struct peft_adapter *, struct peft_sites *,
	    int index);

#endif
