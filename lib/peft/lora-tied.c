/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA on an embedding that is the head: W + s (B A)^T is the head's weight,
 * too, so that there B^T [r, dim] is what A is on a linear layer, and A^T
 * [vocab, r] what B is.
 */

#include <string.h>

#include "math/turn.h"
#include "peft/lora.h"
#include "peft/target.h"
#include "peft/tied.h"

const struct peft_twin peft_lora_twins[] = {
	{ PEFT_LORA_A, PEFT_LORA_HEAD_B, true },
	{ PEFT_LORA_B, PEFT_LORA_HEAD_A, true }, { 0 }
};

/* Nothing may tell the two apart that PEFT makes of it. */
int
peft_lora_tied_shapes(const struct peft_lora *l, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	const struct peft_family *f = m->adapter->model->family;
	const char *head = f->module != NULL ? f->module : f->head;
	double rank = (double)m->rank, alpha, other, same;

	if (l->dora || l->start > PEFT_LORA_GAUSSIAN)
		return peft_seterr(err, "ensure_weight_tying excludes "
		    "use_dora, of which embedding and head would have "
		    "magnitudes each, and an adapter that begins from the "
		    "weight");
	if (peft_pattern_value(l->rank_pattern, head, (double)l->r, &other,
	    err) == -1 || peft_pattern_value(l->alpha_pattern, m->site->path,
	    l->alpha, &alpha, err) == -1 || peft_pattern_value(
	    l->alpha_pattern, head, l->alpha, &same, err) == -1)
		return -1;
	if (other != rank || same != alpha)
		return peft_seterr(err, "ensure_weight_tying: %s_pattern tells "
		    "it from %s", other != rank ? "rank" : "alpha", head);
	out[PEFT_LORA_HEAD_A] = peft_tied_shape(m, peft_shape2("", m->rank,
	    m->site->out), "lora_A.weight");
	out[PEFT_LORA_HEAD_B] = peft_tied_shape(m, peft_shape2("", m->site->in,
	    m->rank), "lora_B.weight");
	return 0;
}

/* The state of the head's: struct peft_lowrank, and these turned. */
static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return sizeof(struct peft_lowrank) + (m->train ? 2 : 1) * m->rank *
	    (m->site->in + m->site->out) * sizeof(float);
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	struct peft_lowrank *l = m->state;
	size_t r = m->rank, in = m->site->in, out = m->site->out;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	peft_turn(l->own, m->param[PEFT_LORA_B]->value, in, r, false);
	peft_turn(l->own + r * in, m->param[PEFT_LORA_A]->value, r, out,
	    false);
	if (m->train)
		memset(l->ga, 0, r * (in + out) * sizeof(float));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct peft_lowrank *l = m->state;
	size_t r = m->rank, in = m->site->in, out = m->site->out;

	(void)cpu;
	if (!m->train)
		return;
	peft_turn(m->param[PEFT_LORA_B]->grad, l->ga, r, in, true);
	peft_turn(m->param[PEFT_LORA_A]->grad, l->gb, out, r, true);
}

static const struct peft_hook_ops hook = {
	.memory = memory, .begin = begin, .end = end,
	.saved = peft_lowrank_saved, .scratch = peft_lowrank_scratch,
	.forward = peft_lowrank_forward, .backward = peft_lowrank_backward,
	.thin = peft_lowrank_thin,
};

const struct peft_hook_ops *
peft_lora_tie(struct peft_module *head, struct peft_err *err)
{
	const struct peft_lora *set = head->settings;
	size_t r = head->rank, in = head->site->in, out = head->site->out;
	struct peft_lowrank *l = peft_calloc(1, memory(head), err);

	if ((head->state = l) == NULL)
		return NULL;
	head->dropout = head->train ? set->dropout : 0;
	l->own = l->data;
	l->a = l->own;
	l->b = l->own + r * in;
	l->ga = head->train ? l->own + r * (in + out) : NULL;
	l->gb = head->train ? l->ga + r * in : NULL;
	return &hook;
}
