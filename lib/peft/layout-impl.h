/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LAYOUT_IMPL_H
#define PEFT_PEFT_LAYOUT_IMPL_H

#include "peft/layout.h"
#include "peft/lora.h"
#include "tensor/ggufmap.h"

/* What is known of an adapter that is to be written. */
struct peft_written_pair {
	const struct peft_module *module;
	double			 alpha;		/* its scale times its rank */
};
struct peft_layout_out {
	struct peft_adapter	*adapter;
	const struct peft_sites	*sites;
	struct peft_written_pair *pairs;
	size_t			 n;
	bool			 dora;
	double			 dropout;
	/* of all, if they are the same; else 0 and NAN */
	size_t			 rank;
	double			 alpha;
	const char		*path;
	bool			 force;
	const char *const	*meta;
};

/*
 * A layout.  Names of tensors are a stem, which names the module, and a tail,
 * which says what it is of it; a tail that is NULL does not exist there.
 */
struct peft_layout {
	const char	*name;		/* --layout */
	const char	*about;		/* whose it is */
	const char	*tails[PEFT_NHALF];
	/* If it is not LoRA: the method; which of its parameters the halves
	 * are; what a pair is (its ranks and features); what its config says
	 * beyond ranks, alphas and modules (may be NULL). */
	const struct peft_method *method;
	int		parts[PEFT_NHALF];
	int	(*check)(const struct peft_foreign *, struct peft_pair *,
		    struct peft_err *);
	int	(*adapt)(struct peft_foreign *, cJSON *config,
		    struct peft_err *);
	/* Can a module be written?  NULL: any can. */
	int	(*can)(const struct peft_module *, struct peft_err *);
	/* Has a module no scale there?  Then it is in half `scaled'. */
	bool	(*bare)(const struct peft_module *);
	int		scaled;
	/* File and folder: NULL for a file of any name. */
	const char	*file;
	bool		 gguf;		/* the container */
	bool		 turned;	/* A is [in, r], B [r, out] */
	bool		 embeds;	/* embeddings may have a part */
	/* Beyond the tails: is it this layout's?  NULL: yes. */
	bool	(*is)(const struct peft_source *);
	/* The k-th stem that a site may have, 0 being what is written: 1, 0
	 * there are no more, -1 the model has none here (an error). */
	int	(*stem)(const struct peft_sites *, const struct peft_site *,
		    int k, struct peft_buf *, struct peft_err *);
	/* The alphas of the pairs, and the dropout. */
	int	(*settings)(struct peft_foreign *, struct peft_err *);
	/* Is it of this model?  NULL: names say it. */
	int	(*fits)(const struct peft_foreign *,
		    const struct peft_sites *, struct peft_err *);
	/* How the rows of B (and of the magnitude) lie there; NULL: as
	 * Hugging Face has them. */
	struct peft_order (*order)(const struct peft_sites *,
		    const struct peft_site *);
	/* What is written beside: the side file adapter_config.json (a new
	 * object, NULL with *err), and pairs for __metadata__, appended to
	 * meta.  Either may be NULL. */
	cJSON	*(*config)(const struct peft_layout_out *, struct peft_err *);
	void	(*metadata)(const struct peft_layout_out *, struct peft_buf *,
		    const char **meta, size_t n);
	/* All of it, instead of what is done with the tails. */
	int	(*save)(const struct peft_layout *,
		    const struct peft_layout_out *, struct peft_err *);
	/* An adapter that is no LoRA, which others refuse; NULL: so do we. */
	int	(*other)(const struct peft_layout *,
		    const struct peft_layout_out *, struct peft_err *);
	bool	 column;	/* the magnitude is [out, 1] */
	bool	 alpha_elsewhere;	/* its tensors are read, not written */
	bool	 uniform;	/* one rank and one alpha for all */
	bool	 alphas;	/* one alpha, whatever the ranks */
};

extern const struct peft_method peft_lora;
extern const struct peft_layout peft_layout_gguf, peft_layout_kohya,
	peft_layout_kohya_loha, peft_layout_kohya_lokr,
	peft_layout_adapters, peft_layout_diffusers, peft_layout_diffusers_up,
	peft_layout_diffusers_linear, peft_layout_mlx, peft_layout_torchtune;

/* The stem of a site as it is written. */
int	peft_layout_stem(const struct peft_layout *,
	    const struct peft_sites *, const struct peft_site *,
	    struct peft_buf *, struct peft_err *) PEFT_MUSTCHECK;
/* Row i of the model's is row .. of the file's. */
size_t	peft_layout_row(const struct peft_order *, size_t i, size_t rows);
struct peft_order peft_layout_order(const struct peft_layout *,
	    const struct peft_sites *, const struct peft_site *);
/* A module's parameter for PEFT_HALF_A, _B or _M; NULL: it has none. */
struct peft_param *peft_layout_half(const struct peft_layout *,
	    const struct peft_module *, int half);
/* The one of that name that is for a method; NULL: none. */
const struct peft_layout *peft_layout_for(const struct peft_layout *,
	    const struct peft_method *);
/* layout-kohya.c, for layout-lycoris.c. */
int	peft_kohya_stem(const struct peft_sites *, const struct peft_site *,
	    int k, struct peft_buf *, struct peft_err *);
int	peft_kohya_settings(struct peft_foreign *, struct peft_err *);
void	peft_kohya_metadata(const struct peft_layout_out *,
	    struct peft_buf *, const char **meta, size_t n,
	    const char *module);
/* The values of a part of a module, in the layout's order. */
float	*peft_layout_values(const struct peft_layout *,
	    const struct peft_layout_out *, const struct peft_module *,
	    int half, struct peft_err *);

/* adapter_config.json of the source: an error if there is none. */
cJSON	*peft_foreign_config(const struct peft_foreign *, struct peft_err *);
/* The same alpha for all pairs, whose rank is to be r. */
int	peft_foreign_uniform(struct peft_foreign *, int64_t r, double alpha,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The value of a tensor that is one number. */
int	peft_foreign_scalar(const struct peft_foreign *, size_t i,
	    double *value, struct peft_err *) PEFT_MUSTCHECK;
/* A text that is nothing but a finite number? */
bool	peft_is_number(const char *text, double *value);

#endif
