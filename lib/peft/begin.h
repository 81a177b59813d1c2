/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_BEGIN_H
#define PEFT_PEFT_BEGIN_H

#include "model/net.h"
#include "peft/method.h"

/*
 * LoRA that begins from data (init_lora_weights): from the directions in which
 * the inputs of modules vary (eva), from their covariance and the weight
 * (corda), from the gradient of the weight (lora_ga), or from what quantising
 * the base has lost (loftq).  The formulas, the batches and their order are
 * PEFT's.
 */
struct peft_lost {			/* squared norms: of the weights, */
	size_t	weights;
	double	value2;
	double	before2, after2;	/* of what the base lacks of them, and
					 * base and adapter do */
};
struct peft_calibration {
	const struct peft_seq	*seqs;	/* their adapter is 0, their ident is
					 * their number */
	size_t			 n;
	size_t			 batch;	/* sequences that are taken together */
	size_t			 most;	/* of all, for corda and lora_ga */
	struct peft_source	*whole;	/* the base before it was quantised,
					 * for loftq; or NULL */
	struct peft_lost	*lost;	/* by loftq; or NULL */
	size_t			 before; /* bytes that are in use */
	size_t			 limit;	/* of all; 0: none */
	size_t			*need;	/* the most there were, these counted;
					 * or NULL */
};

/* Does the config ask for it? */
bool	peft_begin_wants_data(const cJSON *config);
/* Does it matter to it how many records that are (corda and lora_ga)? */
bool	peft_begin_counts(const cJSON *config);
/* As peft_adapter_new(), over the sites of a net that has no hooks yet. */
struct peft_adapter *peft_adapter_begin(const cJSON *config, struct peft_net *,
	    const struct peft_calibration *, uint64_t seed, struct peft_err *)
	    PEFT_MUSTCHECK;

/* What the three share.  A probe listens at a site while batches pass. */
struct peft_probe {
	struct peft_hook	 hook;
	struct peft_site	*site;
	struct peft_module	*module;
	size_t			 same;	/* the first probe that sees the same
					 * input */
	uint64_t		 hash;	/* of the first batch's */
};
struct peft_probes {
	struct peft_net			*net;
	const struct peft_calibration	*data;
	struct peft_run			*run;
	struct peft_probe		*at;
	size_t				 n;
	size_t				 next;	/* the first of the next
						 * batch */
	size_t				 values; /* of the adapter */
};

/* probe.c: one for each module of the adapter that is on a linear layer; one
 * that is on something else is refused.  The first batch says which inputs are
 * the same. */
int	peft_probes_open(struct peft_probes *, struct peft_net *,
	    struct peft_adapter *, const struct peft_calibration *,
	    size_t batch, bool train, struct peft_err *) PEFT_MUSTCHECK;
void	peft_probes_close(struct peft_probes *);
/* Passes of such batches take so many bytes, and what is kept of them `own':
 * more than the limit is refused (PEFT_CHECK). */
int	peft_probes_need(struct peft_probes *, size_t batch, bool train,
	    size_t own, struct peft_err *) PEFT_MUSTCHECK;
/* Let the i-th listen: ops are called with self. */
void	peft_probe_listen(struct peft_probe *, const struct peft_hook_ops *,
	    void *self);
void	peft_probe_stop(struct peft_probe *);
/* The next batch, around and around, of `batch' sequences; with a backward of
 * its mean loss if the probes were opened to train. */
int	peft_probes_pass(struct peft_probes *, size_t batch, bool train,
	    struct peft_err *) PEFT_MUSTCHECK;

/* eva.c: a config with the ranks that the data gives to modules; and the
 * values of A, [rank, in] of each module that is left, in order; both the
 * caller's. */
int	peft_eva(struct peft_adapter *, struct peft_net *,
	    const struct peft_calibration *, cJSON **config, float **values,
	    struct peft_err *) PEFT_MUSTCHECK;
/* corda.c, loraga.c: the values of A0 and B0, and of A and B; loftq.c: those of
 * A and B. */
int	peft_corda(struct peft_adapter *, struct peft_net *,
	    const struct peft_calibration *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_lora_ga(struct peft_adapter *, struct peft_net *,
	    const struct peft_calibration *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_loftq(struct peft_adapter *, struct peft_net *,
	    const struct peft_calibration *, struct peft_err *) PEFT_MUSTCHECK;

#endif
