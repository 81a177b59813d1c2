/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_METHOD_H
#define PEFT_PEFT_METHOD_H

#include "base/map.h"
#include "base/rng.h"
#include "peft/adapter.h"

/*
 * What a method is: one file and one row of the table in methods.c.  All
 * else (targets, reading, writing, hooks on sites, merging in streams) is
 * done once, in adapter.c, through these calls.
 */
enum { PEFT_MAXPART = 4 };	/* tensors a method has on one site */

/* An adapter's part at one site. */
struct peft_module {
	struct peft_adapter	*adapter;
	const struct peft_site	*site;
	struct peft_param	*param[PEFT_MAXPART];	/* NULL: not there */
	size_t			 rank;
	float			 scale;		/* alpha / rank and the like */
	float			 weight;	/* of the adapter (attach) */
	bool			 train;
	struct peft_rng		 rng;		/* for dropout */
	struct peft_hook	 hook;
};

/* The tensors of a module of the base that merging may change. */
enum peft_leaf { PEFT_LEAF_WEIGHT, PEFT_LEAF_BIAS, PEFT_NLEAF };

/* A tensor as a method asks for it. */
struct peft_shape {
	const char	*suffix;	/* behind the site's path on disk */
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	bool		 decay;
};

struct peft_method {
	const char	*type;		/* peft_type: "LORA" */
	/* Keys of the config that are honoured, beyond the common ones; the
	 * default that PEFT's class has, as JSON; ends with NULL. */
	const char *const (*keys)[2];
	/* Of these the ones that give modules values of their own by pattern
	 * (rank_pattern); ends with NULL. */
	const char *const *patterns;
	/* Settings from the config; kept in *settings (malloc'd). */
	int	(*parse)(const cJSON *config, void **settings,
		    struct peft_err *);
	/* May it be put on this site? */
	int	(*fits)(const void *settings, const struct peft_site *,
		    struct peft_err *);
	/* Fill in module->rank and scale and say what tensors it has:
	 * shapes[PEFT_MAXPART], unused ones with suffix NULL. */
	int	(*shapes)(const void *settings, struct peft_module *,
		    struct peft_shape *shapes, struct peft_err *);
	/* First values of a tensor, keyed by rng. */
	void	(*init)(const void *settings, const struct peft_module *,
		    int part, struct peft_rng, float *value, size_t n);
	/* At the site's output; self is the module. */
	const struct peft_hook_ops *hook;
	/* Does merging change this leaf of the module?  NULL: the method
	 * cannot be merged. */
	bool	(*changes)(const struct peft_module *, enum peft_leaf);
	/* Rows first .. first+n of the leaf += weight * change (a bias is
	 * one row). */
	int	(*merge)(const struct peft_module *, enum peft_leaf,
		    size_t first, size_t n, float weight, float *rows,
		    struct peft_err *);
};

/* NULL with *err naming those that are known. */
const struct peft_method *peft_method_find(const char *type,
	    struct peft_err *);

extern const struct peft_method peft_lora;

/* What the files of this layer share of an adapter. */
struct peft_adapter {
	const struct peft_method *method;
	cJSON			*config;
	void			*settings;
	struct peft_module	*modules;
	size_t			 nmodules;
	struct peft_param	*params;
	size_t			 nparams;
	float			*values, *grads;	/* of all, end to end */
	size_t			 nvalues;
	bool			 fresh;		/* made here, not read */
	char			**meta;		/* key, value, ..., NULL */
	struct peft_map		 index;		/* param by name */
};

/* What names on disk begin with. */
#define PEFT_PREFIX	"base_model.model."

/* adapter.c: all but the values; and room for these (names and shapes are
 * known by then, so that a file's can be checked first). */
struct peft_adapter *peft_adapter_make(const cJSON *config,
	    const struct peft_sites *, bool fresh, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_adapter_lay_out(struct peft_adapter *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* config.c: a copy with the keys in the order they have on disk: of
 * patterns the first that matches counts. */
cJSON	*peft_config_sorted(const cJSON *, struct peft_err *);
/* Defaults filled in, every key honoured or off. */
int	peft_config_check(const struct peft_method *, const cJSON *config,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The config to be saved: as PEFT writes it. */
cJSON	*peft_config_to_save(const struct peft_adapter *, struct peft_err *);

#endif
