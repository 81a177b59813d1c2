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
 * expression, layers_to_transform, layers_pattern.  Without target_modules
 * they are the usual ones (ending with NULL; NULL: q_proj, v_proj).  kinds:
 * bits of what the method can be put on; attentions are looked at only if
 * among them.
 *
 * Puts the chosen sites in chosen[] (room for sites->n); returns their
 * number through *n.  A choice of nothing is an error (PEFT_CHECK: it is for
 * another model).  Where an adapter is to be made (strict), so is an entry, a
 * pattern or a layer that matches nothing, by its name; for one that was made
 * elsewhere its tensors are the proof.
 */
int	peft_target(const cJSON *config, const struct peft_sites *,
	    unsigned kinds, const char *const *usual, bool strict,
	    const struct peft_site **chosen, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* "all-linear", in any case of letters. */
/* extras.c: an error that says what target_modules asks for. */
int	peft_target_none(const cJSON *target_modules, struct peft_err *);
bool	peft_target_is_all_linear(const cJSON *target_modules);

/* Does a pattern match the whole of key?  -1: it does not compile. */
int	peft_regex_matches(const char *pattern, const char *key,
	    struct peft_err *) PEFT_MUSTCHECK;

/* rank_pattern, alpha_pattern: the value of the first key whose pattern
 * `(.*\.)?(KEY)$' matches path; `absent' if none does. */
int	peft_pattern_value(const cJSON *patterns, const char *path,
	    double absent, double *value, struct peft_err *) PEFT_MUSTCHECK;
/* The same of FourierFT and C3A: of the first `.*\.KEY$' that matches path's
 * beginning, or else of path itself. */
int	peft_pattern_below(const cJSON *patterns, const char *path,
	    double absent, double *value, struct peft_err *);
/* config[key] is such an object, of numbers; and if strict, each of its keys
 * matches one of the n sites. */
int	peft_pattern_check(const cJSON *config, const char *key, bool strict,
	    const struct peft_site *const *chosen, size_t n,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
