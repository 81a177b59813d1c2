/* SPDX-License-Identifier: Apache-2.0 */
/* The quantization_config of compressed-tensors (its quant_config.py,
 * quant_scheme.py, quant_args.py). */

#include <string.h>

#include "tensor/quantcfg-impl.h"

static const char *const formats[] = { "pack-quantized", "int-quantized",
    "float-quantized", "naive-quantized", "mixed-precision", "dense", NULL };

/* Read below; told by the tensors (weight_g_idx, types); how it was found. */
static const char *const args[] = {
	"num_bits", "type", "symmetric", "strategy", "group_size",
	"block_structure", "actorder", "scale_dtype", "zp_dtype", "observer",
	"observer_kwargs", NULL
};

static int
check_args(const cJSON *j, struct peft_err *err)
{
	const cJSON *e;
	size_t i;

	cJSON_ArrayForEach(e, j) {
		for (i = 0; args[i] != NULL && strcmp(args[i], e->string) != 0;
		    i++)
			;
		if (args[i] == NULL && !peft_json_off(e))
			return peft_seterr(err, "key \"%s\" is not honoured",
			    e->string);
	}
	return 0;
}

/* The scope of a scale, and what goes with it. */
static int
read_scope(struct peft_quantscheme *s, const cJSON *j, struct peft_err *err)
{
	enum { TENSOR, CHANNEL, GROUP, BLOCK };
	static const char *const scopes[] = { "tensor", "channel", "group",
	    "block", NULL };
	size_t scope = TENSOR;
	int64_t group = 0;
	int has, g;

	if ((has = peft_quantcfg_word(j, "strategy", scopes, &scope,
	    err)) == -1 || (g = peft_json_int(j, "group_size", -1, 1 << 24,
	    &group, err)) == -1 || peft_quantcfg_pair(j, "block_structure",
	    s->block, err) == -1)
		return -1;
	if (has == 0)			/* as its own code infers it */
		scope = g == 0 ? TENSOR : group > 0 ? GROUP : CHANNEL;
	if (scope == GROUP && group < 1)
		return peft_seterr(err, "group_size is missing");
	if (scope == BLOCK && s->block[0] == 0)
		return peft_seterr(err, "block_structure is missing");
	s->group = scope == GROUP ? (size_t)group : 0;
	if (scope != BLOCK)
		s->block[0] = s->block[1] = 0;
	return 0;
}

static int
read_weights(struct peft_quantscheme *s, const cJSON *j, struct peft_err *err)
{
	static const char *const types[] = { "int", "float", NULL };
	int64_t bits = 8;
	size_t type = 0;

	*s = (struct peft_quantscheme){ .symmetric = true };
	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (check_args(j, err) == -1 ||
	    peft_json_int(j, "num_bits", 1, 16, &bits, err) == -1 ||
	    peft_quantcfg_word(j, "type", types, &type, err) == -1 ||
	    peft_json_bool(j, "symmetric", &s->symmetric, err) == -1)
		return -1;
	if (type == 1 ? bits != 8 : bits != 2 && bits != 3 && bits != 4 &&
	    bits != 8)
		return peft_seterr(err, "%lld bits of type %s are not honoured "
		    "(int: 2, 3, 4, 8; float: 8)", (long long)bits,
		    types[type]);
	s->bits = (unsigned)bits;
	s->is_float = type == 1;
	s->f8 = PEFT_F8_E4M3;		/* if so */
	return read_scope(s, j, err);
}

static int
read_group(struct peft_quantcfg *c, const cJSON *j, struct peft_err *err)
{
	static const char *const keys[] = { "targets", "weights",
	    "input_activations", "format", NULL };
	const cJSON *e, *w = peft_json_get(j, "weights");
	size_t i;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	cJSON_ArrayForEach(e, j) {
		for (i = 0; keys[i] != NULL && strcmp(keys[i], e->string) != 0;
		    i++)
			;
		if (keys[i] == NULL && !peft_json_off(e))
			return peft_seterr(err, "key \"%s\" is not honoured",
			    e->string);
	}
	if (peft_quantcfg_word(j, "format", formats, &i, err) == -1)
		return -1;
	c->activations |= !peft_json_off(peft_json_get(j,
	    "input_activations"));
	if (peft_json_off(w))
		return 0;
	if (c->nschemes == PEFT_MAXSCHEME)
		return peft_seterr(err, "more than %d groups", PEFT_MAXSCHEME);
	if (read_weights(&c->scheme[c->nschemes], w, err) == -1)
		return peft_errprefix(err, "weights");
	c->nschemes++;
	return 0;
}

int
peft_quantcfg_read_ct(struct peft_quantcfg *c, const cJSON *j,
    struct peft_err *err)
{
	static const char *const dense[] = { "dense", NULL };
	static const char *const states[] = { "compressed", "frozen", NULL };
	const cJSON *groups = peft_json_get(j, "config_groups"), *e;
	const cJSON *sparse = peft_json_get(j, "sparsity_config");
	size_t i;

	if (peft_quantcfg_word(j, "format", formats, &i, err) == -1 ||
	    peft_quantcfg_word(j, "quantization_status", states, &i,
	    err) == -1)
		return -1;
	if (!peft_json_off(sparse) && peft_quantcfg_word(sparse, "format",
	    dense, &i, err) != 1)
		return peft_seterr(err, "key \"sparsity_config\" is not "
		    "honoured");
	if (!cJSON_IsObject(groups))
		return peft_seterr(err, "config_groups is not an object");
	cJSON_ArrayForEach(e, groups)
		if (read_group(c, e, err) == -1)
			return peft_errprefix(err, "config_groups: %s",
			    e->string);
	return 0;
}
