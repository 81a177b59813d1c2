/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that an adapter has beside its method's: whole copies of modules
 * (modules_to_save), and rows of the embedding (trainable_token_indices). */

#include <string.h>

#include "peft/target.h"
#include "peft/tokens.h"

/* PEFT's rule for modules_to_save: the path ends so. */
static bool
ends_in(const char *path, const char *end)
{
	size_t n = strlen(path), k = strlen(end);

	return n >= k && strcmp(path + n - k, end) == 0;
}

/* What is saved whole is not targeted. */
static void
leave_out(struct peft_choice *chosen, size_t *n, const struct peft_site *s)
{
	size_t i, k = 0;

	for (i = 0; i < *n; i++)
		if (chosen[i].site != s)
			chosen[k++] = chosen[i];
	*n = k;
}

static int
add_full(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const cJSON *list = peft_json_get(a->config, "modules_to_save"), *e;
	size_t i, k;

	if (list != NULL && !cJSON_IsNull(list) && !cJSON_IsArray(list))
		return peft_seterr(err, "modules_to_save is no list");
	cJSON_ArrayForEach(e, list) {
		bool hit = false;

		if (!cJSON_IsString(e))
			return peft_seterr(err, "modules_to_save holds "
			    "something that is no name");
		for (i = 0; i < sites->n; i++) {
			const struct peft_site *s = &sites->at[i];

			if (!ends_in(s->path, e->valuestring))
				continue;
			hit = true;
			leave_out(chosen, n, s);
			for (k = 0; k < *n && chosen[k].site != s; k++)
				;
			chosen[*n] = (struct peft_choice){ s, &peft_full,
			    NULL };
			*n += k == *n;
		}
		if (!hit)
			return peft_seterr(err, "modules_to_save: '%s' matches "
			    "no module of this model", e->valuestring);
	}
	return 0;
}

static int
add_tokens(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const cJSON *t = peft_json_get(a->config, "trainable_token_indices");
	const char *name = "embed_tokens";
	size_t i;

	if (t == NULL || cJSON_IsNull(t))
		return 0;
	if (cJSON_IsObject(t)) {
		if (cJSON_GetArraySize(t) != 1)
			return peft_seterr(err, "trainable_token_indices: of "
			    "one module only");
		name = t->child->string;
		t = t->child;
	}
	a->extra = peft_token_ids_parse(t, "trainable_token_indices", err);
	if (a->extra == NULL)
		return -1;
	for (i = 0; i < sites->n; i++)
		if (sites->at[i].kind == PEFT_EMBEDDING &&
		    (!cJSON_IsObject(peft_json_get(a->config,
		    "trainable_token_indices")) ||
		    ends_in(sites->at[i].path, name))) {
			chosen[(*n)++] = (struct peft_choice){ &sites->at[i],
			    &peft_tokens_part, a->extra };
			return 0;
		}
	return peft_seterr(err, "trainable_token_indices: '%s' is no "
	    "embedding of this model", name);
}

int
peft_extras(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	size_t before = *n, i;
	int r = add_full(a, sites, chosen, n, err);

	while (before > 0 && (before > *n ||
	    chosen[before - 1].method != a->method))
		before--;
	a->nsites = before;
	for (i = 0; i < *n && chosen[i].method == &peft_full; i++)
		;
	if (r == 0 && i == *n && a->method->kinds != 0)
		return peft_seterr(err, "modules_to_save leaves nothing to "
		    "target");
	return r == -1 ? -1 : add_tokens(a, sites, chosen, n, err);
}
