/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several of the adapters library's methods as one adapter (ConfigUnion): MAM
 * (He et al. 2022) is a prefix and a parallel bottleneck, UniPELT (Mao et al.
 * 2022) a prefix, a bottleneck and LoRA, each with gates.
 */

#include <stdlib.h>

#include "peft/hub.h"

enum { MOST = 8 };

struct hubunion {
	struct peft_part	part[MOST];
	size_t			n;
};

static const struct peft_setting keys[] = {
	PEFT_SET_LATER("architecture", "\"union\""),
	PEFT_SET_LATER("configs", "[]"), PEFT_SET_END
};

static void
drop(void *settings)
{
	struct hubunion *u = settings;
	size_t i;

	for (i = 0; i < u->n; i++)
		free(u->part[i].settings);
}

static int
add(struct hubunion *u, const cJSON *config, struct peft_err *err)
{
	struct peft_part *p = &u->part[u->n];
	const char *type = NULL;

	if (u->n == MOST)
		return peft_seterr(err, "more than %d of them", MOST);
	if (!cJSON_IsObject(config))
		return peft_seterr(err, "is no object");
	if (peft_hub_type(config, &type, err) == -1 ||
	    (p->method = peft_method_find(type, err)) == NULL)
		return -1;
	if (p->method->parts != NULL)
		return peft_seterr(err, "a union in a union");
	u->n++;
	return peft_settings_of(p->method, config, &p->settings, err);
}

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const cJSON *list = peft_json_get(config, "configs"), *e;
	struct hubunion *u = settings;
	int i = 0;

	if (!cJSON_IsArray(list) || list->child == NULL)
		return peft_seterr(err, "configs is no list of methods' "
		    "settings");
	cJSON_ArrayForEach(e, list) {
		if (add(u, e, err) == -1)
			return peft_errprefix(err, "configs[%d]", i);
		i++;
	}
	return 0;
}

static const struct peft_part *
parts(const void *settings, size_t *n)
{
	const struct hubunion *u = settings;

	*n = u->n;
	return u->part;
}

const struct peft_method peft_hub_union = {
	.type = "AH_UNION", .name = "ah-union", .hub = true,
	.keys = keys, .size = sizeof(struct hubunion), .check = check,
	.drop = drop,
	.kinds = 1 << PEFT_JOIN, .parts = parts,
};
