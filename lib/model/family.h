/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_FAMILY_H
#define PEFT_MODEL_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Families of decoders, one table row each: the names of a family's modules,
 * what its layers do, and the keys of config.json that say so.  The forward
 * and backward passes read the traits; they have no code of a family's own.
 */
enum peft_slot {
	/* modules of one layer, in the order of use */
	PEFT_ATTN_NORM, PEFT_Q, PEFT_K, PEFT_V,
	PEFT_QKV,			/* the three in one, instead */
	PEFT_KV_A, PEFT_KV_NORM, PEFT_KV_B,	/* K and V through a narrow */
	PEFT_Q_NORM, PEFT_K_NORM, PEFT_O,
	PEFT_ATTN_POST,			/* norm of what attention adds */
	PEFT_MLP_NORM,
	PEFT_GATE, PEFT_UP,
	PEFT_GATE_UP,			/* the two in one, instead */
	PEFT_DOWN,
	PEFT_MLP_POST,			/* norm of what the MLP adds */
	PEFT_ROUTER,			/* experts are beside the slots */
	PEFT_NSLOT,
	/* modules outside the layers */
	PEFT_AT_EMBED = PEFT_NSLOT, PEFT_AT_POSITION, PEFT_AT_EMBED_NORM,
	PEFT_AT_NORM, PEFT_AT_HEAD,
	PEFT_NMODULE
};
#define PEFT_BIT(slot)	(1u << (slot))

enum peft_norm_kind {
	PEFT_RMS,		/* Zhang & Sennrich 2019 */
	PEFT_RMS1,		/* the same with 1 + weight */
	PEFT_LAYER,		/* Ba et al. 2016 */
	PEFT_LAYER1		/* the same with 1 + weight */
};
enum peft_act {
	PEFT_SILU, PEFT_GELU, PEFT_GELU_TANH, PEFT_GELU_QUICK, PEFT_RELU,
	PEFT_RELU2,
	PEFT_SWIGLU_CLAMPED	/* of gate and up: see act.c */
};
/* What a q or k norm takes together, and its weights. */
enum peft_qk_norm {
	PEFT_QK_HEAD,		/* a head; the same weights for all heads */
	PEFT_QK_EACH,		/* a head; weights of its own */
	PEFT_QK_WHOLE		/* all heads */
};

struct peft_traits {
	/* masks of PEFT_BIT(slot): modules that there are; that have a bias;
	 * whose weight is stored [in, out]; norms without weights */
	uint32_t	has, bias, transposed, bare;
	enum peft_norm_kind norm;
	enum peft_act	act;
	enum peft_qk_norm qk_norm;
	bool	parallel;	/* the MLP reads what attention reads, before
				 * (its own norm or, without one, the same) */
	bool	grouped;	/* rows of QKV lie by key head: queries, k, v */
	bool	each_cached;	/* transformers caches the keys and values of a
				 * group once for each of its queries */
	bool	interleaved;	/* rope turns pairs (2i, 2i + 1) */
	bool	norope;		/* positions by ALiBi or a table alone */
	bool	tied;		/* the head's weight is the embedding's */
	bool	topk_norm;	/* weights of chosen experts sum to 1 */
	bool	expert_bias;	/* their linears have biases */
	bool	expert_turns;	/* in the stack of gate and up their outputs
				 * stand in turns */
	bool	sinks;		/* each head's softmax has one more score,
				 * learnt, of a key without a value */
	double	eps;		/* of norms */
	double	theta, partial;	/* rope; share of a head that is turned */
	double	theta_local;	/* of layers with a window; 0: theta */
	double	embed_scale;	/* 0: 1 */
	bool	embed_sqrt;	/* sqrt(hidden) */
	double	residual_scale, logit_scale;	/* 0: 1 */
	double	attn_scale;	/* of q k; 0: 1/sqrt(head_dim) */
	double	attn_cap, final_cap;		/* c tanh(x / c); 0: none */
	double	qkv_clip;	/* 0: none */
	double	alibi;		/* Press et al. 2021, 8 usually; 0: none */
	bool	alibi_coarse;	/* Falcon's way: alibi.c */
	double	router_scale;	/* of the experts' sum; 0: 1 */
	double	act_alpha, act_limit;	/* of PEFT_SWIGLU_CLAMPED */
	size_t	position_offset;	/* row of the first position */
	size_t	head_dim;	/* where config.json says nothing; 0: hidden /
				 * heads */
	size_t	window;		/* where config.json says nothing; 0: none */
	size_t	window_period;	/* layer types where config.json has none:
				 * full every n-th layer; 0: all alike; 1 with
				 * a window: all have it */
	size_t	norope_period;	/* no rope every n-th layer; 0: none */
	bool	full_norope;	/* nor in layers that see all, if some have a
				 * window */
	bool	norope_window;	/* without layer types: a window where there
				 * is no rope */
};

/* What a key of config.json sets. */
enum peft_key_type {
	PEFT_KEY_SIZE,		/* whole, above 0: size_t at offset */
	PEFT_KEY_COUNT,		/* the same, or 0 */
	PEFT_KEY_REAL, PEFT_KEY_BOOL,	/* double, bool at offset */
	PEFT_KEY_CAP,		/* double; null: 0, whatever the family has */
	PEFT_KEY_INVERSE,	/* 1 / value */
	PEFT_KEY_RSQRT,		/* 1 / sqrt(value) */
	PEFT_KEY_ACT,		/* an activation's name */
	PEFT_KEY_HAS, PEFT_KEY_BIAS,	/* true: the bits of mask; false: not */
	PEFT_KEY_TRUE,		/* must be true, or absent */
	PEFT_KEY_INERT		/* says nothing of the arithmetic */
};

struct peft_key {
	const char		*name;
	enum peft_key_type	 type;
	size_t			 offset;	/* in struct peft_config */
	uint32_t		 mask;
};

struct peft_config;
struct cJSON;
struct peft_err;

struct peft_family {
	const char	*model_type;	/* config.json's */
	const char	*embed, *position, *embed_norm;	/* module paths */
	const char	*layers, *norm, *head;
	const char	*module;	/* what adapters call the head, if not
					 * as its weight is called; NULL: so */
	const char	*each;		/* head for classes of tokens; NULL:
					 * score, as that of sequences is */
	const char	*const *slot;	/* [PEFT_NSLOT] behind layers.N. */
	/* experts' modules: "mlp.experts.#.gate_proj", ... */
	const char	*const *expert;	/* [3]: gate, up, down */
	const char	*const *shared;	/* [3] the same of one always used */
	const char	*router;	/* in target_parameters; NULL:
					 * mlp.gate */
	/* what PEFT targets where a config does not say; NULL ends.  NULL:
	 * q_proj and v_proj */
	const char	*const *usual;
	/* [PEFT_NSLOT] the slot in whose place transformers lists a slot's
	 * module; 0, NULL: in its own */
	const uint8_t	*listed;
	size_t		 positions;	/* max_position where nothing is said;
					 * 0: 2048 */
	struct peft_traits traits;
	const struct peft_key *keys;	/* beyond the common; name NULL ends */
	/* What no table says: at the end, when all is read. */
	int		(*finish)(struct peft_config *, const struct cJSON *,
			    struct peft_err *);
};

/* NULL if there is none. */
const struct peft_family *peft_family_find(const char *model_type);
/* "llama, ..." for messages. */
void	peft_family_names(char *buf, size_t size);

/* The rows, by kind; each ends with model_type NULL. */
extern const struct peft_family peft_families_llama[], peft_families_gemma[],
    peft_families_gpt[], peft_families_moe[];
/* Slots that several have: [PEFT_NSLOT]; gemma: norms before and behind. */
extern const char *const peft_slots_llama[], *const peft_slots_gemma[];

#endif
