/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters whose first values come from data. */

#include <stdlib.h>
#include <string.h>

#include "peft/begin.h"
#include "peft/lora.h"

static const struct {
	const char	*word;
	int		(*begin)(struct peft_adapter *, struct peft_net *,
			    const struct peft_calibration *,
			    struct peft_err *);
	bool		 counts;	/* looks at data->most */
} ways[] = {
	{ "eva", NULL, false }, { "corda", peft_corda, true },
	{ "lora_ga", peft_lora_ga, true }, { "loftq", peft_loftq, false },
};
enum { NWAY = sizeof(ways) / sizeof(ways[0]) };

static size_t
way_of(const cJSON *config)
{
	const cJSON *v = peft_json_get(config, "init_lora_weights");
	size_t i = NWAY;

	if (cJSON_IsString(v))
		for (i = 0; i < NWAY && strcmp(ways[i].word,
		    v->valuestring) != 0; i++)
			;
	return i;
}

bool
peft_begin_wants_data(const cJSON *config)
{
	return way_of(config) < NWAY;
}

bool
peft_begin_counts(const cJSON *config)
{
	size_t way = way_of(config);

	return way < NWAY && ways[way].counts;
}

/* Laid out, with the values that need no data. */
static struct peft_adapter *
make(const cJSON *config, struct peft_net *net, uint64_t seed,
    struct peft_err *err)
{
	struct peft_adapter *a = peft_adapter_make(config,
	    peft_net_sites(net), NULL, err);

	if (a == NULL)
		return NULL;
	a->from_data = true;
	if (peft_adapter_lay_out(a, err) == -1 ||
	    peft_adapter_first(a, seed, err) == -1) {
		peft_adapter_close(a);
		return NULL;
	}
	return a;
}

/* The ranks first, for they say what there is. */
static struct peft_adapter *
begin_eva(const cJSON *config, struct peft_net *net,
    const struct peft_calibration *data, uint64_t seed, struct peft_err *err)
{
	struct peft_adapter *a = peft_adapter_make(config,
	    peft_net_sites(net), NULL, err);
	cJSON *own = NULL;
	float *values = NULL, *v;
	size_t i;

	if (a == NULL || peft_eva(a, net, data, &own, &values, err) == -1) {
		peft_adapter_close(a);
		return NULL;
	}
	peft_adapter_close(a);
	a = make(own, net, seed, err);
	for (v = values, i = 0; a != NULL && i < a->nsites; i++) {
		struct peft_param *p = a->modules[i].param[PEFT_LORA_A];

		memcpy(p->value, v, p->n * sizeof(*v));
		v += p->n;
	}
	cJSON_Delete(own);
	free(values);
	return a;
}

struct peft_adapter *
peft_adapter_begin(const cJSON *config, struct peft_net *net,
    const struct peft_calibration *data, uint64_t seed, struct peft_err *err)
{
	size_t way = way_of(config), i;
	struct peft_adapter *a;

	if (way == NWAY)
		return peft_adapter_new(config, peft_net_sites(net), seed,
		    err);
	if (ways[way].begin == NULL)
		return begin_eva(config, net, data, seed, err);
	a = make(config, net, seed, err);
	if (a != NULL && ways[way].begin(a, net, data, err) == -1) {
		peft_adapter_close(a);
		return NULL;
	}
	for (i = 0; a != NULL && i < a->nsites; i++)
		peft_lora_keep(&a->modules[i]);
	return a;
}
