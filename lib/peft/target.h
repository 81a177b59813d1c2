/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_TARGET_H
#define PEFT_PEFT_TARGET_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "model/site.h"

/*
 * Which modules an adapter's config means, by PEFT's rules
 * (tuners_utils.py): exclude_modules, target_modules as list or as regular
 * expression, layers_to_transform, layers_pattern.
 *
 * Puts the chosen sites in chosen[] (room for sites->n); returns their
 * number through *n.  An entry that matches nothing is an error with its
 * name; so is a choice of nothing.
 */
int	peft_target(const cJSON *config, const struct peft_sites *,
	    const struct peft_site **chosen, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;

/* rank_pattern, alpha_pattern: the value of the first key whose pattern
 * `(.*\.)?(KEY)$' matches path; `absent' if none does. */
int	peft_pattern_value(const cJSON *patterns, const char *path,
	    double absent, double *value, struct peft_err *) PEFT_MUSTCHECK;

#endif
