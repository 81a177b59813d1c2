/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_config.json: every key is honoured, or at its default, or an
 * error; and what is saved is what PEFT would have saved. */

#include <math.h>
#include <string.h>

#include "peft/hub.h"
#include "peft/target.h"

/* Keys that all classes have.  Those with a default are honoured only in
 * that they must have it; the others say nothing about the arithmetic. */
static const struct peft_setting common[] = {
	PEFT_SET_LATER("peft_type", NULL),
	PEFT_SET_LATER("auto_mapping", NULL),
	PEFT_SET_LATER("peft_version", NULL),
	PEFT_SET_LATER("base_model_name_or_path", NULL),
	PEFT_SET_LATER("revision", NULL),
	PEFT_SET_LATER("task_type", NULL),
	PEFT_SET_LATER("inference_mode", NULL),
	PEFT_SET_LATER("runtime_config", "null"), PEFT_SET_END
};

bool
peft_config_is_off(const cJSON *j)
{
	return cJSON_IsNull(j) || cJSON_IsFalse(j) ||
	    ((cJSON_IsArray(j) || cJSON_IsObject(j)) && j->child == NULL);
}

void
peft_config_renamed(cJSON *config, const struct peft_config *c)
{
	static const char *const keys[] = { "target_modules",
	    "exclude_modules", "modules_to_save" };
	cJSON *list, *e, *next;
	size_t i;

	if (c == NULL || c->family->module == NULL)
		return;
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		list = cJSON_GetObjectItemCaseSensitive(config, keys[i]);
		for (e = cJSON_IsArray(list) ? list->child : NULL; e != NULL;
		    e = next) {
			next = e->next;
			if (cJSON_IsString(e) && strcmp(e->valuestring,
			    c->family->head) == 0)
				cJSON_ReplaceItemViaPointer(list, e,
				    cJSON_CreateString(c->family->module));
		}
	}
}

static bool
is_default(const cJSON *j, const char *want)
{
	struct peft_buf b = { 0 };
	bool same;

	peft_json_print(&b, j, 0, false);
	same = b.data != NULL && strcmp(b.data, want) == 0;
	peft_buf_free(&b);
	return same;
}

/* Does the method have a use for the key? */
static bool
takes(const struct peft_method *m, const char *key)
{
	const struct peft_setting *any = peft_setting_find(common, key);

	if (any != NULL && any->usual == NULL)
		return true;
	if (m->hub ? peft_hub_is_outer(key) ||
	    strcmp(key, "modules_to_save") == 0 :
	    (strcmp(key, "target_modules") == 0 && m->kinds != 0 &&
	    m->gather == NULL) || strcmp(key, PEFT_INIT_IDS) == 0)
		return true;
	return peft_setting_find(m->keys, key) != NULL ||
	    peft_setting_find(m->shared, key) != NULL;
}

static int
check_keys(const struct peft_method *m, const cJSON *config,
    struct peft_err *err)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, config) {
		const struct peft_setting *key = peft_setting_find(common,
		    e->string);

		if (takes(m, e->string) || peft_config_is_off(e))
			continue;
		if (key == NULL || !is_default(e, key->usual))
			return peft_seterr(err, "adapter_config.json: key "
			    "\"%s\" is not honoured for %s here", e->string,
			    m->type);
	}
	return 0;
}

bool
peft_method_takes(const char *type, const char *key)
{
	struct peft_err none;
	const struct peft_method *m = peft_method_find(type, &none);

	return m == NULL || m->parse != NULL || takes(m, key);
}

int
peft_settings_of(const struct peft_method *m, const cJSON *config,
    void **settings, struct peft_err *err)
{
	if (check_keys(m, config, err) == -1)
		return -1;
	if (m->parse != NULL)
		return m->parse(config, settings, err);
	if ((*settings = peft_calloc(1, m->size + 1, err)) == NULL ||
	    (m->shared != NULL && peft_settings_read(m->shared, config,
	    *settings, err) == -1) ||
	    peft_settings_read(m->keys, config, *settings, err) == -1)
		return -1;
	return m->check == NULL ? 0 : m->check(config, *settings, err);
}

cJSON *
peft_config_sorted(const cJSON *config, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	cJSON *j = NULL;

	peft_json_print(&b, config, 1, true);
	if (!b.failed)
		j = peft_json(b.data, b.len, err);
	peft_buf_free(&b);
	return j;
}

/* "all-linear" as a list: the distinct last components of the sites ("q_proj"),
 * which no site has that is not a linear layer's. */
static cJSON *
target_list(const struct peft_adapter *a)
{
	cJSON *list = cJSON_CreateArray(), *e;
	size_t i;

	for (i = 0; i < a->nsites; i++) {
		const char *path = a->modules[i].site->path;
		const char *last = strrchr(path, '.');
		bool there = false;

		last = last == NULL ? path : last + 1;
		cJSON_ArrayForEach(e, list)
			there |= strcmp(e->valuestring, last) == 0;
		if (!there)
			cJSON_AddItemToArray(list, cJSON_CreateString(last));
	}
	return list;
}

cJSON *
peft_config_to_save(const struct peft_adapter *a, struct peft_err *err)
{
	cJSON *c = cJSON_Duplicate(a->config, true);
	const cJSON *t = peft_json_get(a->config, "target_modules");
	size_t i;

	if (c == NULL) {
		peft_seterr(err, "no memory for the adapter's config");
		return NULL;
	}
	if (a->method->hub)
		return peft_hub_to_save(a, c);
	peft_settings_fill(a->method->keys, c);
	peft_settings_fill(a->method->shared, c);
	if (a->nsites > 0 && a->method->gather == NULL && (t == NULL ||
	    cJSON_IsNull(t) || peft_target_is_all_linear(t)))
		peft_json_set(c, "target_modules", a->method->kinds ==
		    1U << PEFT_ATTENTION ?	/* a name, for PEFT */
		    cJSON_CreateString(a->method->usual[0]) :
		    target_list(a));
	peft_json_set(c, "peft_type", cJSON_CreateString(a->method->type));
	peft_json_set(c, "inference_mode", cJSON_CreateTrue());
	if (peft_json_get(c, "task_type") == NULL)
		peft_json_set(c, "task_type", cJSON_CreateString("CAUSAL_LM"));
	for (i = 0; common[i].key != NULL; i++)
		if (common[i].usual == NULL && peft_json_get(c,
		    common[i].key) == NULL)
			peft_json_set(c, common[i].key, cJSON_CreateNull());
	cJSON_DeleteItemFromObjectCaseSensitive(c, "runtime_config");
	if (cJSON_IsNull(peft_json_get(c, "peft_version")))
		peft_json_set(c, "peft_version", cJSON_CreateString("0.21.2"));
	return c;
}

bool
peft_adapter_drops(const struct peft_adapter *a)
{
	const cJSON *e;
	size_t i;

	if (a->method->draws)
		return true;
	for (i = 0; i < a->nexperts; i++)
		if (peft_adapter_drops(a->experts[i]))
			return true;
	for (e = a->config->child; e != NULL; e = e->next)
		if (strstr(e->string, "dropout") != NULL &&
		    cJSON_IsNumber(e) && e->valuedouble > 0)
			return true;
	return false;
}

int
peft_config_off(const cJSON *config, const char *key, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, key);

	if (v == NULL || peft_config_is_off(v) || (cJSON_IsString(v) &&
	    strcmp(v->valuestring, "none") == 0))
		return 0;
	return peft_seterr(err, "key \"%s\" is not honoured here", key);
}

int
peft_config_rank(const cJSON *pattern, struct peft_module *m, int64_t r,
    struct peft_err *err)
{
	double v;

	if (peft_pattern_value(pattern, m->site->path, (double)r, &v,
	    err) == -1)
		return -1;
	if (!(v >= 1) || v != floor(v) || v > 1 << 20)
		return peft_seterr(err, "a rank of %g", v);
	m->rank = (size_t)v;
	return 0;
}
