/* SPDX-License-Identifier: Apache-2.0 */
/* LoRA adapters made of changes: their configs, their factors. */

#include <math.h>
#include <string.h>

#include "peft/layout.h"

static const char *
last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL ? path : dot + 1;
}

/* May the last part of the path stand for it: do all sites that end so have a
 * part? */
static bool
all_taken(const struct peft_sites *s, const bool *taken, const char *last)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (!taken[i] && strcmp(last_part(s->at[i].path), last) == 0)
			return false;
	return true;
}

static void
add_once(cJSON *list, const char *name)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, list)
		if (strcmp(e->valuestring, name) == 0)
			return;
	cJSON_AddItemToArray(list, cJSON_CreateString(name));
}

cJSON *
peft_lora_config(const struct peft_sites *s, const bool *taken, size_t rank,
    const char *base)
{
	cJSON *c = cJSON_CreateObject(), *list;
	size_t i;

	cJSON_AddStringToObject(c, "peft_type", "LORA");
	cJSON_AddNumberToObject(c, "r", (double)rank);
	cJSON_AddNumberToObject(c, "lora_alpha", (double)rank);
	list = cJSON_AddArrayToObject(c, "target_modules");
	for (i = 0; i < s->n; i++) {
		const char *path = s->at[i].path;

		if (taken[i])
			add_once(list, all_taken(s, taken, last_part(path)) ?
			    last_part(path) : path);
	}
	if (base != NULL)
		cJSON_AddStringToObject(c, "base_model_name_or_path", base);
	return c;
}

void
peft_lora_pattern(cJSON *ranks, cJSON *alphas, const char *path, size_t rank,
    size_t all_rank, double alpha, double all_alpha)
{
	if (rank != all_rank)
		cJSON_AddNumberToObject(ranks, path, (double)rank);
	if (alpha != all_alpha)
		cJSON_AddNumberToObject(alphas, path, alpha);
}

/* What a pattern says of the path itself, or else the key does. */
static double
number_of(const cJSON *config, const char *pattern, const char *path,
    const char *key)
{
	const cJSON *v = peft_json_get(peft_json_get(config, pattern), path);

	return v != NULL ? v->valuedouble :
	    peft_json_get(config, key)->valuedouble;
}

void
peft_lora_config_rslora(cJSON *c, const struct peft_sites *s,
    const bool *taken)
{
	double all = peft_json_get(c, "lora_alpha")->valuedouble /
	    sqrt(peft_json_get(c, "r")->valuedouble), alpha;
	cJSON *alphas = cJSON_CreateObject();
	size_t i;

	for (i = 0; i < s->n; i++) {
		const char *path = s->at[i].path;

		if (!taken[i])
			continue;
		alpha = number_of(c, "alpha_pattern", path, "lora_alpha") /
		    sqrt(number_of(c, "rank_pattern", path, "r"));
		if (alpha != all)
			cJSON_AddNumberToObject(alphas, path, alpha);
	}
	peft_json_set(c, "use_rslora", cJSON_CreateTrue());
	peft_json_set(c, "lora_alpha", cJSON_CreateNumber(all));
	peft_json_set(c, "alpha_pattern", alphas);
}

float *
peft_lora_factor(struct peft_adapter *a, const struct peft_site *site,
    int which, struct peft_err *err)
{
	static const char *const tails[] = { "lora_A", "lora_B" };
	struct peft_buf name = { 0 };
	struct peft_param *p;
	float *found = NULL;
	size_t n, i;

	peft_buf_printf(&name, "base_model.model.%s.%s.weight", site->path,
	    tails[which]);
	p = peft_adapter_params(a, &n);
	for (i = 0; !name.failed && found == NULL && i < n; i++)
		if (strcmp(p[i].name, name.data) == 0)
			found = p[i].value;
	peft_buf_free(&name);
	if (found == NULL)
		peft_seterr(err, "the adapter has no part at %s", site->path);
	return found;
}
