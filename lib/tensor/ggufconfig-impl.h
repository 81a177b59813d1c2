/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GGUFCONFIG_IMPL_H
#define PEFT_TENSOR_GGUFCONFIG_IMPL_H

#include <stdbool.h>

#include "base/json.h"
#include "tensor/ggufmap.h"

/* One name of a tensor in each world, without .weight or .bias. */
struct peft_pair {
	const char	*gguf, *hf;
	char		 as;	/* 'q', 'k': rows of heads interleaved; 'f':
				 * fused rows in another order; 'F': the same,
				 * in three tensors, this being the queries',
				 * with rows interleaved; 't': turned;
				 * '+': 1 + value; 'e': experts; '.': without
				 * .weight in Hugging Face's; 0 */
};

/* ggufnames.c: of the whole model, and of a layer; each ends with a row of
 * NULL. */
extern const struct peft_pair peft_pairs_llama_whole[],
	    peft_pairs_plus_whole[], peft_pairs_llama[], peft_pairs_qwen[],
	    peft_pairs_gemma[], peft_pairs_gemma2[], peft_pairs_olmo2[],
	    peft_pairs_olmo[], peft_pairs_phi3[], peft_pairs_glm[],
	    peft_pairs_glm4[], peft_pairs_starcoder2[], peft_pairs_nemotron[],
	    peft_pairs_phi[], peft_pairs_phi_whole[], peft_pairs_mixtral[],
	    peft_pairs_qwen_moe[], peft_pairs_deepseek[],
	    peft_pairs_gpt_oss[],
	    peft_pairs_gpt2_whole[], peft_pairs_gpt2[],
	    peft_pairs_neox_whole[], peft_pairs_neox[],
	    peft_pairs_bloom_whole[], peft_pairs_bloom[], peft_pairs_falcon[],
	    peft_pairs_falcon2[], peft_pairs_internlm2_whole[],
	    peft_pairs_internlm2[], peft_pairs_mpt_whole[], peft_pairs_mpt[];

/* What config.json and GGUF's metadata say alike; the list ends with a row of
 * NULL.  "%s" is the architecture. */
struct peft_gguf_key {
	const char	*gguf, *hf;
	/* 'u' whole; 'f' real; 'b' true or false; 'B' the same, true where
	 * absent; 't': hf's is true if there is a tensor with gguf in its
	 * name; 'T', 'F': no key tells, it is always so;
	 * 's': put_special() tells it */
	char		 type;
	bool		 required;
};
extern const struct peft_gguf_key peft_gguf_keys[];

struct peft_arch {
	const char	*gguf;		/* general.architecture */
	const char	*when;		/* taken if this key is there and not 0,
					 * or a tensor is; NULL: always */
	const char	*hf, *class;	/* model_type, architectures[0] */
	const char	*hf_layer;	/* before the layer's number */
	const struct peft_pair *whole, *layer;
	/* what the family calls hidden_size and so on; NULL: has it not */
	const char	*const (*alias)[2];
	const char	*eps;		/* its key of the norms' epsilon */
	bool		 layernorm;
	const struct peft_gguf_key *keys;	/* beyond the common */
	bool		 norope;
	double		 theta, local;	/* rope's, where no key says; local: of
					 * layers with a window; 0: 10000, as
					 * theta */
	double		 partial;	/* the turned part of a head where
					 * config.json does not say; 0: 1 */
	unsigned	 head_dim;	/* the same; 0: hidden / heads */
	unsigned	 period;	/* full attention every n-th layer, as
					 * in llama.cpp; 0: no windows */
	bool		 latent;	/* keys and values by way of something
					 * narrow: heads have three widths */
	bool		 joined;	/* see peft_arch_joined() */
	bool		 unrounded;	/* YaRN's bounds are ("truncate": false),
					 * and no key says so */
	const char	*extra;		/* of config.json, always: ",..." */
	const char	*act;		/* its activation; NULL: silu */
};
extern const struct peft_arch peft_archs[];	/* gguf NULL ends */

/* What the family calls a key of config.json; NULL: it has no such key. */
const char	*peft_arch_alias(const struct peft_arch *, const char *key);

/* "%s.context_length" for "llama"; buf has room for 128. */
void	peft_gguf_full_key(char *buf, const char *fmt, const char *arch);

/* ggufsizes.c: what config.json says of sizes, and what is so where it does
 * not. */
struct peft_gguf_sizes {
	int64_t	hidden, inter, layers, heads, kv, dim, context, vocab;
	int64_t	value, turned;		/* of a head: of its values, by rope */
};
int	peft_gguf_sizes(const struct peft_arch *, const cJSON *,
	    struct peft_gguf_sizes *, struct peft_err *) PEFT_MUSTCHECK;

/* ggufbuiltin.c: config.json against what is built into llama.cpp's graph. */
int	peft_gguf_check_built_in(const struct peft_arch *, const cJSON *,
	    struct peft_err *) PEFT_MUSTCHECK;

/* ggufrope.c: theta and scaling, from config.json to metadata and back
 * (",..." appended). */
int	peft_gguf_put_rope(const struct peft_arch *, const cJSON *,
	    struct peft_gguf_out *, size_t rope_dim,
	    struct peft_rope_tensors *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_gguf_get_rope(const struct peft_arch *, const struct peft_gguf *,
	    struct peft_buf *, const struct peft_rope_tensors *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* ggufkeys.c: what only some families have, appended; and settings that the
 * family's row does not know must not be there. */
int	peft_gguf_get_own(struct peft_buf *, const struct peft_gguf *,
	    const struct peft_arch *, const struct peft_heads *,
	    uint64_t hidden, uint64_t dim, struct peft_err *) PEFT_MUSTCHECK;
int	peft_gguf_refuse_others(const struct peft_gguf *,
	    const struct peft_arch *, struct peft_err *) PEFT_MUSTCHECK;
/* A float's shortest decimal: 1e-5 does not become 9.99999975e-06, nor 30.0 a
 * whole number, which transformers refuses in its place. */
void	peft_gguf_put_short(struct peft_buf *, double);
/* A pair with a number that was divided or rooted, without what that left of
 * noise. */
void	peft_gguf_put_about(struct peft_buf *, const char *key, double);
/* What "%s.KEY" says of the file's architecture. */
bool	peft_gguf_arch_real(const struct peft_arch *,
	    const struct peft_gguf *, const char *key, double *);

/* What longrope multiplies cos and sin by, if nothing else is said. */
double	peft_longrope_factor(double factor, double orig);
/* What Llama 3 divides frequency i of n by (factor: the lowest's). */
float	peft_llama3_divisor(double theta, size_t i, size_t n, double factor,
	    double low, double high, double orig);

#endif
