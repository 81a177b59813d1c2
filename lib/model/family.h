/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_FAMILY_H
#define PEFT_MODEL_FAMILY_H

#include <stddef.h>

/*
 * Families of decoders, one table row each: the names of a family's modules
 * and where its layers differ from the others'.  The forward and backward
 * passes read the row; they have no code of a family's own.
 */
enum peft_slot {			/* modules of one layer */
	PEFT_ATTN_NORM, PEFT_Q, PEFT_K, PEFT_V, PEFT_O,
	PEFT_MLP_NORM, PEFT_GATE, PEFT_UP, PEFT_DOWN,
	PEFT_NSLOT
};

struct peft_family {
	const char	*model_type;	/* config.json's */
	const char	*embed, *layers, *norm, *head;	/* module paths */
	const char	*slot[PEFT_NSLOT];	/* behind layers.N. */
};

/* NULL if there is none. */
const struct peft_family *peft_family_find(const char *model_type);
/* "llama, ..." for messages. */
const char	*peft_family_names(void);

#endif
