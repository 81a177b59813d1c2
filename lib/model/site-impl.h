/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_SITE_IMPL_H
#define PEFT_MODEL_SITE_IMPL_H

#include "model/site.h"

/* What a slot is: features in and out, and of a norm with weights of their
 * own for each of several heads, how many. */
struct peft_form {
	size_t	in, out, heads;
};

/* slot.c: by enum peft_slot. */
struct peft_form peft_slot_of(const struct peft_config *, int slot);
enum peft_site_kind peft_slot_kind(int slot);

#endif
