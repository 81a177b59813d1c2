/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torchtune's own layout (models/convert_weights.py, modules/peft): what it
 * saves as adapter_model.pt and reads again as .pt or .safetensors.  Names of
 * modules are its own; queries and keys of families that Meta's code began
 * have the rows of each head interleaved, as there.  One rank and one alpha
 * for all, in the adapter_config.json beside.
 *
 * What it writes for PEFT beside is PEFT's layout, with the queries and keys
 * of Qwen's models interleaved that are not so, and magnitudes (DoRA) that are
 * and should not be: its own file is the one to read then.
 */

#include <math.h>
#include <string.h>

#include "peft/layout-impl.h"

static const struct {
	const char	*model_type;
	bool		 interleaved;
} families[] = {
	{ "llama", true }, { "mistral", true }, { "gemma", true },
	{ "gemma2", true }, { "qwen2", false }
};

static const struct {
	int		 slot;
	const char	*name, *last;	/* its last part */
} modules[] = {
	{ PEFT_Q, "attn.q_proj", "q_proj" },
	{ PEFT_K, "attn.k_proj", "k_proj" },
	{ PEFT_V, "attn.v_proj", "v_proj" },
	{ PEFT_O, "attn.output_proj", "output_proj" },
	{ PEFT_GATE, "mlp.w1", "w1" }, { PEFT_DOWN, "mlp.w2", "w2" },
	{ PEFT_UP, "mlp.w3", "w3" }
};

enum { NMODULE = sizeof(modules) / sizeof(modules[0]),
	NFAMILY = sizeof(families) / sizeof(families[0]) };

static int
family_of(const struct peft_sites *sites, struct peft_err *err)
{
	const char *type = sites->config->family->model_type;
	int i;

	for (i = 0; i < NFAMILY; i++)
		if (strcmp(families[i].model_type, type) == 0)
			return i;
	return peft_seterr(err, "model_type \"%s\" is none of those whose "
	    "torchtune names are known here (llama, mistral, gemma, gemma2, "
	    "qwen2)", type);
}

static int
module_of(const struct peft_site *s)
{
	int i;

	for (i = 0; i < NMODULE; i++)
		if (modules[i].slot == s->slot && s->kind == PEFT_LINEAR)
			return i;
	return -1;
}

static int
stem(const struct peft_sites *sites, const struct peft_site *s, int k,
    struct peft_buf *b, struct peft_err *err)
{
	int i = module_of(s);

	if (family_of(sites, err) == -1)
		return -1;
	if (k > 0 || (i == -1 && s->kind != PEFT_HEAD))
		return 0;
	if (i == -1)
		peft_buf_puts(b, "output");
	else
		peft_buf_printf(b, "layers.%d.%s", s->layer, modules[i].name);
	return 1;
}

static struct peft_order
order(const struct peft_sites *sites, const struct peft_site *s)
{
	const struct peft_config *c = sites->config;
	struct peft_err none = { 0 };
	int f = family_of(sites, &none);

	if (f == -1 || !families[f].interleaved)
		return (struct peft_order){ 0 };
	return (struct peft_order){ .heads = s->kind != PEFT_LINEAR ? 0 :
	    s->slot == PEFT_Q ? c->heads : s->slot == PEFT_K ? c->kv_heads :
	    0 };
}

static int
settings(struct peft_foreign *f, struct peft_err *err)
{
	cJSON *j = peft_foreign_config(f, err);
	double alpha = 0;
	int64_t rank = 0;
	int r = -1;

	if (j != NULL && peft_json_int(j, "r", 1, 1 << 20, &rank, err) != -1 &&
	    (r = peft_json_real(j, "lora_alpha", &alpha, err)) != -1)
		r = rank == 0 || r == 0 ? peft_seterr(err,
		    "adapter_config.json has no %s", rank == 0 ? "r" :
		    "lora_alpha") : peft_foreign_uniform(f, rank, alpha, err);
	cJSON_Delete(j);
	return r;
}

static cJSON *
config(const struct peft_layout_out *o, struct peft_err *err)
{
	cJSON *j = cJSON_CreateObject(), *list;
	bool seen[NMODULE] = { false }, head = false;
	size_t i;
	int k;

	(void)err;
	cJSON_AddNumberToObject(j, "r", (double)o->rank);
	cJSON_AddNumberToObject(j, "lora_alpha", o->alpha);
	cJSON_AddStringToObject(j, "peft_type", "LORA");
	list = cJSON_AddArrayToObject(j, "target_modules");
	for (i = 0; i < o->n; i++) {
		k = module_of(o->pairs[i].module->site);
		if (k == -1 ? head : seen[k])
			continue;
		*(k == -1 ? &head : &seen[k]) = true;
		cJSON_AddItemToArray(list, cJSON_CreateString(k == -1 ?
		    "output" : modules[k].last));
	}
	return j;
}

const struct peft_layout peft_layout_torchtune = {
	.name = "torchtune", .about = "torchtune's adapter_model",
	.tails = { ".lora_a.weight", ".lora_b.weight", ".magnitude", NULL },
	.file = "adapter_model.safetensors", .stem = stem,
	.settings = settings, .order = order, .config = config,
	.uniform = true,
};
