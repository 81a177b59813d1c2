/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_FAMILY_IMPL_H
#define PEFT_MODEL_FAMILY_IMPL_H

/* Words that the tables of family-*.c are written in. */

#include <stddef.h>

#include "model/config-impl.h"

/* What a layer has. */
#define BIT	PEFT_BIT
#define OUTER	(BIT(PEFT_AT_EMBED) | BIT(PEFT_AT_NORM) | BIT(PEFT_AT_HEAD))
#define QKV	(BIT(PEFT_Q) | BIT(PEFT_K) | BIT(PEFT_V))
#define ATTN	(QKV | BIT(PEFT_O))
#define GATED	(BIT(PEFT_GATE) | BIT(PEFT_UP) | BIT(PEFT_DOWN))
#define PRE	(BIT(PEFT_ATTN_NORM) | BIT(PEFT_MLP_NORM))
#define POST	(BIT(PEFT_ATTN_POST) | BIT(PEFT_MLP_POST))
#define QK	(BIT(PEFT_Q_NORM) | BIT(PEFT_K_NORM))
#define LLAMA	(OUTER | PRE | ATTN | GATED)

/* Llama's names, which many have. */
#define NAMES	.embed = "model.embed_tokens", .layers = "model.layers", \
		.norm = "model.norm", .head = "lm_head"

/* Keys of config.json. */
#define AT(field)	offsetof(struct peft_config, field)
#define INERT(name)	{ name, PEFT_KEY_INERT, 0, 0 }
#define END		{ NULL, 0, 0, 0 }
#define WINDOW		{ "sliding_window", PEFT_KEY_COUNT, AT(window), 0 }
/* what the layers are is read elsewhere (config-layers.c) */
#define TYPES		WINDOW, INERT("layer_types")
#define ATTN_BIAS	{ "attention_bias", PEFT_KEY_BIAS, 0, ATTN }
#define MLP_BIAS	{ "mlp_bias", PEFT_KEY_BIAS, 0, GATED }

#endif
