/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_CONVERT_OPT_H
#define PEFT_QUANT_CONVERT_OPT_H

#include "quant/convert.h"

/* For commands: what -t, --keep and --pure say of a conversion.  All of these
 * die where it cannot be (base/opt.h). */
enum { PEFT_MAXRULE = 64 };

struct peft_typeopt {
	struct peft_rule	 rules[PEFT_MAXRULE];
	size_t			 nrules;
	const char		*type;		/* without a pattern */
	bool			 pure;
};

/* TYPE, or REGEX=TYPE, which is cut in two (a regex may hold a =, a type does
 * not). */
void	peft_typeopt_type(struct peft_typeopt *, char *arg);
void	peft_typeopt_keep(struct peft_typeopt *, const char *regex);
/* Into what is to be done; output: the name of -o, or NULL.  The rules are
 * borrowed; convert->imatrix says if there is one. */
void	peft_typeopt_settle(const struct peft_typeopt *, const char *output,
	    struct peft_convertopt *convert);

#endif
