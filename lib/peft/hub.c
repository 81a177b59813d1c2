/* SPDX-License-Identifier: Apache-2.0 */
/* The config and the names of the adapters library. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peft/hub.h"

static const char *const outer[] = {
	"name", "hidden_size", "model_class", "model_name", "model_type",
	"version", "adapter_names", NULL
};

/* What `architecture' says; and what we call it. */
static const char *const kinds[][2] = {
	{ "bottleneck", "BOTTLENECK" }, { "lora", "AH_LORA" },
	{ "prefix_tuning", "AH_PREFIX_TUNING" }, { "union", "AH_UNION" },
};

bool
peft_hub_is_outer(const char *key)
{
	size_t i;

	for (i = 0; outer[i] != NULL; i++)
		if (strcmp(outer[i], key) == 0)
			return true;
	return false;
}

int
peft_hub_type(const cJSON *inner, const char **type, struct peft_err *err)
{
	const char *name = "bottleneck";
	size_t i;

	if (peft_json_str(inner, "architecture", &name, err) == -1)
		return -1;
	if (peft_json_get(inner, "value_before_softmax") != NULL) {
		*type = "AH_FUSION";	/* which says no architecture */
		return 0;
	}
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i][0], name) == 0) {
			*type = kinds[i][1];
			return 0;
		}
	return peft_seterr(err, "adapters of the adapters library's "
	    "architecture \"%s\" are not known here", name);
}

static int
move(cJSON *to, const cJSON *from, struct peft_err *err)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, from) {
		if (cJSON_IsObject(e) && strcmp(e->string, "config") == 0)
			continue;
		if (peft_json_get(to, e->string) != NULL)
			return peft_seterr(err, "key \"%s\" is there twice, "
			    "in config and beside it", e->string);
		cJSON_AddItemToObject(to, e->string,
		    cJSON_Duplicate(e, true));
	}
	return 0;
}

/* Versions before 1.1.0 computed LoRA as if alpha were r, and say another. */
static void
mend(cJSON *flat)
{
	const cJSON *v = peft_json_get(flat, "version");
	const cJSON *r = peft_json_get(flat, "r"), *mode;
	unsigned major, minor;

	mode = peft_json_get(flat, "architecture");
	if (!cJSON_IsString(v) || !cJSON_IsNumber(r) ||
	    !cJSON_IsString(mode) || strcmp(mode->valuestring, "lora") != 0 ||
	    sscanf(v->valuestring, "adapters.%u.%u", &major, &minor) != 2 ||
	    major > 1 || (major == 1 && minor >= 1))
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(flat, "alpha");
	cJSON_AddNumberToObject(flat, "alpha", r->valuedouble);
}

int
peft_hub_unpack(cJSON **config, struct peft_err *err)
{
	const cJSON *inner = peft_json_get(*config, "config");
	const char *type = NULL;
	cJSON *flat;

	if (inner == NULL || peft_json_get(*config, "peft_type") != NULL)
		return 0;
	if (!cJSON_IsObject(inner))
		return peft_seterr(err, "config is no object: write the "
		    "settings themselves, not their name");
	if (peft_hub_type(inner, &type, err) == -1)
		return -1;
	if (!cJSON_IsString(peft_json_get(*config, "name")))
		return peft_seterr(err, "name, the adapter's, is missing");
	flat = cJSON_CreateObject();
	cJSON_AddStringToObject(flat, "peft_type", type);
	if (move(flat, inner, err) == -1 || move(flat, *config, err) == -1) {
		cJSON_Delete(flat);
		return -1;
	}
	mend(flat);
	cJSON_Delete(*config);
	*config = flat;
	return 0;
}

int
peft_hub_check(cJSON *config, const struct peft_config *model,
    struct peft_err *err)
{
	const char *name = NULL;
	int64_t hidden = 0;

	if (peft_json_str(config, "name", &name, err) == -1 ||
	    peft_json_int(config, "hidden_size", 1, 1 << 30, &hidden,
	    err) == -1)
		return -1;
	if (model != NULL && hidden != 0 && (size_t)hidden != model->hidden)
		return peft_setfail(err, PEFT_CHECK, "hidden_size is %d, this "
		    "model's is %zu: the adapter is for another model",
		    (int)hidden, model->hidden);
	if (name == NULL) {
		cJSON_DeleteItemFromObjectCaseSensitive(config, "name");
		cJSON_AddStringToObject(config, "name", "default");
	} else if (name[0] == '\0' || strchr(name, '.') != NULL)
		return peft_seterr(err, "name \"%s\" is no name of an adapter",
		    name);
	return 0;
}

static void
put(cJSON *to, const char *key, cJSON *value)
{
	if (peft_json_get(to, key) == NULL)
		cJSON_AddItemToObject(to, key, value);
	else
		cJSON_Delete(value);
}

/* The library knows a factor by its being a float: 4 is none, 4.0 is. */
static void
spell_float(cJSON *number)
{
	struct peft_buf b = { 0 };

	if (!cJSON_IsNumber(number) || number->valuestring != NULL)
		return;
	peft_json_putreal(&b, number->valuedouble);
	peft_buf_puts(&b, ".0");
	if (!b.failed && strchr(b.data, '.') == strrchr(b.data, '.'))
		number->valuestring = strdup(b.data);
	peft_buf_free(&b);
}

/* The keys that are not said, as the library has them. */
static void
fill(const struct peft_method *m, cJSON *config)
{
	peft_settings_fill(m->keys, config);
	spell_float(cJSON_GetObjectItemCaseSensitive(config, "scaling"));
}

cJSON *
peft_hub_to_save(const struct peft_adapter *a, cJSON *flat)
{
	cJSON *all = cJSON_CreateObject(), *e;
	const struct peft_part *part = NULL;
	size_t i, n = 0;

	cJSON_DeleteItemFromObjectCaseSensitive(flat, "peft_type");
	cJSON_DeleteItemFromObjectCaseSensitive(flat, "task_type");
	cJSON_DeleteItemFromObjectCaseSensitive(flat, "modules_to_save");
	for (i = 0; outer[i] != NULL; i++) {
		e = cJSON_DetachItemFromObjectCaseSensitive(flat, outer[i]);
		if (e != NULL)
			cJSON_AddItemToObject(all, outer[i], e);
	}
	fill(a->method, flat);
	if (a->method->parts != NULL)
		part = a->method->parts(a->settings, &n);
	e = cJSON_GetObjectItemCaseSensitive(flat, "configs");
	for (i = 0; i < n; i++)
		fill(part[i].method, cJSON_GetArrayItem(e, (int)i));
	cJSON_AddItemToObject(all, "config", flat);
	put(all, "version", cJSON_CreateString("adapters.1.3.0"));
	put(all, "model_class", cJSON_CreateNull());
	put(all, "model_name", cJSON_CreateNull());
	if (a->model != NULL) {
		put(all, "hidden_size", cJSON_CreateNumber((double)
		    a->model->hidden));
		put(all, "model_type", cJSON_CreateString(
		    a->model->family->model_type));
	}
	return all;
}

void
peft_hub_prefix(const struct peft_config *model, struct peft_buf *b)
{
	const char *layers = model == NULL ? "model" : model->family->layers;

	peft_buf_put(b, layers, strcspn(layers, "."));
	peft_buf_putc(b, '.');
}

bool
peft_hub_is_alias(const char *name)
{
	return strstr(name, ".adapter_norm_before.") != NULL ||
	    strstr(name, ".prefix_tuning.pool.") != NULL;
}

void
peft_hub_name(const struct peft_module *m, const struct peft_shape *s,
    struct peft_buf *b)
{
	const cJSON *name = peft_json_get(m->adapter->config, "name");

	if (s->place == PEFT_AT_SITE)
		peft_buf_printf(b, "%s.", m->site->path);
	else
		peft_hub_prefix(m->adapter->model, b);
	peft_buf_printf(b, "%s.%s.%s", s->group, name->valuestring,
	    s->suffix);
}

int
peft_hub_left_out(const cJSON *list, int layer)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, list)
		if (e->valuedouble == layer)
			return 1;
	return 0;
}

int
peft_set_left_out(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const cJSON *list = peft_json_get(config, s->key), *e;

	if (!cJSON_IsArray(list))
		return peft_seterr(err, "leave_out is no list");
	cJSON_ArrayForEach(e, list)
		if (!cJSON_IsNumber(e))
			return peft_seterr(err, "leave_out holds something "
			    "that is no layer's number");
	*(const cJSON **)at = list;
	return 0;
}

const struct peft_module *
peft_hub_common(const struct peft_module *m)
{
	const struct peft_adapter *a = m->adapter;
	size_t i;

	for (i = a->nmodules; i > 0; i--)
		if (a->modules[i - 1].site == NULL &&
		    a->modules[i - 1].settings == m->settings)
			return &a->modules[i - 1];
	return NULL;
}
