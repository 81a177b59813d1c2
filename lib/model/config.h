/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_CONFIG_H
#define PEFT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/labels.h"
#include "model/family.h"
#include "tensor/source.h"

/*
 * What config.json says of a decoder, checked.  A key that the family's code
 * does not honour is an error that names it, unless it is known to say
 * nothing about the arithmetic (config-keys.c has the list) or is null,
 * false, 0 or empty.
 */
enum { PEFT_MAXEOS = 8, PEFT_MAXLAYER = 1024, PEFT_MAXFREQ = 256 };

enum peft_rope_kind {
	PEFT_ROPE_DEFAULT, PEFT_ROPE_LINEAR, PEFT_ROPE_DYNAMIC,
	PEFT_ROPE_LLAMA3, PEFT_ROPE_YARN, PEFT_ROPE_LONGROPE
};

/* Rotary positions and how they are stretched; see rope.c. */
struct peft_rope {
	enum peft_rope_kind kind;
	double	theta, partial;
	double	factor, low_freq_factor, high_freq_factor;
	double	original_max_position;
	double	attention_factor;	/* 0: follows from the others */
	double	beta_fast, beta_slow, mscale, mscale_all_dim;
	bool	truncate;
	/* longrope: divisors [head_dim * partial / 2] */
	float	short_factor[PEFT_MAXFREQ], long_factor[PEFT_MAXFREQ];
};

/* What a layer is, beyond what all are. */
enum {
	PEFT_LAYER_WINDOW = 1,	/* sees config.window tokens, itself included,
				 * and has rope[1] */
	PEFT_LAYER_NOROPE = 2,
	PEFT_LAYER_EXPERTS = 4	/* its MLP is a router and experts */
};

struct peft_config {
	const struct peft_family *family;
	struct peft_traits t;
	size_t	vocab, hidden, inter, layers, heads, kv_heads;
	size_t	head_dim;		/* of queries and keys */
	size_t	v_dim;			/* of values */
	size_t	rope_dim;		/* of a head, the turned part ... */
	size_t	rope_at;		/* ... and where it begins */
	size_t	kv_rank;		/* PEFT_KV_A; 0: none */
	size_t	max_position;
	size_t	positions;		/* rows of PEFT_AT_POSITION */
	size_t	window;			/* 0: none */
	size_t	experts, top_k, expert_inter, shared_inter;
	struct peft_rope rope[2];	/* of layers without and with window */
	uint8_t	layer[PEFT_MAXLAYER];	/* PEFT_LAYER_... */
	/* The head: a language model's, or one for classes. */
	enum peft_task	 task;		/* CAUSAL_LM, SEQ_CLS, TOKEN_CLS */
	enum peft_problem problem;	/* of SEQ_CLS; AUTO: not said */
	const char	*head;		/* its path */
	size_t	outputs;		/* the vocabulary, or classes */
	size_t	ahead;			/* what token i says is of token i +
					 * ahead: 1 of a language model */
	bool	headless;		/* its weights are not the model's */
	int32_t	bos, pad;		/* -1: none */
	int32_t	eos[PEFT_MAXEOS];	/* generation_config's first */
	size_t	neos;

	/* read, and made into the above */
	size_t	window_layers;		/* max_window_layers */
	bool	use_window;		/* use_sliding_window */
	size_t	window_period, norope_period, dense_layers, sparse_step;
};

/* From the side files config.json and generation_config.json. */
int	peft_config_read(struct peft_config *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Are the sizes in a config.json of a known family such, and all there if any
 * is?  Whatever else is in it, or is not. */
int	peft_config_sane(const struct peft_side *config, struct peft_err *)
	    PEFT_MUSTCHECK;
/* As _read() does, from the text of the two files; generation may be NULL. */
int	peft_config_parse(struct peft_config *, const struct peft_side *config,
	    const struct peft_side *generation, struct peft_err *)
	    PEFT_MUSTCHECK;

/*
 * A head for classes, asked for by an adapter or by who trains one, instead of
 * the language model's; a model that has one already must have that one
 * (outputs 0: any).  Task CAUSAL_LM or AUTO: the model's own head, whatever it
 * is.  config-head.c.
 */
struct peft_headopt {
	enum peft_task	 task;
	enum peft_problem problem;
	size_t		 outputs;
};
int	peft_config_head(struct peft_config *, const struct peft_headopt *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The weights of a head that the model has not, as zeros; nothing if it has
 * its own. */
int	peft_config_graft(const struct peft_config *, struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Is this a weight of the language model's head, which is not used? */
bool	peft_config_unused(const struct peft_config *, const char *name);

/* Is id one of the tokens that end a text? */
bool	peft_config_is_eos(const struct peft_config *, int32_t id);
/* Does layer l (or the model, outside the layers) have this module? */
bool	peft_config_has(const struct peft_config *, size_t l, int slot);
/* How many keys layer l sees at most; SIZE_MAX: all. */
size_t	peft_config_window(const struct peft_config *, size_t l);

#endif
