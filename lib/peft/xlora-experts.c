/* SPDX-License-Identifier: Apache-2.0 */
/* The adapters that X-LoRA is made of. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "peft/lora.h"
#include "peft/xlora.h"

/* PEFT saves them in folders beside the classifier, by name, and reads them
 * from where they were before; so does this, if they are not beside. */
static char *
find(const char *home, const char *name, const char *path,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t n;

	if (home != NULL) {
		peft_buf_printf(&b, "%s/%s", home, name);
		n = b.len;
		peft_buf_puts(&b, "/adapter_config.json");
		if (!b.failed && access(b.data, R_OK) == 0) {
			b.data[n] = '\0';
			return b.data;
		}
	}
	peft_buf_free(&b);
	return peft_strdup(path, err);
}

/* Before it is opened: an X-LoRA of itself would be opened forever. */
static int
check_type(const struct peft_source *src, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src,
	    "adapter_config.json");
	const char *type = "no adapter";
	cJSON *config;
	int r = -1;

	if (side == NULL)
		return peft_seterr(err, "no adapter_config.json: not an "
		    "adapter");
	if ((config = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "adapter_config.json");
	if (peft_json_str(config, "peft_type", &type, err) != -1)
		r = type != NULL && strcmp(type, "LORA") == 0 ? 0 :
		    peft_seterr(err, "it is %s, not LORA", type == NULL ?
		    "null" : type);
	cJSON_Delete(config);
	return r;
}

/* Those that only add a product to a linear's output. */
static int
check_modules(const struct peft_adapter *a, struct peft_err *err)
{
	size_t i;
	int part;

	for (i = 0; i < a->nmodules; i++) {
		const struct peft_module *m = &a->modules[i];
		const struct peft_lora *l = m->settings;

		if (m->method != a->method || m->site == NULL ||
		    m->site->kind != PEFT_LINEAR || a->invocation.n > 0)
			return peft_seterr(err, "it has more than LoRA on "
			    "linear layers%s%s", m->site == NULL ? "" : ": ",
			    m->site == NULL ? "" : m->site->path);
		for (part = PEFT_LORA_BIAS; part < PEFT_MAXPART; part++)
			if (m->param[part] != NULL)
				return peft_seterr(err, "an expert of X-LoRA "
				    "cannot have use_dora or lora_bias");
		if (l->start == PEFT_LORA_PISSA || l->start ==
		    PEFT_LORA_OLORA)
			return peft_seterr(err, "it began as a part of the "
			    "weights (init_lora_weights), which an expert of "
			    "X-LoRA cannot");
	}
	return 0;
}

static struct peft_adapter *
open_expert(const char *path, const struct peft_sites *sites,
    struct peft_err *err)
{
	struct peft_source *src = peft_source_open(path, err);
	struct peft_adapter *a = NULL;

	if (src == NULL)
		return NULL;
	if (check_type(src, err) == -1)
		peft_errprefix(err, "%s", path);
	else if ((a = peft_adapter_open(src, sites, err)) != NULL &&
	    check_modules(a, err) == -1) {
		peft_errprefix(err, "%s", path);
		peft_adapter_close(a);
		a = NULL;
	}
	peft_source_close(src);
	return a;
}

/* The classifier's outputs go by number, and so PEFT names them. */
int
peft_xlora_gather(struct peft_adapter *a, const struct peft_sites *sites,
    const char *home, struct peft_err *err)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(a->config, "adapters");
	size_t n = (size_t)cJSON_GetArraySize(list), i;
	const struct peft_xlora *x = a->settings;
	char name[24], *path;
	const cJSON *at;

	if (x->hidden != 0 && (size_t)x->hidden != sites->config->hidden)
		return peft_seterr(err, "hidden_size is %lld, the model's is "
		    "%zu", (long long)x->hidden, sites->config->hidden);
	peft_json_set(a->config, "hidden_size", cJSON_CreateNumber(
	    (double)sites->config->hidden));
	if ((a->experts = peft_calloc(n, sizeof(struct peft_adapter *),
	    err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		at = peft_json_get(list, name);
		if (!cJSON_IsString(at))
			return peft_seterr(err, "adapters: %zu are named, but "
			    "none \"%s\"; they are \"0\", \"1\", ..., each "
			    "with its path", n, name);
		path = find(home, name, at->valuestring, err);
		a->experts[i] = path == NULL ? NULL : open_expert(path, sites,
		    err);
		if (a->experts[i] != NULL)
			peft_json_set(list, name, cJSON_CreateString(path));
		free(path);
		if (a->experts[i] == NULL)
			return peft_errprefix(err, "adapters: \"%s\"", name);
		a->nexperts++;
	}
	return 0;
}

struct peft_module *
peft_xlora_module(const struct peft_adapter *a, size_t i, const char *path)
{
	struct peft_adapter *e = a->experts[i];
	size_t k;

	for (k = 0; k < e->nmodules; k++)
		if (strcmp(e->modules[k].site->path, path) == 0)
			return &e->modules[k];
	return NULL;
}
