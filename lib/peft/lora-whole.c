/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A LoRA that began as a part of the weights, which the base then lacked: what
 * it has learnt, s (B A - B0 A0), is a LoRA of twice the rank over the whole
 * base, [A; A0] and [B | -B0].
 */

#include <math.h>
#include <string.h>

#include "peft/lora.h"

/* It begins as it is. */
void
peft_lora_keep(struct peft_module *m)
{
	int i;

	for (i = 0; i < 2 && m->param[PEFT_LORA_A0] != NULL; i++)
		memcpy(m->param[PEFT_LORA_A0 + i]->value,
		    m->param[PEFT_LORA_A + i]->value,
		    m->param[PEFT_LORA_A + i]->n * sizeof(float));
}

/* The module's halves become twice as long, in room. */
static float *
join(struct peft_module *m, float *room)
{
	struct peft_param *a = m->param[PEFT_LORA_A];
	struct peft_param *b = m->param[PEFT_LORA_B];
	const float *b0 = m->param[PEFT_LORA_B0]->value, *was = b->value;
	size_t r = m->rank, i, k;

	memcpy(room, a->value, a->n * sizeof(*room));
	memcpy(room + a->n, m->param[PEFT_LORA_A0]->value, a->n *
	    sizeof(*room));
	a->value = room;
	b->value = room + 2 * a->n;
	for (i = 0; i < m->site->out; i++)
		for (k = 0; k < r; k++) {
			b->value[i * 2 * r + k] = was[i * r + k];
			b->value[i * 2 * r + r + k] = -b0[i * r + k];
		}
	a->shape[0] = b->shape[1] = m->rank = 2 * r;
	a->n *= 2;
	b->n *= 2;
	return b->value + b->n;
}

static void
multiply(cJSON *number, double f)
{
	if (cJSON_IsNumber(number))
		cJSON_SetNumberValue(number, number->valuedouble * f);
}

/* The same scale at twice the rank. */
static void
rewrite(cJSON *c, const struct peft_lora *l)
{
	double f = l->rslora ? sqrt(2) : 2;
	cJSON *e;

	peft_json_set(c, "r", cJSON_CreateNumber(2 * (double)l->r));
	peft_json_set(c, "lora_alpha", cJSON_CreateNumber(l->alpha * f));
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(c,
	    "rank_pattern"))
		multiply(e, 2);
	cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(c,
	    "alpha_pattern"))
		multiply(e, f);
	peft_json_set(c, "init_lora_weights", cJSON_CreateTrue());
	peft_json_set(c, "corda_config", cJSON_CreateNull());
	peft_json_set(c, "lora_ga_config", cJSON_CreateNull());
}

int
peft_lora_finish(struct peft_adapter *a, struct peft_err *err)
{
	size_t i, n = 0;
	float *room;

	for (i = 0; i < a->nsites; i++)
		if (a->modules[i].param[PEFT_LORA_A0] != NULL)
			n += 2 * (a->modules[i].param[PEFT_LORA_A]->n +
			    a->modules[i].param[PEFT_LORA_B]->n);
	if (n == 0)
		return 0;
	if ((room = a->memory = peft_calloc(n, sizeof(*room), err)) == NULL)
		return -1;
	for (i = 0; i < a->nsites; i++)
		room = join(&a->modules[i], room);
	rewrite(a->config, a->settings);
	a->note = "the adapter began as a part of the weights: what it learnt "
	    "is written, as a LoRA of twice the rank over the unchanged base";
	return 0;
}
