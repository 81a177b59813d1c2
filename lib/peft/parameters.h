/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_PARAMETERS_H
#define PEFT_PEFT_PARAMETERS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "model/site.h"

/*
 * target_parameters: names of parameters, each the end of a path
 * ("mlp.experts.gate_up_proj", "q_proj.weight"), whose stacks and linears are
 * added to chosen[*n] (room for all sites).  strict: one that matches nothing
 * is an error.
 */
int	peft_target_parameters(const cJSON *config, const struct peft_sites *,
	    bool strict, const struct peft_site **chosen, size_t *n,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Is there any such name? */
bool	peft_target_has_parameters(const cJSON *config);
/* Are the modules of target_modules targeted besides? */
bool	peft_target_has_modules(const cJSON *config,
	    const struct peft_sites *);
/* Is the parameter `name' of the same module as `path' among them? */
bool	peft_parameter_beside(const cJSON *config, const char *path,
	    const char *name);

#endif
