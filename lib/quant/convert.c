/* SPDX-License-Identifier: Apache-2.0 */
/* Which type each weight gets, and what that costs. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/convert-impl.h"
#include "quant/quant.h"
#include "tensor/ggufmap.h"

bool
peft_is_4bit(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4;
}

/* Is one of the path's parts a number, as a layer's is? */
static bool
in_layer(const char *name)
{
	const char *p;
	size_t n;

	for (p = strchr(name, '.'); p != NULL; p = strchr(p + 1, '.')) {
		n = strspn(p + 1, "0123456789");
		if (n > 0 && p[1 + n] == '.')
			return true;
	}
	return false;
}

/* The linear layers inside the blocks: what bitsandbytes converts.  Routers
 * among experts are no linear layers to it, nor are norms of heads. */
static bool
is_inner_linear(const struct peft_weight *w)
{
	static const char *const others[] = { "norm.weight", "ln.weight",
	    "mlp.gate.weight", "moe.gate.weight", "mlp.router.weight" };
	size_t n = strlen(w->name), i, k;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		k = strlen(others[i]);
		if (n >= k && strcmp(w->name + n - k, others[i]) == 0)
			return false;
	}
	return w->ndim == 2 && n > 7 && in_layer(w->name) &&
	    strcmp(w->name + n - 7, ".weight") == 0;
}

/* What a weight is turned into that is not to be quantised: itself if a
 * plain type can hold it, else bf16, which a quantised value fits into with
 * less loss than it has suffered already. */
static enum peft_dtype
plain_type(const struct peft_weight *w, const struct peft_convertopt *o)
{
	if (peft_is_float(w->dtype))
		return w->dtype;
	return o->gguf ? PEFT_F16 : w->scales.group > 0 ? w->scales.orig :
	    PEFT_BF16;
}

/* For rows that do not divide into a type's blocks: the type that llama.cpp
 * takes, of about as many bits in blocks of 32. */
static enum peft_dtype
fit_blocks(size_t cols, enum peft_dtype t)
{
	static const struct { enum peft_dtype big, small; } rows[] = {
		{ PEFT_TQ1_0, PEFT_Q4_0 }, { PEFT_TQ2_0, PEFT_Q4_0 },
		{ PEFT_Q2_K, PEFT_Q4_0 }, { PEFT_Q3_K, PEFT_Q4_0 },
		{ PEFT_IQ1_S, PEFT_IQ4_NL }, { PEFT_IQ1_M, PEFT_IQ4_NL },
		{ PEFT_IQ2_XXS, PEFT_IQ4_NL }, { PEFT_IQ2_XS, PEFT_IQ4_NL },
		{ PEFT_IQ2_S, PEFT_IQ4_NL }, { PEFT_IQ3_XXS, PEFT_IQ4_NL },
		{ PEFT_IQ3_S, PEFT_IQ4_NL },
		{ PEFT_IQ4_XS, PEFT_IQ4_NL }, { PEFT_Q4_K, PEFT_Q5_0 },
		{ PEFT_Q5_K, PEFT_Q5_1 }, { PEFT_Q6_K, PEFT_Q8_0 } };
	size_t i;

	if (cols % peft_dtypes[t].block == 0)
		return t;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].big == t && cols % 32 == 0)
			return rows[i].small;
	return PEFT_F16;
}

/* What decides on types, besides the options. */
struct plan {
	const struct peft_convertopt *o;
	bool			 joint;	/* experts are parameters: to others
					 * they are not to be quantised */
	struct peft_rules	*rules;
	struct peft_mixer	*mixer;
	const struct peft_arch	*arch;	/* in GGUF; NULL: not known */
};

static const char *
what_is(const struct peft_weight *w)
{
	return w->ndim < 2 ? strstr(w->name, "norm") != NULL ? "norm" :
	    "vector" : strstr(w->name, "embed") != NULL ? "embedding" :
	    strstr(w->name, "lm_head") != NULL ? "head" : "no linear layer";
}

/* Can its codes and scales be written as they are? */
static bool
keeps_scales(const struct peft_weight *w)
{
	const struct peft_scales *sc = &w->scales;

	return w->dtype == PEFT_F8G_E4M3 ? sc->group == sc->group_rows &&
	    sc->order == NULL && sc->zero == NULL : peft_is_coded(w->dtype);
}

static enum peft_dtype
kept_type(const struct peft_weight *w, const struct peft_convertopt *o)
{
	if (w->ndim < 2 && o->gguf)
		return PEFT_F32;
	if (o->gguf ? peft_dtypes[w->dtype].ggml >= 0 :
	    peft_dtypes[w->dtype].st != NULL)
		return w->dtype;
	return keeps_scales(w) && !o->gguf ? w->dtype : plain_type(w, o);
}

/* In f32 in GGUF, unless it came quantised and is to keep its type. */
static bool
is_small(const struct plan *p, const struct peft_weight *w)
{
	return p->arch != NULL && (p->o->dtype != PEFT_NDTYPE ||
	    peft_is_float(w->dtype)) && peft_mix_is_small(p->arch, w->name);
}

/* By the options alone. */
static enum peft_dtype
type_of(const struct plan *p, size_t i, const struct peft_weight *w,
    const char **why)
{
	const struct peft_convertopt *o = p->o;

	if (o->gguf && (w->ndim < 2 || is_small(p, w))) {
		*why = w->ndim < 2 ? what_is(w) : "small";
		return PEFT_F32;
	}
	if (o->dtype == PEFT_NDTYPE)
		return kept_type(w, o);
	if (p->joint && peft_is_coded(o->dtype) && !o->gguf && w->ndim == 2 &&
	    strstr(w->name, ".experts.") != NULL) {
		*why = peft_why_joint;
		return plain_type(w, o);
	}
	if ((peft_is_coded(o->dtype) && !is_inner_linear(w)) ||
	    (w->ndim < 2 && !peft_is_float(o->dtype))) {
		*why = what_is(w);
		/* transformers expands FP8 to bf16 and leaves the rest as it
		 * is: products of two types are an error in torch */
		return o->dtype == PEFT_F8G_E4M3 && w->dtype == PEFT_F32 ?
		    PEFT_BF16 : plain_type(w, o);
	}
	if (p->mixer != NULL)
		return peft_mixer_type(p->mixer, i, why);
	return o->dtype;
}

/* Is it [in, out] here, and [out, in] in GGUF? */
static bool
will_turn(const struct plan *p, const struct peft_weight *w)
{
	const struct peft_heads one = { 1, 1 };

	return p->arch != NULL && w->ndim == 2 && !w->turned &&
	    peft_arch_order(p->arch, w->name, &one).turned;
}

/* A rule's type is given, or it is an error. */
static int
by_rule(const struct plan *p, const struct peft_weight *w,
    const struct peft_rule *rule, struct peft_spec *s, struct peft_err *err)
{
	s->why = "kept";
	s->dtype = s->asked = kept_type(w, p->o);
	if (rule->dtype == PEFT_NDTYPE)
		return 0;
	s->why = "rule";
	s->dtype = s->asked = rule->dtype;
	if (peft_is_coded(rule->dtype) && rule->dtype != PEFT_NF4 &&
	    rule->dtype != PEFT_FP4 && w->ndim != 2)
		return peft_seterr(err, "weight %s is no matrix, as --type "
		    "'%s=%s' needs it", w->name, rule->pattern,
		    peft_dtypes[rule->dtype].name);
	if (!peft_is_4bit(rule->dtype) &&
	    s->cols % peft_dtypes[rule->dtype].block != 0)
		return peft_seterr(err, "weight %s: rows of %zu do not divide "
		    "into blocks of %u, as --type '%s=%s' needs them", w->name,
		    s->cols, peft_dtypes[rule->dtype].block, rule->pattern,
		    peft_dtypes[rule->dtype].name);
	return 0;
}

static int
decide(const struct plan *p, size_t i, const struct peft_weight *w,
    struct peft_spec *s, struct peft_err *err)
{
	const struct peft_rule *rule = NULL;
	bool same;

	*s = peft_spec_of(w);
	if (will_turn(p, w))
		s->cols = w->rows;
	if (p->rules != NULL && peft_rules_match(p->rules, w, &rule,
	    err) == -1)
		return -1;
	if (rule != NULL) {
		if (by_rule(p, w, rule, s, err) == -1)
			return -1;
		same = rule->dtype == PEFT_NDTYPE;
	} else {
		s->asked = type_of(p, i, w, &s->why);
		s->dtype = peft_is_coded(s->asked) ||
		    p->o->dtype == PEFT_NDTYPE ? s->asked :
		    fit_blocks(s->cols, s->asked);
		if (s->dtype != s->asked)
			s->why = peft_why_misfit;
		same = p->o->dtype == PEFT_NDTYPE;
	}
	if (peft_is_4bit(s->dtype) && (s->dtype != w->dtype || !same)) {
		s->blocksize = p->o->blocksize > 0 ? p->o->blocksize : 64;
		s->nested = p->o->nested;
		s->orig = peft_is_float(w->dtype) ? w->dtype :
		    peft_is_4bit(w->dtype) ? w->scales.orig : PEFT_BF16;
	}
	if (s->dtype == PEFT_F8G_E4M3)
		s->blocksize = same ? w->scales.group : 0;
	return 0;
}

/* One size of FP8's blocks for all, as readers want it: the largest that
 * divides all, since some take no other. */
static void
set_edges(struct peft_spec *s, size_t n)
{
	size_t edge = 128, i;

	for (i = 0; i < n; i++)
		while (s[i].dtype == PEFT_F8G_E4M3 && s[i].blocksize == 0 &&
		    edge > 8 && (s[i].shape[0] % edge != 0 ||
		    s[i].shape[1] % edge != 0))
			edge /= 2;
	for (i = 0; i < n; i++)
		if (s[i].dtype == PEFT_F8G_E4M3 && s[i].blocksize == 0)
			s[i].blocksize = edge > 8 ? edge : 128;
}

static int
open_plan(struct plan *p, const struct peft_source *src,
    struct peft_err *err)
{
	const struct peft_side *config = peft_source_side(src, "config.json");
	const struct peft_convertopt *o = p->o;

	if (o->gguf && config != NULL)
		p->arch = peft_arch_of_config(config);
	if (o->nrules > 0 && (p->rules = peft_rules_open(o->rules, o->nrules,
	    o->gguf, err)) == NULL)
		return -1;
	if (o->mix != NULL && o->gguf && (p->mixer = peft_mixer_open(o->mix,
	    src, o->imatrix, err)) == NULL)
		return -1;
	return 0;
}

struct peft_spec *
peft_convert_plan(const struct peft_source *src,
    const struct peft_convertopt *o, size_t *n, struct peft_err *err)
{
	struct plan p = { .o = o, .joint = peft_source_joined(src) };
	struct peft_spec *specs = NULL;
	size_t i;
	int r = open_plan(&p, src, err);

	*n = peft_source_count(src);
	if (r == 0 && (specs = peft_calloc(*n, sizeof(*specs), err)) == NULL)
		r = -1;
	for (i = 0; r == 0 && i < *n; i++) {
		const struct peft_weight *w = peft_source_at(src, i);

		if (!peft_can_decode(w->dtype))
			r = peft_seterr(err, "%s: weight %s: type %s cannot be "
			    "read as numbers", peft_source_label(src), w->name,
			    peft_dtypes[w->dtype].name);
		else
			r = decide(&p, i, w, &specs[i], err);
	}
	if (r == 0 && p.rules != NULL)
		r = peft_rules_all_hit(p.rules, err);
	if (r == 0)
		set_edges(specs, *n);
	peft_rules_close(p.rules);
	peft_mixer_close(p.mixer);
	if (r == -1) {
		free(specs);
		return NULL;
	}
	return specs;
}
