/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_RULES_H
#define PEFT_QUANT_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "tensor/weight.h"

/*
 * Types that are asked for weight by weight: by regular expressions that
 * match somewhere in a weight's name (Hugging Face's).  Of several that
 * match, the last counts.
 */
struct peft_rule {
	const char	*pattern;
	enum peft_dtype	 dtype;		/* PEFT_NDTYPE: stay as it is */
};

struct peft_rules;

/* The rules are copied; their patterns are borrowed.  gguf: vectors are f32,
 * so that other types are for matrices. */
struct peft_rules *peft_rules_open(const struct peft_rule *, size_t n,
		    bool gguf, struct peft_err *) PEFT_MUSTCHECK;
void		 peft_rules_close(struct peft_rules *);	/* NULL is allowed */
/* The rule for a weight: 1 with *rule, 0: none, -1 a limit was hit.  Types
 * that come in blocks are for matrices: such a rule passes over vectors. */
int		 peft_rules_match(struct peft_rules *,
		    const struct peft_weight *, const struct peft_rule **rule,
		    struct peft_err *) PEFT_MUSTCHECK;
/* -1 if there is one that matched nothing that it could be for. */
int		 peft_rules_all_hit(const struct peft_rules *,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
