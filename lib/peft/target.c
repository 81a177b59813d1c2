/* SPDX-License-Identifier: Apache-2.0 */
/* Which modules an adapter targets. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/regex.h"
#include "peft/target.h"

/* PEFT's choice where target_modules is null
 * (TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING). */
static const char *const q_and_v[] = { "q_proj", "v_proj", NULL };

static cJSON *
usual_targets(const struct peft_sites *sites, const char *const *usual)
{
	cJSON *list = cJSON_CreateArray();

	if (usual == NULL && sites->config != NULL)
		usual = sites->config->family->usual;
	for (usual = usual == NULL ? q_and_v : usual; *usual != NULL; usual++)
		cJSON_AddItemToArray(list, cJSON_CreateString(*usual));
	return list;
}

/* key == e, or key ends in "." + e */
static bool
is_suffix(const char *key, const char *e)
{
	size_t n = strlen(key), m = strlen(e);

	return n >= m && strcmp(key + n - m, e) == 0 &&
	    (n == m || key[n - m - 1] == '.');
}

int
peft_regex_matches(const char *pattern, const char *key, struct peft_err *err)
{
	struct peft_regex *re = peft_regex_open(pattern, err);
	int r = re == NULL ? -1 : peft_regex_full(re, key, err);

	peft_regex_close(re);
	return r;
}

/* A setting that is one thing or a list of such: its i-th, or NULL. */
static const cJSON *
item(const cJSON *what, size_t i)
{
	if (cJSON_IsArray(what))
		return cJSON_GetArrayItem(what, (int)i);
	return i == 0 ? what : NULL;
}

static bool
is_unset(const cJSON *j)
{
	return j == NULL || cJSON_IsNull(j) ||
	    (cJSON_IsArray(j) && j->child == NULL);
}

/* A list of strings, or one that is a pattern. */
static int
check_names(const cJSON *config, const char *key, struct peft_err *err)
{
	const cJSON *what = peft_json_get(config, key), *e;
	bool good = is_unset(what) || cJSON_IsString(what) ||
	    cJSON_IsArray(what);

	if (cJSON_IsArray(what))
		cJSON_ArrayForEach(e, what)
			good = good && cJSON_IsString(e);
	return good ? 0 : peft_seterr(err, "%s is neither a list of names nor "
	    "a pattern", key);
}

/* Does a list, or a pattern for whole paths, name this module?  hits[] counts
 * for each entry. */
static int
named(const cJSON *what, const char *path, size_t *hits,
    struct peft_err *err)
{
	const cJSON *e;
	size_t i = 0;
	int hit = 0;

	if (is_unset(what))
		return 0;
	if (cJSON_IsString(what)) {
		hit = peft_regex_matches(what->valuestring, path, err);
		if (hit == 1)
			hits[0]++;
		return hit;
	}
	cJSON_ArrayForEach(e, what) {
		if (is_suffix(path, e->valuestring)) {
			hits[i]++;
			hit = 1;
		}
		i++;
	}
	return hit;
}

bool
peft_target_is_all_linear(const cJSON *what)
{
	return cJSON_IsString(what) &&
	    strcasecmp(what->valuestring, "all-linear") == 0;
}

/* layers_to_transform, a number or a list of them; hits[] as above. */
static bool
in_layers(const cJSON *layers, int layer, size_t *hits)
{
	const cJSON *e;
	bool hit = false;
	size_t i;

	if (is_unset(layers))
		return true;
	for (i = 0; (e = item(layers, i)) != NULL; i++)
		if (layer >= 0 && e->valuedouble == layer) {
			hits[i]++;
			hit = true;
		}
	return hit;
}

/* PATH has ".PATTERN.NUMBER." in it. */
static int
has_list(const char *path, const char *pattern, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r;

	peft_buf_printf(&b, ".*?\\.%s\\.(\\d+)\\..*", pattern);
	r = b.failed ? peft_seterr(err, "no memory for a pattern") :
	    peft_regex_matches(b.data, path, err);
	peft_buf_free(&b);
	return r;
}

/* layers_pattern says in which list layers are counted; a model here has only
 * one, so that it does or does not match. */
static int
check_layers(const cJSON *config, const struct peft_sites *sites,
    struct peft_err *err)
{
	const cJSON *layers = peft_json_get(config, "layers_to_transform");
	const cJSON *p = peft_json_get(config, "layers_pattern"), *e;
	size_t i, k;
	int r = 0;

	for (i = 0; !is_unset(layers) && (e = item(layers, i)) != NULL; i++)
		if (!cJSON_IsNumber(e))
			return peft_seterr(err, "layers_to_transform is "
			    "neither a number nor a list of such");
	if (is_unset(p) || (cJSON_IsString(p) && p->valuestring[0] == '\0'))
		return 0;
	if (is_unset(layers))
		return peft_seterr(err, "layers_pattern without "
		    "layers_to_transform");
	if (check_names(config, "layers_pattern", err) == -1)
		return -1;
	for (i = 0; r == 0 && (e = item(p, i)) != NULL; i++)
		for (k = 0; r == 0 && k < sites->n; k++)
			r = sites->at[k].layer < 0 ? 0 :
			    has_list(sites->at[k].path, e->valuestring, err);
	if (r != 0)
		return r == 1 ? 0 : -1;
	return peft_seterr(err, "layers_pattern matches no layers "
	    "of this model");
}

/* The settings, and how often each of their entries was met. */
struct choice {
	const cJSON	*targets, *exclude, *layers;
	unsigned	 kinds;
	size_t		*target_hits, *exclude_hits, *layer_hits;
};

static int
choose(const struct choice *c, const struct peft_site *site,
    struct peft_err *err)
{
	int r;

	/* to PEFT the experts of a layer are parameters, not modules */
	if (site->kind == PEFT_EXPERT || site->kind == PEFT_STACK)
		return 0;
	/* an attention, or a join, is no module but to those that ask */
	if ((site->kind == PEFT_ATTENTION || site->kind == PEFT_JOIN) &&
	    !(c->kinds >> site->kind & 1))
		return 0;
	r = named(c->exclude, site->path, c->exclude_hits, err);
	if (r != 0)
		return r == -1 ? -1 : 0;
	if (peft_target_is_all_linear(c->targets))
		return site->kind == PEFT_LINEAR;
	r = named(c->targets, site->path, c->target_hits, err);
	if (r == 1 && cJSON_IsArray(c->targets))
		return in_layers(c->layers, site->layer, c->layer_hits);
	return r;
}

static int
check_hits(const char *key, const cJSON *what, const size_t *hits,
    struct peft_err *err)
{
	const cJSON *e;
	size_t i;

	for (i = 0; !is_unset(what) && (e = item(what, i)) != NULL; i++) {
		if (hits[i] > 0)
			continue;
		if (cJSON_IsNumber(e))
			return peft_seterr(err, "%s: there is "
			    "nothing to target in layer %g", key,
			    e->valuedouble);
		return peft_seterr(err, "%s: '%s' matches no "
		    "module of this model", key, e->valuestring);
	}
	return 0;
}

static int
check_all_hits(const struct choice *c, struct peft_err *err)
{
	if (!peft_target_is_all_linear(c->targets) &&
	    check_hits("target_modules", c->targets, c->target_hits,
	    err) == -1)
		return -1;
	if (check_hits("exclude_modules", c->exclude, c->exclude_hits,
	    err) == -1)
		return -1;
	return check_hits("layers_to_transform", c->layers, c->layer_hits,
	    err);
}

static int
choose_all(const struct choice *c, const struct peft_sites *sites,
    bool strict, const struct peft_site **chosen, size_t *n,
    struct peft_err *err)
{
	size_t i;
	int r;

	for (i = 0; i < sites->n; i++) {
		if ((r = choose(c, &sites->at[i], err)) == -1)
			return -1;
		if (r == 1)
			chosen[(*n)++] = &sites->at[i];
	}
	if (strict && check_all_hits(c, err) == -1)
		return -1;
	return *n > 0 ? 0 : peft_target_none(c->targets, err);
}

int
peft_target(const cJSON *config, const struct peft_sites *sites,
    unsigned kinds, const char *const *usual, bool strict,
    const struct peft_site **chosen, size_t *n, struct peft_err *err)
{
	struct choice c = { .kinds = kinds, .targets = peft_json_get(config,
	    "target_modules"), .exclude = peft_json_get(config,
	    "exclude_modules"), .layers = peft_json_get(config,
	    "layers_to_transform") };
	cJSON *own = NULL;
	size_t *hits, nt, ne;
	int r = -1;

	*n = 0;
	if (check_names(config, "target_modules", err) == -1 ||
	    check_names(config, "exclude_modules", err) == -1 ||
	    check_layers(config, sites, err) == -1)
		return -1;
	if (cJSON_IsString(c.targets) && !is_unset(c.layers))
		return peft_seterr(err, "layers_to_transform needs a list of "
		    "target_modules, not a pattern");
	if (is_unset(c.targets))
		c.targets = own = usual_targets(sites, usual);
	else if (cJSON_IsString(c.targets) && kinds == 1U << PEFT_ATTENTION)
		c.targets = own = cJSON_CreateStringArray(	/* a name */
		    (const char *const[]){ c.targets->valuestring }, 1);
	nt = (size_t)cJSON_GetArraySize(c.targets) + 1;
	ne = (size_t)cJSON_GetArraySize(c.exclude) + 1;
	hits = peft_calloc(nt + ne + (size_t)cJSON_GetArraySize(c.layers) + 1,
	    sizeof(*hits), err);
	if (hits != NULL) {
		c.target_hits = hits;
		c.exclude_hits = hits + nt;
		c.layer_hits = hits + nt + ne;
		r = choose_all(&c, sites, strict, chosen, n, err);
	}
	free(hits);
	cJSON_Delete(own);
	return r;
}

static int
matches_key(const char *key, const char *path, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r;

	peft_buf_printf(&b, "(.*\\.)?(%s)$", key);
	r = b.failed ? peft_seterr(err, "no memory for a pattern") :
	    peft_regex_matches(b.data, path, err);
	peft_buf_free(&b);
	return r;
}

int
peft_pattern_value(const cJSON *patterns, const char *path, double absent,
    double *value, struct peft_err *err)
{
	const cJSON *e;
	int r;

	*value = absent;
	cJSON_ArrayForEach(e, patterns) {
		if ((r = matches_key(e->string, path, err)) == -1)
			return peft_errprefix(err, "'%s'", e->string);
		if (r == 1) {
			*value = e->valuedouble;
			break;
		}
	}
	return 0;
}

int
peft_pattern_below(const cJSON *patterns, const char *path, double absent,
    double *value, struct peft_err *err)
{
	const cJSON *e, *self = peft_json_get(patterns, path);
	struct peft_buf b = { 0 };
	int r = 0;

	cJSON_ArrayForEach(e, patterns) {
		peft_buf_printf(&b, "(?:.*\\.%s$).*", e->string);
		r = b.failed ? peft_seterr(err, "no memory for a pattern") :
		    peft_regex_matches(b.data, path, err);
		peft_buf_free(&b);
		if (r == -1)
			return peft_errprefix(err, "'%s'", e->string);
		if (r == 1)
			break;
	}
	e = r == 1 ? e : self;
	*value = e == NULL ? absent : e->valuedouble;
	return 0;
}

int
peft_pattern_check(const cJSON *config, const char *key, bool strict,
    const struct peft_site *const *chosen, size_t n, struct peft_err *err)
{
	const cJSON *patterns = peft_json_get(config, key), *e;
	size_t i;
	int r;

	if (is_unset(patterns))
		return 0;
	if (!cJSON_IsObject(patterns))
		return peft_seterr(err, "%s is no object", key);
	cJSON_ArrayForEach(e, patterns) {
		if (!cJSON_IsNumber(e))
			return peft_seterr(err, "%s: the value for '%s' is no "
			    "number", key, e->string);
		for (r = !strict, i = 0; r == 0 && i < n; i++)
			r = matches_key(e->string, chosen[i]->path, err);
		if (r != 1)
			return r == -1 ? peft_errprefix(err, "%s: '%s'", key,
			    e->string) : peft_seterr(err, "%s: '%s' matches "
			    "none of the targeted modules", key, e->string);
	}
	return 0;
}
