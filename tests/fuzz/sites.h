/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_FUZZ_SITES_H
#define PEFT_FUZZ_SITES_H

#include "base/json.h"
#include "model/site.h"

/* A model that is nothing but its modules. */
enum { NSITE = 6 };

static const struct peft_site fuzz_sites[NSITE] = {
	{ .path = "model.embed_tokens", .kind = PEFT_EMBEDDING, .layer = -1,
	    .in = 8, .out = 4 },
	{ .path = "model.layers.0.self_attn.q_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 4 },
	{ .path = "model.layers.0.self_attn.v_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 2 },
	{ .path = "model.layers.1.mlp.up_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 6 },
	{ .path = "model.norm", .kind = PEFT_NORM, .layer = -1, .in = 4,
	    .out = 4 },
	{ .path = "lm_head", .kind = PEFT_HEAD, .layer = -1, .in = 4,
	    .out = 8 },
};

/* Ranks that only cost time and memory are not what is looked for. */
static inline bool
fuzz_too_large(const cJSON *j)
{
	const cJSON *e;

	if (cJSON_IsNumber(j) && j->valuedouble > 64)
		return true;
	cJSON_ArrayForEach(e, j)
		if (fuzz_too_large(e))
			return true;
	return false;
}

#endif
