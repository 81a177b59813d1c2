/* SPDX-License-Identifier: Apache-2.0 */
/* target_parameters: which parameters an adapter's config means. */

#include <stdio.h>
#include <string.h>

#include "peft/parameters.h"

static const cJSON *
list_of(const cJSON *config)
{
	const cJSON *list = peft_json_get(config, "target_parameters");

	return list == NULL || cJSON_IsNull(list) ||
	    (cJSON_IsArray(list) && list->child == NULL) ? NULL : list;
}

/* key == e, or key ends in "." + e */
static bool
is_end(const char *key, const cJSON *e)
{
	size_t n = strlen(key), m;

	if (!cJSON_IsString(e))
		return false;
	m = strlen(e->valuestring);
	return n >= m && strcmp(key + n - m, e->valuestring) == 0 &&
	    (n == m || key[n - m - 1] == '.');
}

/* What transformers calls a site's weight. */
static void
key_of(const struct peft_site *s, char *key, size_t size)
{
	snprintf(key, size, "%s%s", s->path, s->kind == PEFT_STACK ? "" :
	    ".weight");
}

static bool
is_among(const struct peft_site *s, const struct peft_site *const *chosen,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (chosen[i] == s)
			return true;
	return false;
}

/* chosen[0..n): by target_modules */
static int
check_site(const struct peft_site *s, const cJSON *e,
    const struct peft_site *const *chosen, size_t n, struct peft_err *err)
{
	if (s->kind != PEFT_STACK && (s->kind != PEFT_LINEAR ||
	    s->transposed))
		return peft_seterr(err, "target_parameters: '%s' is neither "
		    "of experts nor a linear layer's weight [out, in]",
		    e->valuestring);
	return !is_among(s, chosen, n) ? 0 : peft_seterr(err,
	    "target_parameters: '%s' is of a module that target_modules has "
	    "already", e->valuestring);
}

/* Entries may name the same one. */
static int
add(const cJSON *e, const struct peft_sites *sites, bool strict,
    const struct peft_site **chosen, size_t modules, size_t *n,
    struct peft_err *err)
{
	char key[512];
	bool hit = false;
	size_t i;

	if (!cJSON_IsString(e))
		return peft_seterr(err, "target_parameters is no list of "
		    "names");
	for (i = 0; i < sites->n; i++) {
		const struct peft_site *s = &sites->at[i];

		key_of(s, key, sizeof(key));
		if (s->kind == PEFT_EXPERT || !is_end(key, e))
			continue;
		hit = true;
		if (is_among(s, chosen + modules, *n - modules))
			continue;
		if (check_site(s, e, chosen, modules, err) == -1)
			return -1;
		chosen[(*n)++] = s;
	}
	return hit || !strict ? 0 : peft_seterr(err, "target_parameters: '%s' "
	    "matches no parameter of this model's linear layers and experts",
	    e->valuestring);
}

int
peft_target_parameters(const cJSON *config, const struct peft_sites *sites,
    bool strict, const struct peft_site **chosen, size_t *n,
    struct peft_err *err)
{
	const cJSON *list = list_of(config), *e;
	size_t before = *n;

	if (list == NULL)
		return 0;
	if (!cJSON_IsArray(list))
		return peft_seterr(err, "target_parameters is no list of "
		    "names");
	cJSON_ArrayForEach(e, list)
		if (add(e, sites, strict, chosen, before, n, err) == -1)
			return -1;
	return *n > before ? 0 : peft_setfail(err, PEFT_CHECK,
	    "target_parameters matches nothing of this model");
}

bool
peft_target_has_parameters(const cJSON *config)
{
	return list_of(config) != NULL;
}

/* Where nothing is said PEFT takes the modules that it knows of the model's
 * family, if it knows any. */
bool
peft_target_has_modules(const cJSON *config, const struct peft_sites *sites)
{
	const cJSON *t = peft_json_get(config, "target_modules");

	if (list_of(config) == NULL)
		return true;
	if (t == NULL || cJSON_IsNull(t))
		return sites->config != NULL &&
		    sites->config->family->usual != NULL;
	return !cJSON_IsArray(t) || t->child != NULL;
}

bool
peft_parameter_beside(const cJSON *config, const char *path, const char *name)
{
	const char *dot = strrchr(path, '.');
	const cJSON *e;
	char key[512];

	snprintf(key, sizeof(key), "%.*s.%s", dot == NULL ? 0 :
	    (int)(dot - path), path, name);
	cJSON_ArrayForEach(e, list_of(config))
		if (is_end(key, e))
			return true;
	return false;
}
