/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_config.json, over a model that is nothing but its modules: what is
 * accepted can be saved, and what was saved makes the same adapter. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"
#include "sites.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
save_and_make(struct peft_adapter *a, const struct peft_sites *sites)
{
	struct peft_err err = { 0 };
	cJSON *saved = peft_config_to_save(a, &err);
	struct peft_adapter *b;
	size_t i;

	if (saved == NULL)
		abort();
	b = peft_adapter_new(saved, sites, 1, &err);
	if (b == NULL || b->nparams != a->nparams)
		abort();
	for (i = 0; i < a->nparams; i++)
		if (strcmp(a->params[i].name, b->params[i].name) != 0 ||
		    a->params[i].n != b->params[i].n)
			abort();
	if (memcmp(a->values, b->values, a->nvalues * sizeof(float)) != 0)
		abort();
	peft_adapter_close(b);
	cJSON_Delete(saved);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_site at[NSITE];
	struct peft_sites sites = { .at = at, .n = NSITE };
	struct peft_err err = { 0 };
	struct peft_adapter *a;
	cJSON *j = peft_json((const char *)data, size, &err);

	if (j == NULL)
		return 0;
	memcpy(at, fuzz_sites, sizeof(at));
	if (!fuzz_too_large(j) &&
	    (a = peft_adapter_new(j, &sites, 1, &err)) != NULL) {
		save_and_make(a, &sites);
		peft_adapter_close(a);
	}
	cJSON_Delete(j);
	return 0;
}
