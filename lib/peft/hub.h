/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_HUB_H
#define PEFT_PEFT_HUB_H

#include "base/buf.h"
#include "data/labels.h"
#include "peft/method.h"

/*
 * The format of the adapters library (AdapterHub, Poth et al. 2023): an
 * adapter_config.json too, but of another kind, with the method's settings in
 * `config' and the adapter's name and the model beside; and tensors whose
 * names hold the adapter's, in adapter.safetensors:
 *
 *	model.layers.0.output_adapters.adapters.NAME.adapter_up.weight
 *	PATH of the site               .GROUP  .NAME.SUFFIX
 *
 * Here the settings lie flat beside a peft_type, which is by `architecture',
 * and beside the outer keys (name, hidden_size, version, ...), so that all
 * that works on PEFT's configs works on these; what is saved is as the library
 * saves it.
 */
#define PEFT_HUB_FILE	"adapter.safetensors"
#define PEFT_HUB_HEAD	"model_head.safetensors"	/* hubhead.c */

/* Such a config is made flat by peft_hub_unpack() (adapter.h). */

/* The peft_type of settings, by their architecture. */
int	peft_hub_type(const cJSON *config, const char **type,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Is it one of the keys beside the settings? */
bool	peft_hub_is_outer(const char *key);
/* The outer keys: is it for this model (NULL: not known)?  An adapter that
 * is made gets a name. */
int	peft_hub_check(cJSON *config, const struct peft_config *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The config as the library writes it; takes the flat one. */
cJSON	*peft_hub_to_save(const struct peft_adapter *, cJSON *flat);

/* hubhead.c: what a file's head_config.json says of its task, and it itself,
 * the caller's (NULL: there is none). */
int	peft_hub_head_task(const struct peft_source *, enum peft_task *,
	    cJSON **config, struct peft_err *) PEFT_MUSTCHECK;
/* The names of the classes in it, if there are any. */
int	peft_hub_head_labels(const cJSON *config, struct peft_labels *,
	    size_t outputs, struct peft_err *) PEFT_MUSTCHECK;
/* A config of the library's asks for the head that is beside it. */
int	peft_hub_head_ask(const struct peft_source *, cJSON *config,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Is it the head's, in a file of the library's format? */
bool	peft_hub_is_head(const struct peft_adapter *,
	    const struct peft_param *);
/* Files beside the adapter, added to side, which has room for two; their data
 * is the caller's to free, also after an error.  names: of the classes, as
 * JSON, or NULL; apart: the head's tensors, too. */
int	peft_hub_head_sides(const struct peft_adapter *, const char *names,
	    bool apart, struct peft_side *, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;

/* Where the library's LoRA has a linear layer; of llama's kind (gated) it calls
 * down_proj intermediate and up_proj output, of others it is the other way
 * round. */
enum peft_hub_at { PEFT_HUB_Q, PEFT_HUB_K, PEFT_HUB_V, PEFT_HUB_QKV,
	PEFT_HUB_INNER, PEFT_HUB_OUTER, PEFT_HUB_NOWHERE };
enum peft_hub_at peft_hub_at(const struct peft_config *,
	    const struct peft_site *);
bool	peft_hub_gated(const struct peft_config *);

/* hubprefix.c: the keys and values that the two layers of such an adapter
 * make, into its PEFT_PROMPT. */
int	peft_hub_prefix_make(struct peft_module *, struct peft_err *)
	    PEFT_MUSTCHECK;

/*
 * The same adapter in PEFT's methods, new, the caller's (hubto.c); the way back
 * is layout-adapters.c.  LoRA, IA3, and prefixes.  Whatever is not the same
 * arithmetic there is refused (PEFT_CHECK) by name.
 */
struct peft_adapter *peft_hub_to_peft(struct peft_adapter *,
	    const struct peft_sites *, struct peft_err *) PEFT_MUSTCHECK;
/*
 * hubturn.c, for both ways.  Parameters 0 .. parts-1 of each module of `from'
 * become those of `to' at the same site, or at what place() says (NULL: the
 * same), the last times `times'.
 */
int	peft_hub_move(const struct peft_adapter *from, struct peft_adapter *to,
	    const struct peft_sites *, const struct peft_site *(*place)(
	    const struct peft_sites *, const struct peft_module *), int parts,
	    float times, struct peft_err *) PEFT_MUSTCHECK;
/*
 * PEFT's prefixes stand before the sequence, the library's beside it, and no
 * rotation is in them: keys of n prefixes are the same if they are turned
 * `by' positions (n: of the library's to PEFT's; -n).  values: as both keep
 * them, [n, layers, 2, kv_heads, head_dim].
 */
int	peft_hub_turn(const struct peft_config *, float *values, size_t n,
	    int by, struct peft_err *) PEFT_MUSTCHECK;

/* Names of tensors; what files of the bare model's lack of them. */
void	peft_hub_name(const struct peft_module *, const struct peft_shape *,
	    struct peft_buf *);
void	peft_hub_prefix(const struct peft_config *, struct peft_buf *);

/* Is it another name of a tensor that has one?  The library's modules are in
 * several places of the model, and its pickles, too. */
bool	peft_hub_is_alias(const char *name);

/* leave_out: the layers without the adapter; 1: this is one of them. */
int	peft_hub_left_out(const cJSON *list, int layer);
int	peft_set_left_out(const struct peft_setting *, const cJSON *, void *,
	    struct peft_err *);		/* const cJSON * */
/* The module of the same settings that has what is common to its kind. */
const struct peft_module *peft_hub_common(const struct peft_module *);

#endif
