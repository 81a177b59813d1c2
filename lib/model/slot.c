/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a model's slots. */

#include "model/site-impl.h"

struct peft_form
peft_slot_of(const struct peft_config *c, int slot)
{
	size_t q = c->heads * c->head_dim, k = c->kv_heads * c->head_dim;
	size_t v = c->kv_heads * c->v_dim, D = c->hidden, I = c->inter;
	bool whole = c->t.qk_norm == PEFT_QK_WHOLE;
	bool each = c->t.qk_norm == PEFT_QK_EACH;
	struct peft_form shape[PEFT_NMODULE] = {
		[PEFT_ATTN_NORM] = { D, D, 0 },
		[PEFT_Q] = { D, q, 0 }, [PEFT_K] = { D, k, 0 },
		[PEFT_V] = { D, v, 0 }, [PEFT_QKV] = { D, q + k + v, 0 },
		[PEFT_KV_A] = { D, c->kv_rank + c->rope_dim, 0 },
		[PEFT_KV_NORM] = { c->kv_rank, c->kv_rank, 0 },
		[PEFT_KV_B] = { c->kv_rank, c->kv_heads * (c->head_dim -
		    c->rope_dim) + v, 0 },
		[PEFT_Q_NORM] = { whole ? q : c->head_dim, whole ? q :
		    c->head_dim, each ? c->heads : 0 },
		[PEFT_K_NORM] = { whole ? k : c->head_dim, whole ? k :
		    c->head_dim, each ? c->kv_heads : 0 },
		[PEFT_O] = { c->heads * c->v_dim, D, 0 },
		[PEFT_ATTN_POST] = { D, D, 0 }, [PEFT_MLP_NORM] = { D, D, 0 },
		[PEFT_GATE] = { D, I, 0 }, [PEFT_UP] = { D, I, 0 },
		[PEFT_GATE_UP] = { D, 2 * I, 0 }, [PEFT_DOWN] = { I, D, 0 },
		[PEFT_MLP_POST] = { D, D, 0 },
		[PEFT_ROUTER] = { D, c->experts, 0 },
		[PEFT_AT_EMBED] = { c->vocab, D, 0 },
		[PEFT_AT_POSITION] = { c->positions, D, 0 },
		[PEFT_AT_EMBED_NORM] = { D, D, 0 },
		[PEFT_AT_NORM] = { D, D, 0 },
		[PEFT_AT_HEAD] = { D, c->outputs, 0 },
	};

	return shape[slot];
}

enum peft_site_kind
peft_slot_kind(int slot)
{
	static const enum peft_site_kind kind[PEFT_NMODULE] = {
		[PEFT_ATTN_NORM] = PEFT_NORM, [PEFT_KV_NORM] = PEFT_NORM,
		[PEFT_Q_NORM] = PEFT_NORM, [PEFT_K_NORM] = PEFT_NORM,
		[PEFT_ATTN_POST] = PEFT_NORM, [PEFT_MLP_NORM] = PEFT_NORM,
		[PEFT_MLP_POST] = PEFT_NORM, [PEFT_ROUTER] = PEFT_EXPERT,
		[PEFT_AT_EMBED] = PEFT_EMBEDDING,
		[PEFT_AT_POSITION] = PEFT_POSITION,
		[PEFT_AT_EMBED_NORM] = PEFT_NORM, [PEFT_AT_NORM] = PEFT_NORM,
		[PEFT_AT_HEAD] = PEFT_HEAD,
	};

	return kind[slot];	/* others are 0: linear */
}
