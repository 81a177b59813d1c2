/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_ADAPTER_H
#define PEFT_PEFT_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "model/net.h"
#include "model/site.h"
#include "quant/sink.h"
#include "tensor/source.h"

/*
 * An adapter: a method (lora.c, ...), its config (adapter_config.json as
 * PEFT writes it) and its parameters on the sites it targets.
 *
 * A tensor of it: */
struct peft_param {
	const char	*name;		/* on disk: "base_model.model. ..." */
	int		 ndim;
	size_t		 shape[PEFT_MAXDIM];
	size_t		 n;
	float		*value;		/* [n] */
	float		*grad;		/* [n]; NULL unless trained */
	bool		 decay;		/* weight decay applies */
	bool		 fixed;		/* never trained */
	bool		 unsaved;	/* not in the file */
	bool		 optional;	/* a file may lack it */
	bool		 droppable;	/* and so does the adapter then */
	enum peft_dtype	 whole;		/* whole numbers, of this type on
					 * disk; 0: they are none */
};

struct peft_adapter;

/* Methods by the names that commands have for them ("lora" for "LORA"):
 * the peft_type, or NULL; all names, with commas. */
const char	*peft_method_type(const char *name);
void		 peft_method_names(char *, size_t size);
/* What such a name says beyond the method (a kind of bottleneck): keys that
 * the config lacks are added. */
void		 peft_method_preset(const char *name, cJSON *config);
/* Its config's key for such a setting, or NULL: it has none. */
enum peft_knob { PEFT_KNOB_RANK, PEFT_KNOB_ALPHA, PEFT_KNOB_DROPOUT,
	PEFT_NKNOB };
const char	*peft_method_knob(const char *type, int knob);
/* Does the method have a use for that key of a config?  (One whose keys are in
 * no table, or that is not known: true.) */
bool		 peft_method_takes(const char *type, const char *key);
/* null, false, {}, [] ask for nothing. */
bool		 peft_config_is_off(const cJSON *);
/* Is it for any linear layer; is it virtual tokens? */
bool		 peft_method_is_for_all(const char *type);
bool		 peft_method_is_virtual(const char *type);
/* A key of a config that is never saved: ids of the text that a prompt
 * begins as. */
#define PEFT_INIT_IDS	"peft_init_ids"

/* A config file of the adapters library becomes one with a peft_type; any
 * other is left as it is. */
int		 peft_hub_unpack(cJSON **config, struct peft_err *)
		    PEFT_MUSTCHECK;

/* From disk.  Every tensor must belong to a targeted site and every targeted
 * site must have its tensors; every config key must be honoured or null.
 * LoRA may be in the layout of another tool, too (layout.h). */
struct peft_adapter *peft_adapter_open(struct peft_source *,
		    const struct peft_sites *, struct peft_err *)
		    PEFT_MUSTCHECK;
/* Fresh: config has peft_type, r, lora_alpha, target_modules, ... ; absent
 * keys take PEFT's defaults ("all-linear" is expanded).  Every target
 * pattern must match.  Random values are keyed by seed and tensor name. */
struct peft_adapter *peft_adapter_new(const cJSON *config,
		    const struct peft_sites *, uint64_t seed, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_adapter_close(struct peft_adapter *);

const char	*peft_adapter_type(const struct peft_adapter *);  /* "LORA" */
/* The name of the layout it was read in; NULL: that of PEFT or of the adapters
 * library. */
const char	*peft_adapter_layout(const struct peft_adapter *);
const cJSON	*peft_adapter_config(const struct peft_adapter *);
/* A string of the file's __metadata__ ("peft.base", ...), or NULL. */
const char	*peft_adapter_meta(const struct peft_adapter *,
		    const char *key);
/* Those that are trained. */
struct peft_param *peft_adapter_params(struct peft_adapter *, size_t *n);
size_t		 peft_adapter_nsites(const struct peft_adapter *);

/* Put hooks on the sites of a net, as adapter number `index', its output
 * multiplied by `weight'.  train: allocate gradients (zeroed). */
int		 peft_adapter_attach(struct peft_adapter *, struct peft_sites *,
		    int index, float weight, bool train, struct peft_err *)
		    PEFT_MUSTCHECK;
/* The seed of its dropout. */
void		 peft_adapter_seed(struct peft_adapter *, uint64_t seed);
/* Does it have dropout, of any kind? */
bool		 peft_adapter_drops(const struct peft_adapter *);
/* No dropout from now on (an error if its method has one of its own); bytes
 * of values and, as if it were trained, of gradients. */
int		 peft_adapter_still(struct peft_adapter *, struct peft_err *)
		    PEFT_MUSTCHECK;
size_t		 peft_adapter_bytes(const struct peft_adapter *);
void		 peft_adapter_zerograd(struct peft_adapter *);
/* A term of the loss that depends on the parameters alone (AdaLoRA's): its
 * gradient is added, its value returned; 0 for most methods. */
double		 peft_adapter_penalty(struct peft_adapter *);
/* After the optimiser's step (from 1), which took the gradients times gscale;
 * and after the last one, before the adapter, which is attached to train, is
 * saved. */
void		 peft_adapter_stepped(struct peft_adapter *, size_t step,
		    double gscale);
/* What such steps leave behind for the next ones, beside the values: the i-th
 * array, one float for each trained one, in their order; NULL: no more.  The
 * adapter is attached to train. */
float		*peft_adapter_kept(struct peft_adapter *, int i,
		    const char **name);
int		 peft_adapter_finish(struct peft_adapter *, struct peft_cpu *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* What its user should know of what will be saved, or NULL. */
const char	*peft_adapter_note(const struct peft_adapter *);

/* The i-th tensor of the base that merging changes, by name ("PATH.weight",
 * "PATH.bias"): 1, or 0 when there are no more (none at all: an adapter that
 * cannot be merged). */
int		 peft_adapter_target(const struct peft_adapter *, size_t i,
		    char *name, size_t size);
/* Why it cannot. */
const char	*peft_adapter_unmergeable(const struct peft_adapter *);
/* Is `name' one of them? */
bool		 peft_adapter_touches(const struct peft_adapter *,
		    const char *name);
/* Does merging make of `name', the embedding or the head of a model where they
 * are one, something that the other is not? */
bool		 peft_adapter_unties(const struct peft_adapter *,
		    const char *name);
/* Merging.  1 if the adapter changes the tensor `name', 0 if not.  rows gives
 * f32 rows of base plus weight * delta; it borrows base and the adapter.
 * Close with _rows_free. */
int		 peft_adapter_merge(struct peft_adapter *, const char *name,
		    const struct peft_rows *base, float weight,
		    struct peft_rows *rows, struct peft_err *) PEFT_MUSTCHECK;
void		 peft_rows_free(struct peft_rows *);

/* Write it as PEFT does: adapter_config.json (indent 2, sorted keys) and
 * adapter_model.safetensors (f32, names on disk), or the bundle of both.
 * meta: pairs for __metadata__ ("peft.base", ...), NULL-terminated. */
int		 peft_adapter_save(const struct peft_adapter *,
		    const char *path, bool force, const char *const *meta,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
