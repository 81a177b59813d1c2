/* SPDX-License-Identifier: Apache-2.0 */
/* Heads for classes, which adapters bring with them. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "peft/head.h"
#include "peft/hub.h"

static const char *const names[] = { "classifier", "score", NULL };

/* Is the tensor's name that of a head's weight: ".score.weight"? */
static bool
is_head(const char *name)
{
	struct peft_buf b = { 0 };
	bool is = false;
	size_t i, n = strlen(name);

	for (i = 0; names[i] != NULL && !is; i++) {
		peft_buf_clear(&b);
		peft_buf_printf(&b, ".%s.weight", names[i]);
		is = !b.failed && n >= b.len &&
		    strcmp(name + n - b.len, b.data) == 0;
		is |= !b.failed && strcmp(name, b.data + 1) == 0;
	}
	peft_buf_free(&b);
	return is;
}

static size_t
outputs_of(const struct peft_source *src)
{
	size_t i;

	for (i = 0; i < peft_source_count(src); i++) {
		const struct peft_weight *w = peft_source_at(src, i);

		if (w->ndim == 2 && is_head(w->name))
			return w->shape[0];
	}
	return 0;
}

static int
read_task(const struct peft_source *src, struct peft_headopt *head,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src,
	    "adapter_config.json");
	const char *type = NULL;
	cJSON *j = NULL;
	int r = 0, t;

	*head = (struct peft_headopt){ .task = PEFT_TASK_CAUSAL_LM };
	if (side == NULL)
		return 0;		/* who opens it says so */
	r = peft_hub_head_task(src, &head->task, &j, err);
	cJSON_Delete(j);
	if (r == -1 || peft_task_classes(head->task))
		return r;
	if ((j = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "adapter_config.json");
	r = peft_json_str(j, "task_type", &type, err);
	for (t = PEFT_TASK_SEQ_CLS; type != NULL && t < PEFT_NTASK; t++)
		if (strcmp(peft_task_types[t], type) == 0)
			head->task = (enum peft_task)t;
	cJSON_Delete(j);
	return r == -1 ? -1 : 0;
}

/* What this toolkit adds to the file: the names, the problem. */
static int
read_labels(const struct peft_source *src, struct peft_headopt *head,
    struct peft_labels *labels, struct peft_err *err)
{
	const char *text = peft_source_meta(src, "peft.labels");
	const char *problem = peft_source_meta(src, "peft.problem");
	enum peft_task task;
	cJSON *j;
	int r, p;

	for (p = 0; problem != NULL && peft_problem_words[p] != NULL; p++)
		if (strcmp(problem, peft_problem_words[p]) == 0)
			head->problem = (enum peft_problem)p;
	if (problem == NULL && head->outputs == 1 &&
	    head->task == PEFT_TASK_SEQ_CLS)
		head->problem = PEFT_PROBLEM_VALUE;
	labels->task = head->task;
	labels->problem = head->problem;
	if (text == NULL) {		/* the adapters library's */
		r = peft_hub_head_task(src, &task, &j, err);
		if (r == 0)
			r = peft_hub_head_labels(j, labels, head->outputs,
			    err);
		cJSON_Delete(j);
		return r;
	}
	if ((j = peft_json(text, strlen(text), err)) == NULL)
		return peft_errprefix(err, "peft.labels");
	r = peft_labels_read(labels, j, head->outputs, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "peft.labels") : 0;
}

int
peft_head_of_adapter(const struct peft_source *src, struct peft_headopt *head,
    struct peft_labels *labels, struct peft_err *err)
{
	memset(labels, 0, sizeof(*labels));
	if (read_task(src, head, err) == 0) {
		if (!peft_task_classes(head->task))
			return 0;
		head->outputs = outputs_of(src);
		if (read_labels(src, head, labels, err) == 0)
			return 0;
	}
	return peft_errprefix(err, "%s", peft_source_label(src));
}

int
peft_head_of_model(const struct peft_source *src,
    const struct peft_config *c, struct peft_labels *labels,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, "config.json");
	const cJSON *list;
	cJSON *j;
	int r;

	memset(labels, 0, sizeof(*labels));
	labels->task = c->task;
	labels->problem = c->problem;
	if (!peft_task_classes(c->task))
		return 0;
	if (side == NULL || (j = peft_json(side->data, side->len,
	    err)) == NULL)
		return side == NULL ? peft_seterr(err, "no config.json") : -1;
	list = c->headless ? NULL : peft_json_get(j, "id2label");
	r = list == NULL ? peft_labels_number(labels, c->outputs, err) :
	    peft_labels_read(labels, list, c->outputs, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "%s: config.json",
	    peft_source_label(src)) : 0;
}

int
peft_head_names(struct peft_labels *labels, const struct peft_source *model,
    const struct peft_config *c, struct peft_err *err)
{
	enum peft_problem problem = labels->problem;
	int r;

	if (labels->n > 0 || !peft_task_classes(c->task))
		return 0;
	r = peft_head_of_model(model, c, labels, err);
	if (problem != PEFT_PROBLEM_AUTO)
		labels->problem = problem;
	return r;
}

int
peft_head_join(struct peft_headopt *all, const struct peft_headopt *head,
    const char *name, struct peft_err *err)
{
	if (all->task == PEFT_TASK_AUTO)
		*all = *head;
	if (all->task != head->task)
		return peft_setfail(err, PEFT_CHECK, "adapter %s is for %s, "
		    "others are for %s: not over one model", name,
		    peft_task_types[head->task], peft_task_types[all->task]);
	if (all->outputs != head->outputs || all->problem != head->problem)
		return peft_setfail(err, PEFT_CHECK, "adapter %s has a head of "
		    "%zu classes (%s), another of %zu (%s): not over one "
		    "model", name, head->outputs,
		    peft_problem_words[head->problem], all->outputs,
		    peft_problem_words[all->problem]);
	return 0;
}

void
peft_head_ask(cJSON *config, enum peft_task task)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(config,
	    "modules_to_save");
	const cJSON *e;
	size_t i;
	bool there;

	cJSON_DeleteItemFromObjectCaseSensitive(config, "task_type");
	cJSON_AddStringToObject(config, "task_type", peft_task_types[task]);
	if (!peft_task_classes(task))
		return;
	if (list != NULL && !cJSON_IsArray(list)) {
		cJSON_DeleteItemFromObjectCaseSensitive(config,
		    "modules_to_save");
		list = NULL;
	}
	if (list == NULL)
		list = cJSON_AddArrayToObject(config, "modules_to_save");
	for (i = 0; names[i] != NULL; i++) {
		there = false;
		cJSON_ArrayForEach(e, list)
			there |= cJSON_IsString(e) &&
			    strcmp(e->valuestring, names[i]) == 0;
		if (!there)
			cJSON_AddItemToArray(list,
			    cJSON_CreateString(names[i]));
	}
}

/* "LlamaForCausalLM" to "LlamaForSequenceClassification", and the like. */
static void
put_class(struct peft_buf *b, const char *old, const char *type,
    enum peft_task task)
{
	const char *end = strstr(old, "For");
	const char *gpt = strstr(old, "LMHeadModel");

	if (end == NULL)
		end = gpt;
	if (end == NULL) {		/* no class: after the model_type */
		peft_buf_putc(b, toupper((unsigned char)type[0]));
		peft_buf_puts(b, type[0] == '\0' ? "" : type + 1);
	} else
		peft_buf_put(b, old, (size_t)(end - old));
	peft_buf_puts(b, task == PEFT_TASK_SEQ_CLS ?
	    "ForSequenceClassification" : "ForTokenClassification");
}

int
peft_head_config(const struct peft_side *side,
    const struct peft_labels *labels, struct peft_buf *out,
    struct peft_err *err)
{
	cJSON *j = peft_json(side->data, side->len, err), *list;
	const cJSON *old = peft_json_get(j, "architectures");
	struct peft_buf b = { 0 };
	const char *type = "";

	if (j == NULL || peft_json_str(j, "model_type", &type, err) == -1) {
		cJSON_Delete(j);
		return peft_errprefix(err, "config.json");
	}
	put_class(&b, cJSON_IsArray(old) && cJSON_IsString(old->child) ?
	    old->child->valuestring : "", type, labels->task);
	cJSON_DeleteItemFromObjectCaseSensitive(j, "architectures");
	list = cJSON_AddArrayToObject(j, "architectures");
	if (!b.failed)
		cJSON_AddItemToArray(list, cJSON_CreateString(b.data));
	peft_labels_config(labels, j);
	peft_json_print(out, j, 2, true);
	cJSON_Delete(j);
	peft_buf_free(&b);
	return out->failed ? peft_seterr(err, "no memory for config.json") : 0;
}
