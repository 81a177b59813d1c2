/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads for classes beside adapters in the format of the adapters library, for
 * models of transformers that have one (...ForSequenceClassification,
 * ...ForTokenClassification): model_head.safetensors, with the model's names,
 * and head_config.json, with the classes'.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "peft/head.h"
#include "peft/hub.h"
#include "tensor/st.h"

static const char config_name[] = "head_config.json";

/* How the names of transformers' classes begin, where it is not the family's
 * with a capital. */
static const char *const begins[][2] = {
	{ "gpt2", "GPT2" }, { "gptj", "GPTJ" }, { "gpt_neox", "GPTNeoX" },
	{ "opt", "OPT" },
};
static const char *const ends[PEFT_NTASK] = {
	[PEFT_TASK_SEQ_CLS] = "ForSequenceClassification",
	[PEFT_TASK_TOKEN_CLS] = "ForTokenClassification",
};

static enum peft_task
task_of_class(const char *class)
{
	size_t n = strlen(class), k;
	int t;

	for (t = 0; t < PEFT_NTASK; t++)
		if (ends[t] != NULL && n > (k = strlen(ends[t])) &&
		    strcmp(class + n - k, ends[t]) == 0)
			return (enum peft_task)t;
	return PEFT_TASK_CAUSAL_LM;
}

int
peft_hub_head_task(const struct peft_source *src, enum peft_task *task,
    cJSON **config, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, config_name);
	const char *class = "";

	*config = NULL;
	if (side == NULL)
		return 0;
	if ((*config = peft_json(side->data, side->len, err)) == NULL ||
	    peft_json_str(*config, "model_class", &class, err) == -1) {
		cJSON_Delete(*config);
		return peft_errprefix(err, "%s", config_name);
	}
	*task = task_of_class(class);
	return 0;
}

int
peft_hub_head_ask(const struct peft_source *src, cJSON *config,
    struct peft_err *err)
{
	enum peft_task task = PEFT_TASK_CAUSAL_LM;
	cJSON *head;

	if (peft_json_get(config, "peft_type") != NULL)
		return 0;
	if (peft_hub_head_task(src, &task, &head, err) == -1)
		return -1;
	cJSON_Delete(head);
	if (peft_task_classes(task))
		peft_head_ask(config, task);
	return 0;
}

int
peft_hub_head_labels(const cJSON *config, struct peft_labels *labels,
    size_t outputs, struct peft_err *err)
{
	const cJSON *map = peft_json_get(config, "label2id"), *e;
	cJSON *names = cJSON_CreateObject();
	char id[24];
	int r = 0;

	cJSON_ArrayForEach(e, map) {
		snprintf(id, sizeof(id), "%.0f", e->valuedouble);
		if (!cJSON_IsNumber(e) || peft_json_get(names, id) != NULL) {
			r = peft_seterr(err, "%s: label2id: \"%.80s\" has no "
			    "number of its own", config_name, e->string);
			break;
		}
		cJSON_AddStringToObject(names, id, e->string);
	}
	if (r == 0 && names->child != NULL &&
	    (r = peft_labels_read(labels, names, outputs, err)) == -1)
		peft_errprefix(err, "%s: label2id", config_name);
	cJSON_Delete(names);
	return r == -1 ? -1 : 0;
}

bool
peft_hub_is_head(const struct peft_adapter *a, const struct peft_param *p)
{
	size_t i;
	int k;

	for (i = 0; a->method->hub && i < a->nmodules; i++)
		for (k = 0; a->modules[i].method == &peft_full &&
		    k < PEFT_MAXPART; k++)
			if (a->modules[i].param[k] == p)
				return true;
	return false;
}

static void
put_class(struct peft_buf *b, const struct peft_config *c)
{
	const char *type = c->family->model_type, *begin = NULL;
	size_t i;

	for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strcmp(begins[i][0], type) == 0)
			begin = begins[i][1];
	if (begin == NULL)
		peft_buf_putc(b, toupper((unsigned char)*type++));
	peft_buf_printf(b, "%s%s", begin == NULL ? type : begin,
	    ends[c->task]);
}

/* head_config.json; names: a JSON list of the classes', or NULL. */
static void
put_config(struct peft_buf *b, const struct peft_config *c, const char *names)
{
	cJSON *j = cJSON_CreateObject(), *list, *map;
	struct peft_buf class = { 0 };
	struct peft_err err;
	const cJSON *e;
	int i = 0;

	put_class(&class, c);
	cJSON_AddNullToObject(j, "config");
	cJSON_AddNumberToObject(j, "hidden_size", (double)c->hidden);
	map = cJSON_AddObjectToObject(j, "label2id");
	list = names == NULL ? NULL : peft_json(names, strlen(names), &err);
	cJSON_ArrayForEach(e, list)
		if (cJSON_IsString(e))
			cJSON_AddNumberToObject(map, e->valuestring, i++);
	cJSON_Delete(list);
	cJSON_AddStringToObject(j, "model_class", class.failed ? "" :
	    class.data);
	cJSON_AddNullToObject(j, "model_name");
	cJSON_AddStringToObject(j, "model_type", c->family->model_type);
	cJSON_AddNullToObject(j, "name");
	cJSON_AddNumberToObject(j, "num_labels", (double)c->outputs);
	cJSON_AddStringToObject(j, "version", "adapters.1.3.0");
	peft_json_print(b, j, 2, true);
	b->failed |= class.failed;
	peft_buf_free(&class);
	cJSON_Delete(j);
}

/* The head's tensors as a file of their own. */
static int
put_tensors(const struct peft_adapter *a, FILE *fp, struct peft_err *err)
{
	static const char *const meta[] = { "format", "pt", NULL };
	struct peft_st_entry e[2];
	size_t n = 0, i;
	int r;

	for (i = 0; i < a->nparams && n < 2; i++) {
		const struct peft_param *p = &a->params[i];

		if (!peft_hub_is_head(a, p))
			continue;
		e[n] = (struct peft_st_entry){ .name =
		    (char *)(uintptr_t)p->name, .dtype =
		    PEFT_F32, .ndim = p->ndim, .nbytes = p->n *
		    sizeof(float) };
		memcpy(e[n++].shape, p->shape, sizeof(p->shape));
	}
	r = peft_st_write(fp, PEFT_HUB_HEAD, e, n, meta, err);
	for (i = 0; r == 0 && i < a->nparams; i++)
		if (peft_hub_is_head(a, &a->params[i]))
			r = peft_fwrite(fp, PEFT_HUB_HEAD, a->params[i].value,
			    a->params[i].n * sizeof(float), err);
	return r;
}

int
peft_hub_head_sides(const struct peft_adapter *a, const char *names,
    bool apart, struct peft_side *side, size_t *n, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	char *data = NULL;
	size_t len = 0;
	FILE *fp;
	int r;

	put_config(&b, a->model, names);
	side[(*n)++] = (struct peft_side){ .name = config_name,
	    .data = b.data, .len = b.len };
	if (b.failed)
		return peft_seterr(err, "no memory for %s", config_name);
	if (!apart)
		return 0;
	if ((fp = open_memstream(&data, &len)) == NULL)
		return peft_seterr(err, "no memory for %s", PEFT_HUB_HEAD);
	r = put_tensors(a, fp, err);
	if (fclose(fp) != 0 && r == 0)
		r = peft_seterr(err, "no memory for %s", PEFT_HUB_HEAD);
	side[(*n)++] = (struct peft_side){ .name = PEFT_HUB_HEAD,
	    .data = data, .len = len };
	return r;
}
