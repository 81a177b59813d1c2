/* SPDX-License-Identifier: Apache-2.0 */
/* Which modules an adapter targets. */

#include <stdlib.h>
#include <string.h>

#include "base/regex.h"
#include "peft/target.h"

/* key == e, or key ends in "." + e */
static bool
is_suffix(const char *key, const char *e)
{
	size_t n = strlen(key), m = strlen(e);

	return n >= m && strcmp(key + n - m, e) == 0 &&
	    (n == m || key[n - m - 1] == '.');
}

static int
matches_regex(const char *pattern, const char *key, struct peft_err *err)
{
	struct peft_regex *re = peft_regex_open(pattern, err);
	int r = re == NULL ? -1 : peft_regex_full(re, key, err);

	peft_regex_close(re);
	return r;
}

/* Does a list entry or a whole pattern name the key?  *used counts hits of
 * list entries, by position. */
static int
named(const cJSON *what, const char *key, size_t *used, struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;
	int hit = 0;

	if (cJSON_IsString(what))
		return matches_regex(what->valuestring, key, err);
	cJSON_ArrayForEach(e, what) {
		if (!cJSON_IsString(e))
			return peft_seterr(err, "a module's name is not a "
			    "string");
		if (is_suffix(key, e->valuestring)) {
			hit = 1;
			if (used != NULL)
				used[i]++;
		}
		i++;
	}
	return hit;
}

static bool
is_all_linear(const cJSON *what)
{
	static const char word[] = "all-linear";
	size_t i;

	if (!cJSON_IsString(what) ||
	    strlen(what->valuestring) != sizeof(word) - 1)
		return false;
	for (i = 0; word[i] != '\0'; i++)
		if ((what->valuestring[i] | 32) != (word[i] | 32))
			return false;
	return true;
}

/* Is the site's layer among those of layers_to_transform? */
static int
in_layers(const cJSON *config, const struct peft_site *site,
    struct peft_err *err)
{
	const cJSON *l = peft_json_get(config, "layers_to_transform"), *e;

	if (l == NULL || cJSON_IsNull(l))
		return 1;
	if (site->layer < 0)
		return 0;
	if (cJSON_IsNumber(l))
		return l->valuedouble == site->layer;
	if (!cJSON_IsArray(l))
		return peft_seterr(err, "layers_to_transform is no list of "
		    "numbers");
	cJSON_ArrayForEach(e, l)
		if (cJSON_IsNumber(e) && e->valuedouble == site->layer)
			return 1;
	return 0;
}

/* layers_pattern names the list that layers are in; here it is always the
 * component before the number. */
static int
check_layers_pattern(const cJSON *config, const struct peft_sites *sites,
    struct peft_err *err)
{
	const cJSON *p = peft_json_get(config, "layers_pattern"), *e;
	size_t i, n;

	if (p == NULL || cJSON_IsNull(p) ||
	    (cJSON_IsArray(p) && p->child == NULL) ||
	    (cJSON_IsString(p) && p->valuestring[0] == '\0'))
		return 0;
	for (e = cJSON_IsArray(p) ? p->child : p; cJSON_IsString(e);
	    e = cJSON_IsArray(p) ? e->next : NULL) {
		n = strlen(e->valuestring);
		for (i = 0; i < sites->n; i++) {
			const char *at = strstr(sites->at[i].path,
			    e->valuestring);

			if (sites->at[i].layer >= 0 && at != NULL &&
			    at > sites->at[i].path && at[-1] == '.' &&
			    at[n] == '.' && at[n + 1] >= '0' &&
			    at[n + 1] <= '9')
				return 0;
		}
	}
	return peft_seterr(err, "layers_pattern matches no layers of this "
	    "model");
}

static int
choose(const cJSON *config, const struct peft_site *site, size_t *used,
    struct peft_err *err)
{
	const cJSON *targets = peft_json_get(config, "target_modules");
	const cJSON *ex = peft_json_get(config, "exclude_modules");
	int r;

	if (ex != NULL && !cJSON_IsNull(ex)) {
		r = named(ex, site->path, NULL, err);
		if (r != 0)
			return r == -1 ? -1 : 0;
	}
	if (is_all_linear(targets))
		return site->kind == PEFT_LINEAR;
	if (cJSON_IsString(targets))
		return named(targets, site->path, NULL, err);
	if ((r = in_layers(config, site, err)) != 1)
		return r;
	return named(targets, site->path, used, err);
}

static int
check_used(const cJSON *targets, const size_t *used, size_t n,
    struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;

	if (cJSON_IsArray(targets))
		cJSON_ArrayForEach(e, targets)
			if (used[i++] == 0)
				return peft_seterr(err, "target_modules: '%s' "
				    "matches no module of this model",
				    e->valuestring);
	if (n == 0)
		return peft_seterr(err, "target_modules%s%s%s matches no "
		    "module of this model", cJSON_IsString(targets) ? " '" :
		    "", cJSON_IsString(targets) ? targets->valuestring : "",
		    cJSON_IsString(targets) ? "'" : "");
	return 0;
}

int
peft_target(const cJSON *config, const struct peft_sites *sites,
    const struct peft_site **chosen, size_t *n, struct peft_err *err)
{
	const cJSON *targets = peft_json_get(config, "target_modules");
	size_t *used, i;
	int r = 0;

	*n = 0;
	if (targets == NULL || cJSON_IsNull(targets))
		return peft_seterr(err, "target_modules is missing");
	if (!cJSON_IsString(targets) && !cJSON_IsArray(targets))
		return peft_seterr(err, "target_modules is neither a list nor "
		    "a pattern");
	if (check_layers_pattern(config, sites, err) == -1)
		return -1;
	used = peft_calloc((size_t)cJSON_GetArraySize(targets) + 1,
	    sizeof(*used), err);
	if (used == NULL)
		return -1;
	for (i = 0; r != -1 && i < sites->n; i++)
		if ((r = choose(config, &sites->at[i], used, err)) == 1)
			chosen[(*n)++] = &sites->at[i];
	if (r != -1)
		r = check_used(targets, used, *n, err);
	free(used);
	return r;
}

int
peft_pattern_value(const cJSON *patterns, const char *path, double absent,
    double *value, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const cJSON *e;
	int r = 0;

	*value = absent;
	cJSON_ArrayForEach(e, patterns) {
		peft_buf_clear(&b);
		peft_buf_printf(&b, "(.*\\.)?(%s)$", e->string);
		r = b.failed ? peft_seterr(err, "no memory") :
		    matches_regex(b.data, path, err);
		if (r == 1 && !cJSON_IsNumber(e))
			r = peft_seterr(err, "the value for '%s' is no number",
			    e->string);
		if (r == 1)
			*value = e->valuedouble;
		if (r != 0)
			break;
	}
	peft_buf_free(&b);
	return r == -1 ? -1 : 0;
}
