/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_EVA_H
#define PEFT_PEFT_EVA_H

#include "peft/begin.h"
#include "peft/components.h"

/* What EVA's files share. */
struct peft_eva_settings {
	double	rho, tau;
	bool	mask, whiten, adjust;
	int64_t	ignore;			/* label_mask_value */
};

/* What is known of one input. */
struct peft_eva_input {
	struct peft_probe	*probe;
	const struct peft_eva	*eva;
	struct peft_components	 c;
	bool			 listening, failed;
};

struct peft_eva {
	struct peft_eva_settings set;
	struct peft_probes	 probes;
	struct peft_cpu		*cpu;
	struct peft_err		*err;
	struct peft_eva_input	*input;		/* [probes.n] */
	size_t			*order;		/* as PEFT counts modules: */
	size_t			*owner;		/* whose input each has */
	size_t			*rank;		/* [probes.n] given out */
	size_t			 budget;
};

/* eva-config.c: eva_config; and when the ranks are known the config that PEFT
 * would have then, and the values of A (begin.h). */
int	peft_eva_settings(const cJSON *config, struct peft_eva_settings *,
	    struct peft_err *) PEFT_MUSTCHECK;
cJSON	*peft_eva_config(const struct peft_eva *, const cJSON *config,
	    struct peft_err *);
float	*peft_eva_values(const struct peft_eva *, struct peft_err *);

#endif
