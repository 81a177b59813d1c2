/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_CONFIG_IMPL_H
#define PEFT_MODEL_CONFIG_IMPL_H

#include "base/json.h"
#include "model/config.h"

/* What the files that read config.json share. */

/* config-keys.c: every key by the tables; and an unknown one is refused. */
int	peft_config_keys(struct peft_config *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Of the family's keys the sizes alone; the rest may be anything. */
int	peft_config_sizes(struct peft_config *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* One table over one object, whose keys must all be in it. */
int	peft_config_table(struct peft_config *, const cJSON *,
	    const struct peft_key *, struct peft_err *) PEFT_MUSTCHECK;

/* A key that must have this value, if it is there. */
int	peft_config_must_be(const cJSON *, const char *key, const char *want,
	    struct peft_err *) PEFT_MUSTCHECK;

/* config-layers.c: windows, ropes and experts of each layer. */
int	peft_config_layers(struct peft_config *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* config-head.c: which head the architecture has. */
int	peft_config_own_head(struct peft_config *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* config-rope.c */
int	peft_config_rope(struct peft_config *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
