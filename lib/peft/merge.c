/* SPDX-License-Identifier: Apache-2.0 */
/* A base's rows with an adapter added to them. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"

struct merged {
	struct peft_rows	 base;
	const struct peft_module *module;
	float			 weight;
};

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct merged *m = ctx;

	if (m->base.get(m->base.ctx, first, n, dst, err) == -1)
		return -1;
	return m->module->adapter->method->merge(m->module, first, n,
	    m->weight, dst, err);
}

/* name is "PATH.weight" of this site. */
static bool
is_weight_of(const char *name, const struct peft_site *site)
{
	size_t n = strlen(site->path);

	return strncmp(name, site->path, n) == 0 &&
	    strcmp(name + n, ".weight") == 0;
}

static const struct peft_module *
module_of(const struct peft_adapter *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++)
		if (is_weight_of(name, a->modules[i].site))
			return &a->modules[i];
	return NULL;
}

bool
peft_adapter_touches(const struct peft_adapter *a, const char *name)
{
	return module_of(a, name) != NULL;
}

int
peft_adapter_merge(struct peft_adapter *a, const char *name,
    const struct peft_rows *base, float weight, struct peft_rows *rows,
    struct peft_err *err)
{
	const struct peft_module *module = module_of(a, name);
	struct merged *m;

	if (module == NULL)
		return 0;
	if (a->method->merge == NULL)
		return peft_seterr(err, "%s adapters cannot be merged",
		    a->method->type);
	if ((m = peft_calloc(1, sizeof(*m), err)) == NULL)
		return -1;
	*m = (struct merged){ *base, module, weight };
	*rows = (struct peft_rows){ .get = get, .ctx = m };
	return 1;
}

void
peft_rows_free(struct peft_rows *rows)
{
	if (rows->get == get)
		free(rows->ctx);
	memset(rows, 0, sizeof(*rows));
}
