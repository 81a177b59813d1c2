/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_METHOD_H
#define PEFT_PEFT_METHOD_H

#include "base/map.h"
#include "base/rng.h"
#include "peft/adapter.h"
#include "peft/setting.h"

/*
 * What a method is: one file and one row of the table in methods.c.  All
 * else (targets, reading, writing, hooks on sites, merging in streams) is
 * done once, in adapter.c, through these calls.
 */
enum {
	PEFT_MAXPART = 24,	/* tensors a method has on one site */
	/* of them those that are the base's */
	PEFT_BENEATH = PEFT_MAXPART - 3, PEFT_BENEATH_BIAS, PEFT_BENEATH_HEAD
};
struct peft_token_ids;		/* tokens.h */
enum { PEFT_MAXOWN = 4 };	/* numbers a module keeps for its method */

/* An adapter's part at one site; or, without a site, what is common to all
 * of them (a shared projection), or all there is (virtual tokens). */
struct peft_module {
	struct peft_adapter	*adapter;
	const struct peft_method *method;
	const void		*settings;	/* the method's */
	const struct peft_site	*site;		/* or NULL */
	struct peft_param	*param[PEFT_MAXPART];	/* NULL: not there */
	size_t			 rank;
	size_t			 own[PEFT_MAXOWN];
	float			 scale;		/* alpha / rank and the like */
	float			 weight;	/* of the adapter (attach) */
	bool			 train;
	double			 dropout;	/* of the input */
	/* in a step: of all that it does; of rows of its change (times what
	 * makes up for it, if drop_scaled); of its blocks */
	double			 drop_all, drop_rows, drop_blocks;
	bool			 drop_scaled;
	const char		*untrainable;	/* why it can only be used */
	size_t			 tasks;		/* of which records name one;
						 * 0: it does not care */
	bool			 whole;		/* looks at whole sequences */
	struct peft_rng		 rng;		/* for it */
	struct peft_hook	 hook;
	bool			 both;		/* of an embedding: acts on the
						 * head that it is, too */
	struct peft_module	*head;		/* there, when attached (tied.h)
						 */
	void			*state;		/* of the method; freed */
	bool			 ready;		/* state is up to date */
};

/* The tensors of a module of the base that merging may change. */
enum peft_leaf { PEFT_LEAF_WEIGHT, PEFT_LEAF_BIAS, PEFT_NLEAF };

/* Where the name of a tensor begins. */
enum peft_place {
	PEFT_AT_SITE,		/* base_model.model.PATH.SUFFIX */
	PEFT_AT_OWNER,		/* the same of the module PATH is in */
	PEFT_AT_OUTPUT,		/* the same of the model's head */
	PEFT_AT_MODEL,		/* base_model.SUFFIX */
	PEFT_AT_NONE		/* SUFFIX */
};

/* A tensor as a method asks for it. */
struct peft_shape {
	const char	*suffix;
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	bool		 decay;		/* weight decay applies, unless it is
					 * a bias or of a norm */
	bool		 fixed;		/* not trained, but saved */
	bool		 unsaved;	/* trained, but not in files */
	bool		 optional;	/* a file may lack it: init fills it */
	bool		 droppable;	/* a file may lack it: n is 0 then */
	enum peft_dtype	 whole;		/* whole numbers: their type on disk;
					 * 0: they are none */
	enum peft_place	 place;
	const char	*group;		/* of the adapters library: what its
					 * names have before the adapter's */
};

/* A tensor that files have again under the head's name, where a module acts on
 * both; turned: its transpose, of two dimensions.  part == twin: the end. */
struct peft_twin {
	int	part, twin;
	bool	turned;
};

/* A method and its settings. */
struct peft_part {
	const struct peft_method *method;
	void		*settings;
};

struct peft_method {
	const char	*type;		/* peft_type: "LORA" */
	const char	*name;		/* --method */
	const char	*knobs[PEFT_NKNOB];	/* keys of rank, ... */
	/* Keys of the config that are honoured, beyond the common ones, and
	 * what they are read into: settings of this size.  shared: more of
	 * them, of a method whose settings come first in these; where both
	 * have a key, keys' row counts.  NULL: there are none. */
	const struct peft_setting *keys, *shared;
	size_t	size;
	/* What no table says of the settings that were read; may be NULL. */
	int	(*check)(const cJSON *config, void *settings,
		    struct peft_err *);
	/* Instead of all this, for settings of no fixed size: *settings, to
	 * be freed; may be NULL. */
	int	(*parse)(const cJSON *config, void **settings,
		    struct peft_err *);
	/* Its files are those of the adapters library, not PEFT's (hub.h);
	 * and what a folder's are called, if they have names of their own:
	 * the tensors', the config's. */
	bool		 hub;
	const char	*files[2];
	/* Kinds of site it may be put on, as bits; 0: it has no sites. */
	unsigned	 kinds;
	/* What it changes of an embedding that is the head, too, it changes of
	 * both: they stay one.  (Others do so if they are told to, and then
	 * tie() makes a module that acts at the head ready.) */
	bool	 both;
	const struct peft_hook_ops *(*tie)(struct peft_module *head,
		    struct peft_err *);
	const struct peft_twin *twins;
	/* A rank above that of the weight is of no use. */
	bool		 bounded;
	/* Training draws for each record, beside any dropout. */
	bool		 draws;
	/* Modules that it targets where the config names none; ends with
	 * NULL; NULL: q_proj, v_proj. */
	const char *const *usual;
	/* Is a targeted site to be taken?  NULL: all are. */
	bool	(*wanted)(const void *settings, const struct peft_adapter *,
		    const struct peft_site *);
	/* What they hold beside; may be NULL. */
	void	(*drop)(void *settings);
	/* The methods that this one is made of; NULL: itself alone. */
	const struct peft_part *(*parts)(const void *settings, size_t *n);
	/* Open the adapters that this one is made of, a->experts, which act
	 * only through it; home: the folder it was read from, or NULL.  Its
	 * sites are those that wanted() takes, whatever targets there are.
	 * NULL: there are none. */
	int	(*gather)(struct peft_adapter *, const struct peft_sites *,
		    const char *home, struct peft_err *);
	/* Fill in the module's rank, scale, own and dropout, and say what
	 * tensors it has: shapes[PEFT_MAXPART], unused ones with suffix
	 * NULL.  common: the same of the adapter as a whole, whose modules
	 * are known by then; may be NULL. */
	int	(*shapes)(const void *settings, struct peft_module *,
		    struct peft_shape *shapes, struct peft_err *);
	int	(*common)(const void *settings, struct peft_module *,
		    struct peft_shape *shapes, struct peft_err *);
	/* First values of a tensor, keyed by rng; NULL: zeros. */
	void	(*init)(const void *settings, const struct peft_module *,
		    int part, struct peft_rng, float *value, size_t n);
	/* Then, those that depend on the base's weights; may be NULL. */
	int	(*start)(struct peft_module *, struct peft_err *);
	/* Allocate the state and what does not change in it; base: the
	 * weight's rows, if there are any (NULL: none).  May be NULL. */
	int	(*prepare)(struct peft_module *, const struct peft_rows *base,
		    struct peft_err *);
	/* What the base lacks beneath a module that is prepared, which began
	 * as a part of it: row i of the weight -= that; may be NULL. */
	void	(*lacks)(const struct peft_module *, size_t i, float *row);
	/* At the site; self is the module. */
	const struct peft_hook_ops *hook;
	/* If it is not the same for all; may be NULL. */
	const struct peft_hook_ops *(*hook_for)(const struct peft_module *);
	/* Instead of a hook at the site, or of modules without a site; may be
	 * NULL. */
	int	(*attach)(struct peft_module *, struct peft_sites *, int index,
		    struct peft_err *);
	/* What other files share between methods (lowrank.h, dense.h, ...). */
	const void	*ops;
	/* Does merging change this leaf of the module?  NULL: the method
	 * cannot be merged. */
	bool	(*changes)(const struct peft_module *, enum peft_leaf);
	/* Rows first .. first+n of the leaf, which hold the base's, += weight
	 * * change (a bias is one row); base gives others of them. */
	int	(*merge)(const struct peft_module *, enum peft_leaf,
		    size_t first, size_t n, float weight, float *rows,
		    const struct peft_rows *base, struct peft_err *);
	/* After training, before it is written: what is to be in the file. */
	int	(*finish)(struct peft_adapter *, struct peft_err *);
	/* A term of the loss that is a function of the parameters alone: adds
	 * its gradient, returns its value; may be NULL. */
	double	(*penalty)(struct peft_adapter *);
	/* After the optimiser's step number `step' (from 1), which took the
	 * gradients times gscale; may be NULL. */
	void	(*stepped)(struct peft_adapter *, size_t step, double gscale);
	/* What stepped() goes on from: the i-th array, one float for each
	 * that is trained, and its name; NULL: no more.  May be NULL. */
	float	*(*kept)(struct peft_adapter *, int i, const char **name);
};

/* NULL with *err naming those that are known. */
const struct peft_method *peft_method_find(const char *type,
	    struct peft_err *);
/* presets.c: the type that such a name stands for; the i-th; or NULL. */
const char *peft_preset_type(const char *name);
const char *peft_preset_name(size_t i);

/* Parts that any adapter may have beside its method's. */
extern const struct peft_method peft_full, peft_lora_stack,
	peft_tokens_part;

/* What the files of this layer share of an adapter. */
struct peft_adapter {
	const struct peft_method *method;
	cJSON			*config;
	void			*settings;
	struct peft_token_ids	*extra;		/* of its token rows */
	struct peft_module	*modules;
	size_t			 nmodules;	/* all of them */
	size_t			 nsites;	/* the method's own, first */
	size_t			 most_in, most_out;	/* of these */
	const struct peft_config *model;	/* NULL: not known */
	const struct peft_site	*embedding;
	struct peft_module	*common;	/* the last, or NULL */
	struct peft_param	*params;	/* trained ones first */
	size_t			 nparams, ntrained;
	float			*values, *grads;	/* of all, end to end */
	size_t			 nvalues, ngrads;
	bool			 fresh;		/* made here, not read */
	bool			 from_data;	/* see begin.h */
	uint64_t		 seed;		/* of its first values */
	char			**meta;		/* key, value, ..., NULL */
	struct peft_map		 index;		/* param by name */
	struct peft_virtual	 virtuals;	/* if the method has some */
	struct peft_tasks	 tasks;		/* if it is for several */
	struct peft_invocation	 invocation;	/* alora.h */
	int32_t			*invoked;	/* its ids */
	struct peft_adapter	**experts;	/* others that it is made of */
	size_t			 nexperts;
	struct peft_scout	 scout;		/* if it looks ahead */
	void			*memory;	/* the method's own; freed */
	const char		*note;		/* to tell when it is saved */
	const struct peft_layout *layout;	/* it was read in; NULL: its
						 * own */
};

/* What names on disk begin with. */
#define PEFT_PREFIX	"base_model.model."

/* adapter.c: all but the values; and room for these (names and shapes are
 * known by then, so that a file's can be checked first).  home: what it was
 * read from; NULL: a fresh one. */
struct peft_adapter *peft_adapter_make(const cJSON *config,
	    const struct peft_sites *, const char *home, struct peft_err *)
	    PEFT_MUSTCHECK;
int	peft_adapter_lay_out(struct peft_adapter *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The first values of a fresh one. */
int	peft_adapter_first(struct peft_adapter *, uint64_t seed,
	    struct peft_err *) PEFT_MUSTCHECK;
/* build.c: the modules of the config, and their parameters. */
int	peft_adapter_build(struct peft_adapter *, const struct peft_sites *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* extras.c: the sites of modules_to_save and trainable_token_indices, added
 * to what is chosen. */
struct peft_choice {
	const struct peft_site	*site;
	const struct peft_method *method;
	const void		*settings;
	bool			 both;		/* see struct peft_module */
};
int	peft_extras(struct peft_adapter *, const struct peft_sites *,
	    struct peft_choice *, size_t *n, struct peft_err *) PEFT_MUSTCHECK;

/* weight.c: rows [out, in] of a weight stored [in, out], all in memory. */
int	peft_rows_turned(const struct peft_rows *stored, size_t in,
	    size_t out, struct peft_rows *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_rows_turned_free(struct peft_rows *);

/* That of a site, or NULL. */
const struct peft_module *peft_module_at(const struct peft_adapter *,
	    const struct peft_site *);
/* Must begin() compute its state (again)? */
bool	peft_module_stale(struct peft_module *);
/* The rows of a loaded site's weight, [out, in] (an embedding's, [in, out]):
 * 1, or 0 if it is not loaded; of a module's it is an error then.  The caller
 * frees them. */
int	peft_site_rows(const struct peft_site *, struct peft_rows *,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_module_base(const struct peft_module *, struct peft_rows *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* All rows of it, [out, in]; the caller frees them. */
float	*peft_module_weight(const struct peft_module *, struct peft_err *);
/* The same of a site, given its weight as it is stored. */
float	*peft_site_weight(const struct peft_site *, const struct peft_weight *,
	    struct peft_err *);

/* config.c: a copy with the keys in the order they have on disk: of
 * patterns the first that matches counts. */
cJSON	*peft_config_sorted(const cJSON *, struct peft_err *);
/* Lists of modules, with the name that the head has now for what it had. */
void	peft_config_renamed(cJSON *, const struct peft_config *);
/* Every key must be honoured or off; what they say, *settings, is the
 * caller's, filled in or not. */
int	peft_settings_of(const struct peft_method *, const cJSON *config,
	    void **settings, struct peft_err *) PEFT_MUSTCHECK;
/* The config to be saved: as PEFT writes it. */
cJSON	*peft_config_to_save(const struct peft_adapter *, struct peft_err *);
/* An error unless the key is absent, null, false, "none" or empty. */
int	peft_config_off(const cJSON *config, const char *key,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The module's rank: `r', or what a pattern says. */
int	peft_config_rank(const cJSON *pattern, struct peft_module *, int64_t r,
	    struct peft_err *) PEFT_MUSTCHECK;

/* Tensors of a site: trained, with weight decay. */
struct peft_shape peft_shape1(const char *suffix, size_t n);
struct peft_shape peft_shape2(const char *suffix, size_t n, size_t m);
struct peft_shape peft_shape3(const char *suffix, size_t n, size_t m,
	    size_t k);

/* beneath.c: parts PEFT_BENEATH and the like of a module, if it may
 * have such; when it is prepared they must be those of this base, if they are
 * there and it is (of the weight, if base is not NULL). */
void	peft_beneath_shapes(const struct peft_module *, struct peft_shape *);
int	peft_beneath_check(const struct peft_module *,
	    const struct peft_rows *base, struct peft_err *) PEFT_MUSTCHECK;

/* merge.c: for methods that change the weight alone. */
bool	peft_weight_changes(const struct peft_module *, enum peft_leaf);
/* init.c: torch's first values. */
void	peft_init_const(float *value, size_t n, float c);
void	peft_init_normal(struct peft_rng, float *value, size_t n, double std);
void	peft_init_uniform(struct peft_rng, float *value, size_t n,
	    double bound);

#endif
