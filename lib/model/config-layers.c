/* SPDX-License-Identifier: Apache-2.0 */
/* What each layer is: windows, rope or none, experts or none. */

#include <string.h>

#include "model/config-impl.h"

/* layer_types, which wins over all patterns. */
static int
read_types(struct peft_config *c, const cJSON *l, struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;

	if (!cJSON_IsArray(l) || cJSON_GetArraySize(l) != (int)c->layers)
		return peft_seterr(err, "layer_types is no list of %zu names",
		    c->layers);
	cJSON_ArrayForEach(e, l) {
		const char *s = cJSON_IsString(e) ? e->valuestring : "?";

		if (strcmp(s, "sliding_attention") == 0)
			c->layer[i] |= PEFT_LAYER_WINDOW;
		else if (strcmp(s, "full_attention") != 0)
			return peft_seterr(err, "layer_types: \"%s\" is not "
			    "honoured (known: full_attention, "
			    "sliding_attention)", s);
		if ((c->layer[i] & PEFT_LAYER_WINDOW) && c->window == 0)
			return peft_seterr(err, "layer_types has "
			    "sliding_attention, but there is no "
			    "sliding_window");
		i++;
	}
	return 0;
}

static void
by_pattern(struct peft_config *c)
{
	size_t i, p = c->window_period;

	for (i = 0; i < c->layers && c->window > 0; i++)
		if (i >= c->window_layers && (p == 1 ||
		    (p > 1 && (i + 1) % p != 0) || (c->t.norope_window &&
		    c->layer[i] & PEFT_LAYER_NOROPE)))
			c->layer[i] |= PEFT_LAYER_WINDOW;
}

/* null is none, whatever the family has; 0 would see nothing at all. */
static int
read_window(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *w = peft_json_get(j, "sliding_window");

	if (!c->use_window || cJSON_IsNull(w))
		c->window = 0;
	if (c->use_window && cJSON_IsNumber(w) && c->window == 0)
		return peft_seterr(err, "sliding_window 0 is not honoured "
		    "(null: none)");
	return 0;
}

/* no_rope_layers: 1 where there is rope (the name is wrong). */
static int
read_norope(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *l = peft_json_get(j, "no_rope_layers"), *e;
	size_t i;

	if (c->t.norope_period == 0)
		return 0;
	if (!cJSON_IsArray(l) || l->child == NULL) {
		for (i = 0; i < c->layers && c->norope_period > 0; i++)
			if ((i + 1) % c->norope_period == 0)
				c->layer[i] |= PEFT_LAYER_NOROPE;
		return 0;
	}
	if (cJSON_GetArraySize(l) != (int)c->layers)
		return peft_seterr(err, "no_rope_layers is no list of %zu "
		    "numbers", c->layers);
	i = 0;
	cJSON_ArrayForEach(e, l) {
		if (!cJSON_IsNumber(e) || (e->valuedouble != 0 &&
		    e->valuedouble != 1))
			return peft_seterr(err, "no_rope_layers holds "
			    "something else than 0 and 1");
		c->layer[i++] |= e->valuedouble == 0 ? PEFT_LAYER_NOROPE : 0;
	}
	return 0;
}

/* mlp_only_layers: those that have no experts. */
static int
read_experts(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const cJSON *l = peft_json_get(j, "mlp_only_layers"), *e;
	size_t i;

	if (c->experts == 0)
		return 0;
	for (i = c->dense_layers; i < c->layers; i++)
		if ((i + 1) % c->sparse_step == 0)
			c->layer[i] |= PEFT_LAYER_EXPERTS;
	if (l != NULL && !cJSON_IsNull(l) && !cJSON_IsArray(l))
		return peft_seterr(err, "mlp_only_layers is no list");
	cJSON_ArrayForEach(e, l) {
		if (!cJSON_IsNumber(e) || !(e->valuedouble >= 0) ||
		    e->valuedouble >= (double)c->layers)
			return peft_seterr(err, "mlp_only_layers: something "
			    "is no layer");
		c->layer[(size_t)e->valuedouble] &=
		    (uint8_t)~PEFT_LAYER_EXPERTS;
	}
	return 0;
}

int
peft_config_layers(struct peft_config *c, const cJSON *j,
    struct peft_err *err)
{
	const cJSON *types = peft_json_get(j, "layer_types");
	size_t i;

	if (read_window(c, j, err) == -1 || read_norope(c, j, err) == -1)
		return -1;
	if (types != NULL && !cJSON_IsNull(types)) {
		if (read_types(c, types, err) == -1)
			return -1;
	} else
		by_pattern(c);
	if (read_experts(c, j, err) == -1)
		return -1;
	for (i = 0; i < c->layers && c->t.full_norope && c->window > 0; i++)
		if (!(c->layer[i] & PEFT_LAYER_WINDOW))
			c->layer[i] |= PEFT_LAYER_NOROPE;
	return 0;
}

bool
peft_config_has(const struct peft_config *c, size_t l, int slot)
{
	const uint32_t mlp = PEFT_BIT(PEFT_GATE) | PEFT_BIT(PEFT_UP) |
	    PEFT_BIT(PEFT_GATE_UP) | PEFT_BIT(PEFT_DOWN);

	if (slot < PEFT_NSLOT && c->layer[l] & PEFT_LAYER_EXPERTS) {
		if (mlp & PEFT_BIT(slot))
			return false;
	} else if (slot == PEFT_ROUTER)
		return false;
	return c->t.has & PEFT_BIT(slot);
}

size_t
peft_config_window(const struct peft_config *c, size_t l)
{
	return c->layer[l] & PEFT_LAYER_WINDOW ? c->window : SIZE_MAX;
}
