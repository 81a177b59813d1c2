/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_TOKENS_H
#define PEFT_PEFT_TOKENS_H

#include "peft/method.h"

/* Distinct token ids, as a config lists them.  NULL with *err that names the
 * key; the caller frees it, and the next of it. */
struct peft_token_ids {
	struct peft_token_ids	*next;	/* those of another module */
	size_t			 n;
	int32_t			 id[];
};

struct peft_token_ids *peft_token_ids_parse(const cJSON *list, const char *key,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
