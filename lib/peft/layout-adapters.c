/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PEFT's adapters as the adapters library has them (hub.h), which is read as
 * methods of its own: LoRA, IA3 and prefixes.  There they are on all layers
 * but some, and on the same projections of each; and only for the models whose
 * code the library has changed.
 */

#include <stdlib.h>
#include <string.h>

#include "peft/hub.h"
#include "peft/layout-impl.h"
#include "peft/virtual.h"

extern const struct peft_method peft_ia3, peft_prefix_tuning;

static const char *const families[] = { "llama", "mistral", "gptj", NULL };

static int
check_family(const struct peft_sites *sites, struct peft_err *err)
{
	const char *type = sites->config->family->model_type;
	size_t i;

	for (i = 0; families[i] != NULL; i++)
		if (strcmp(families[i], type) == 0)
			return 0;
	return peft_setfail(err, PEFT_CHECK, "the adapters library has no "
	    "such adapter for model_type \"%s\" (it has llama, mistral and "
	    "gptj)", type);
}

/* Which of the library's places each layer has. */
struct places {
	unsigned	*of;		/* [layers], bits by peft_hub_at */
	unsigned	 all;
};

static int
look(struct places *p, const struct peft_sites *sites,
    const struct peft_site *s, struct peft_err *err)
{
	enum peft_hub_at at = peft_hub_at(sites->config, s);

	if (at == PEFT_HUB_NOWHERE || at == PEFT_HUB_QKV)
		return peft_setfail(err, PEFT_CHECK, "%s has no place in the "
		    "adapters library's LoRA: it has q_proj, k_proj, v_proj "
		    "and the first and last layer of the MLP", s->path);
	if (p->of[s->layer] >> at & 1)
		return peft_setfail(err, PEFT_CHECK, "%s has IA3 of its own "
		    "and that of what follows: the adapters library has one",
		    s->path);
	p->of[s->layer] |= 1U << at;
	p->all |= 1U << at;
	return 0;
}

static cJSON *
config_of(const struct places *p, const struct peft_sites *sites,
    struct peft_err *err)
{
	static const char *const words[] = { "q", "k", "v" };
	cJSON *c = cJSON_CreateObject(), *list, *out;
	size_t i;

	cJSON_AddStringToObject(c, "peft_type", "AH_LORA");
	cJSON_AddBoolToObject(c, "selfattn_lora", (p->all & 7) != 0);
	list = cJSON_AddArrayToObject(c, "attn_matrices");
	for (i = 0; i < 3; i++)
		if (p->all >> i & 1)
			cJSON_AddItemToArray(list,
			    cJSON_CreateString(words[i]));
	cJSON_AddBoolToObject(c, "intermediate_lora",
	    p->all >> PEFT_HUB_INNER & 1);
	cJSON_AddBoolToObject(c, "output_lora", p->all >> PEFT_HUB_OUTER & 1);
	out = cJSON_AddArrayToObject(c, "leave_out");
	for (i = 0; i < sites->config->layers; i++)
		if (p->of[i] == 0)
			cJSON_AddItemToArray(out,
			    cJSON_CreateNumber((double)i));
		else if (p->of[i] != p->all) {
			peft_setfail(err, PEFT_CHECK, "layer %zu is adapted "
			    "otherwise than others: the adapters library has "
			    "the same for all that it does not leave out", i);
			cJSON_Delete(c);
			return NULL;
		}
	return c;
}

/* IA3 of the input of the MLP's last layer is that of the output of what makes
 * it, where nothing is between: up_proj, if a gate is beside. */
static const struct peft_site *
place(const struct peft_sites *sites, const struct peft_module *m)
{
	const struct peft_site *s = m->site;
	size_t i;

	if (m->method != &peft_ia3 || m->param[0]->shape[0] != 1)
		return s;
	for (i = 0; i < sites->n && s->slot == PEFT_DOWN &&
	    peft_hub_gated(sites->config); i++)
		if (sites->at[i].layer == s->layer &&
		    sites->at[i].kind == PEFT_LINEAR &&
		    sites->at[i].slot == PEFT_UP)
			return &sites->at[i];
	return NULL;
}

static int
look_all(struct places *p, const struct peft_layout_out *o,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < o->adapter->nmodules; i++) {
		const struct peft_module *m = &o->adapter->modules[i];
		const struct peft_site *s;

		if (m->method != o->adapter->method)
			return peft_setfail(err, PEFT_CHECK, "%s is more than "
			    "%s: it has no place in the layout of adapters",
			    m->site == NULL ? "a module" : m->site->path,
			    o->adapter->method->type);
		if ((s = place(o->sites, m)) == NULL)
			return peft_setfail(err, PEFT_CHECK, "%s: IA3 of its "
			    "input (feedforward_modules) is that of no "
			    "output, which the adapters library has",
			    m->site->path);
		if (look(p, o->sites, s, err) == -1)
			return -1;
	}
	return 0;
}

/* The name that it had there, if it came from there. */
static void
set_name(const struct peft_layout_out *o, cJSON *c)
{
	const char *const *m;

	for (m = o->meta; m != NULL && m[0] != NULL; m += 2)
		if (strcmp(m[0], "peft.name") == 0)
			cJSON_AddStringToObject(c, "name", m[1]);
}

static struct peft_adapter *
make(const struct peft_layout_out *o, cJSON *config, struct peft_err *err)
{
	set_name(o, config);
	return peft_adapter_new(config, o->sites, 0, err);
}

static cJSON *
linear_config(const struct peft_layout_out *o, struct peft_err *err)
{
	struct places p = { 0 };
	bool ia3 = o->adapter->method == &peft_ia3;
	cJSON *c = NULL;

	p.of = peft_calloc(o->sites->config->layers + 1, sizeof(*p.of), err);
	if (p.of != NULL && look_all(&p, o, err) == 0)
		c = config_of(&p, o->sites, err);
	free(p.of);
	if (c == NULL)
		return NULL;
	cJSON_AddNumberToObject(c, "r", ia3 ? 1 : (double)o->rank);
	cJSON_AddNumberToObject(c, "alpha", ia3 ? 1 : o->alpha);
	cJSON_AddNumberToObject(c, "dropout", o->dropout);
	cJSON_AddStringToObject(c, "composition_mode", ia3 ? "scale" : "add");
	cJSON_AddStringToObject(c, "init_weights", ia3 ? "ia3" : "lora");
	return c;
}

static struct peft_adapter *
linear(const struct peft_layout_out *o, struct peft_err *err)
{
	cJSON *c = linear_config(o, err);
	struct peft_adapter *to = c == NULL ? NULL : make(o, c, err);
	int parts = o->adapter->method == &peft_ia3 ? 1 : 2;

	cJSON_Delete(c);
	if (to != NULL && peft_hub_move(o->adapter, to, o->sites, place, parts,
	    1, err) == 0)
		return to;
	peft_adapter_close(to);
	return NULL;
}

static struct peft_adapter *
prefix(const struct peft_layout_out *o, struct peft_err *err)
{
	const struct peft_module *m = o->adapter->common;
	size_t n = m->own[PEFT_VIRTUAL_N];
	cJSON *c = cJSON_CreateObject();
	struct peft_adapter *to;

	cJSON_AddStringToObject(c, "peft_type", "AH_PREFIX_TUNING");
	cJSON_AddBoolToObject(c, "flat", true);
	cJSON_AddNumberToObject(c, "prefix_length", (double)n);
	to = make(o, c, err);
	cJSON_Delete(c);
	if (to != NULL) {
		float *v = to->common->param[PEFT_PROMPT]->value;

		memcpy(v, m->param[PEFT_PROMPT]->value,
		    m->param[PEFT_PROMPT]->n * sizeof(*v));
		if (peft_hub_turn(o->sites->config, v, n, -(int)n, err) == 0)
			return to;
	}
	peft_adapter_close(to);
	return NULL;
}

/* Any adapter: one of the library's as it is. */
static int
save(const struct peft_layout *l, const struct peft_layout_out *o,
    struct peft_err *err)
{
	const struct peft_method *method = o->adapter->method;
	struct peft_adapter *to = NULL;
	int r;

	(void)l;
	if (method->hub)
		return peft_adapter_save(o->adapter, o->path, o->force,
		    o->meta, err);
	if (method != &peft_lora && method != &peft_ia3 &&
	    method != &peft_prefix_tuning)
		return peft_setfail(err, PEFT_CHECK, "the adapters library has "
		    "nothing like %s for decoders: it has LoRA, IA3 and "
		    "prefixes (--as-lora makes a LoRA)", method->type);
	if (check_family(o->sites, err) == 0)
		to = method == &peft_prefix_tuning ? prefix(o, err) :
		    linear(o, err);
	r = to == NULL ? -1 : peft_adapter_save(to, o->path, o->force,
	    o->meta, err);
	peft_adapter_close(to);
	return r;
}

const struct peft_layout peft_layout_adapters = {
	.name = "adapters", .about = "the adapters library",
	.file = PEFT_HUB_FILE, .save = save, .other = save, .uniform = true,
};
