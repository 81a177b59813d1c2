/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LAYOUT_H
#define PEFT_PEFT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "peft/adapter.h"

/*
 * LoRA adapters (and of one tool LoHa and LoKr) as other tools keep them.  The
 * arithmetic is the same; what
 * differs is the names of tensors, which way round they lie, the order of
 * rows, and where the scale is told.  One row of a table a layout: it is told
 * by content when it is read, and asked for by name when it is written.
 *
 * "peft" is PEFT's own, which is not in the table.
 */
struct peft_layout;

/* By name, or NULL; the i-th (its name and whose it is), or NULL. */
const struct peft_layout *peft_layout_of_name(const char *name);
const char	*peft_layout_at(size_t i, const char **about);
const char	*peft_layout_name(const struct peft_layout *);
/* Are its pairs LoRA's?  If not, halves are what the method's parts are. */
bool		 peft_layout_is_lora(const struct peft_layout *);

/* The pairs of such a file, as far as they can be known without a model. */
enum {
	PEFT_HALF_A, PEFT_HALF_B, PEFT_HALF_M, PEFT_HALF_ALPHA,
	PEFT_HALF_C, PEFT_HALF_D, PEFT_HALF_E, PEFT_HALF_F,	/* not LoRA's */
	PEFT_NHALF
};
struct peft_pair {
	char		*stem;		/* what names it, without the tails */
	size_t		 at[PEFT_NHALF];	/* in the source; SIZE_MAX */
	size_t		 rank, in, out;
	double		 alpha;		/* the scale is alpha / rank */
	const struct peft_site *site;	/* once a model is known */
};
struct peft_foreign {
	const struct peft_layout *layout;
	struct peft_source	*source;	/* borrowed */
	struct peft_pair	*pairs;
	size_t			 n, cap;
	double			 dropout;
	bool			 turned;	/* A is [in, r], B [r, out] */
};

/* Is a source of one of these layouts (NULL: of PEFT's, or of none)? */
const struct peft_layout *peft_layout_of(const struct peft_source *);
/* Its pairs.  Half of one, ranks that differ, a scale that is not told, a
 * tensor that is part of none: errors that name it. */
int		 peft_foreign_open(struct peft_foreign *,
		    const struct peft_layout *, struct peft_source *,
		    struct peft_err *) PEFT_MUSTCHECK;
void		 peft_foreign_close(struct peft_foreign *);

/* The adapter that such a file is, over a model: pairs that fit none of its
 * modules, or several, are errors too. */
struct peft_adapter *peft_foreign_adapter(struct peft_foreign *,
		    const struct peft_sites *, struct peft_err *)
		    PEFT_MUSTCHECK;

/* Write an adapter in a layout: DIR/ or one file, whichever it is there.
 * Only what LoRA is there can be: methods, modules and settings without a
 * place in it are refused by name. */
int		 peft_layout_save(const struct peft_layout *,
		    struct peft_adapter *, const struct peft_sites *,
		    const char *path, bool force, const char *const *meta,
		    struct peft_err *) PEFT_MUSTCHECK;
/* The same of anything that is to be checked before the work is done: is the
 * path one for it? */
int		 peft_layout_path(const struct peft_layout *,
		    const char *path, struct peft_err *) PEFT_MUSTCHECK;

/* The config of a LoRA of this rank and scale 1 on the sites for which
 * taken[] (of sites->n) is set; base: base_model_name_or_path, or NULL. */
cJSON		*peft_lora_config(const struct peft_sites *,
		    const bool *taken, size_t rank, const char *base);
/* Into its rank_pattern and alpha_pattern: what a module has otherwise than
 * all. */
/* The same scales with use_rslora, alpha / sqrt(r) instead of alpha / r; its
 * patterns are of paths. */
void		 peft_lora_config_rslora(cJSON *, const struct peft_sites *,
		    const bool *taken);
void		 peft_lora_pattern(cJSON *ranks, cJSON *alphas,
		    const char *path, size_t rank, size_t all_rank,
		    double alpha, double all_alpha);
/* Where an adapter keeps A [r, in] (0) and B [out, r] (1) of a site. */
float		*peft_lora_factor(struct peft_adapter *,
		    const struct peft_site *, int which, struct peft_err *);

#endif
