/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_SETTING_H
#define PEFT_PEFT_SETTING_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

/*
 * The keys of a method's config, a row each: what is honoured, what PEFT's
 * class has where a config does not say, and what reads it into the method's
 * settings.  A table ends with PEFT_SET_END.
 */
struct peft_setting {
	const char	*key;
	const char	*usual;		/* the default, as JSON */
	/* *at from config[key], which is there: 0, or -1 with *err.  NULL:
	 * the key is honoured by what needs it. */
	int		(*read)(const struct peft_setting *,
			    const cJSON *config, void *at, struct peft_err *);
	size_t		 at;		/* in the settings */
	int64_t		 min, max;	/* whole numbers lie between these */
	const char	*const *words;	/* that it may be; ends with NULL */
};

#define PEFT_SET_LATER(key, usual)	{ key, usual, NULL, 0, 0, 0, NULL }
#define PEFT_SET(key, usual, read, at)	{ key, usual, read, at, 0, 0, NULL }
#define PEFT_SET_INT(key, usual, at, min, max) \
	{ key, usual, peft_set_int, at, min, max, NULL }
#define PEFT_SET_WORD(key, usual, read, at, words) \
	{ key, usual, read, at, 0, 0, words }
#define PEFT_SET_OFF(key, usual)	PEFT_SET(key, usual, peft_set_off, 0)
#define PEFT_SET_END			{ NULL, NULL, NULL, 0, 0, 0, NULL }
/* Which modules of a model; PEFT's newer classes can leave out some. */
#define PEFT_SET_LAYERS \
	PEFT_SET_LATER("layers_to_transform", "null"), \
	PEFT_SET_LATER("layers_pattern", "null"), \
	PEFT_SET_LATER("modules_to_save", "null")
#define PEFT_SET_TARGETS \
	PEFT_SET_LAYERS, PEFT_SET_LATER("exclude_modules", "null")

/* Readers, by what is at `at'. */
int	peft_set_int(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* int64_t */
int	peft_set_real(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* double */
int	peft_set_share(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* double in [0, 1) */
int	peft_set_bool(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* bool */
int	peft_set_not(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* bool: the opposite */
int	peft_set_word(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* int: which of the words */
/* int: 0 for false, 1 for true, which of the words + 2. */
int	peft_set_choice(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);
/* Nothing: the value must be null, false, "none" or empty. */
int	peft_set_off(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);
/* These point into the config, and their defaults must be null or empty;
 * const char *, const cJSON *.  A pattern has values of modules by name. */
int	peft_set_string(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);
int	peft_set_json(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);
int	peft_set_pattern(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);

/* All of a table.  A key that is absent or null is at its default, of which
 * null, {} and [] leave what is there. */
int	peft_settings_read(const struct peft_setting *, const cJSON *config,
	    void *settings, struct peft_err *) PEFT_MUSTCHECK;
/* The same of the object config[key], if there is one, all of whose keys must
 * be in the table. */
int	peft_settings_inner(const struct peft_setting *, const cJSON *config,
	    const char *key, void *settings, struct peft_err *) PEFT_MUSTCHECK;
/* The row of a key, or NULL; the table may be NULL. */
const struct peft_setting *peft_setting_find(const struct peft_setting *,
	    const char *key);
/* The defaults of those that the config lacks are put there. */
void	peft_settings_fill(const struct peft_setting *, cJSON *config);

#endif
