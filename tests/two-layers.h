/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TWO_LAYERS_H
#define TESTS_TWO_LAYERS_H

/* A model of two layers that is nothing but its modules, and adapters of it. */

#include <string.h>

#include "peft/adapter.h"
#include "tap.h"

enum { NSITE = 9 };

static struct peft_site sites_at[NSITE] = {
	{ .path = "model.embed_tokens", .kind = PEFT_EMBEDDING, .layer = -1,
	    .in = 10, .out = 4 },
	{ .path = "model.layers.0.self_attn.q_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 4 },
	{ .path = "model.layers.0.self_attn.v_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 2 },
	{ .path = "model.layers.0.mlp.up_proj", .kind = PEFT_LINEAR,
	    .layer = 0, .in = 4, .out = 6 },
	{ .path = "model.layers.0.norm", .kind = PEFT_NORM, .layer = 0,
	    .in = 4, .out = 4 },
	{ .path = "model.layers.1.self_attn.q_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 4 },
	{ .path = "model.layers.1.self_attn.v_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 2 },
	{ .path = "model.layers.1.mlp.up_proj", .kind = PEFT_LINEAR,
	    .layer = 1, .in = 4, .out = 6 },
	{ .path = "lm_head", .kind = PEFT_HEAD, .layer = -1, .in = 4,
	    .out = 10, .bias = SIZE_MAX },
};

static struct peft_sites sites = { .at = sites_at, .n = NSITE };

static inline cJSON *
json(const char *text)
{
	struct peft_err err = { 0 };
	cJSON *j = peft_json(text, strlen(text), &err);

	need(j != NULL, &err);
	return j;
}

static inline struct peft_adapter *
make(const char *text, struct peft_err *err)
{
	cJSON *j = json(text);
	struct peft_adapter *a;

	*err = (struct peft_err){ 0 };
	a = peft_adapter_new(j, &sites, 7, err);
	cJSON_Delete(j);
	return a;
}

#endif
