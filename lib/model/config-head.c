/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a model: a language model's, or one for classes, as
 * transformers' ...ForSequenceClassification and ...ForTokenClassification
 * have it. */

#include <stdio.h>
#include <string.h>

#include "model/config-impl.h"

static void
set_head(struct peft_config *c, enum peft_task task, size_t outputs)
{
	uint32_t head = PEFT_BIT(PEFT_AT_HEAD);
	bool each = task == PEFT_TASK_TOKEN_CLS;

	c->task = task;
	c->outputs = outputs;
	c->ahead = task == PEFT_TASK_CAUSAL_LM;
	c->head = c->family->head;
	if (task == PEFT_TASK_CAUSAL_LM)
		return;
	c->head = each && c->family->each != NULL ? c->family->each : "score";
	c->t.tied = false;
	c->t.logit_scale = 1;		/* those are of the vocabulary */
	c->t.final_cap = 0;
	c->t.transposed &= ~head;
	c->t.bias = each ? c->t.bias | head : c->t.bias & ~head;
}

static bool
ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static int
read_problem(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const char *type = NULL;
	int p;

	if (peft_json_str(j, "problem_type", &type, err) == -1)
		return -1;
	for (p = PEFT_PROBLEM_SINGLE; type != NULL; p++) {
		if (p > PEFT_PROBLEM_VALUE)
			return peft_seterr(err, "problem_type \"%.60s\" is not "
			    "known", type);
		if (strcmp(peft_problem_types[p], type) == 0)
			break;
	}
	if (type != NULL)
		c->problem = (enum peft_problem)p;
	else if (c->outputs == 1)	/* as transformers takes it */
		c->problem = PEFT_PROBLEM_VALUE;
	if (c->problem == PEFT_PROBLEM_VALUE && c->outputs != 1)
		return peft_seterr(err, "a regression of %zu values is not "
		    "honoured", c->outputs);
	return 0;
}

int
peft_config_own_head(struct peft_config *c, const cJSON *j,
    struct peft_err *err)
{
	const cJSON *list = peft_json_get(j, "architectures");
	const cJSON *names = peft_json_get(j, "id2label");
	const cJSON *first = cJSON_IsArray(list) ? list->child : NULL;
	const char *name = cJSON_IsString(first) ? first->valuestring : "";
	bool seq = ends_in(name, "ForSequenceClassification");
	bool each = ends_in(name, "ForTokenClassification"), bias = true;
	int64_t n = cJSON_IsObject(names) ? cJSON_GetArraySize(names) : 2;

	set_head(c, PEFT_TASK_CAUSAL_LM, c->vocab);
	if (!seq && !each)
		return 0;
	if (peft_json_int(j, "num_labels", 1, 1 << 20, &n, err) == -1 ||
	    peft_json_bool(j, "token_classification_bias", &bias, err) == -1)
		return -1;
	if (n < 1)
		return peft_seterr(err, "id2label names no class");
	set_head(c, seq ? PEFT_TASK_SEQ_CLS : PEFT_TASK_TOKEN_CLS, (size_t)n);
	if (!bias)
		c->t.bias &= ~PEFT_BIT(PEFT_AT_HEAD);
	return seq ? read_problem(c, j, err) : 0;
}

int
peft_config_head(struct peft_config *c, const struct peft_headopt *o,
    struct peft_err *err)
{
	if (!peft_task_classes(o->task))
		return 0;
	if (c->task == PEFT_TASK_CAUSAL_LM) {
		if (o->outputs == 0)
			return peft_seterr(err, "the model has no head for "
			    "classes, and there is none for it");
		set_head(c, o->task, o->outputs);
		c->headless = true;
	}
	if (c->task != o->task)
		return peft_setfail(err, PEFT_CHECK, "the model's head is for "
		    "%s, %s is asked for", peft_task_types[c->task],
		    peft_task_types[o->task]);
	if (o->outputs != 0 && c->outputs != o->outputs)
		return peft_setfail(err, PEFT_CHECK, "the model's head has %zu "
		    "classes, %zu are asked for", c->outputs, o->outputs);
	if (o->problem != PEFT_PROBLEM_AUTO)
		c->problem = o->problem;
	return 0;
}

int
peft_config_graft(const struct peft_config *c, struct peft_source *src,
    struct peft_err *err)
{
	char name[64];

	if (!c->headless)
		return 0;
	snprintf(name, sizeof(name), "%s.weight", c->head);
	if (peft_source_graft(src, name, c->outputs, c->hidden, err) == -1)
		return -1;
	if (!(c->t.bias & PEFT_BIT(PEFT_AT_HEAD)))
		return 0;
	snprintf(name, sizeof(name), "%s.bias", c->head);
	return peft_source_graft(src, name, 0, c->outputs, err);
}

bool
peft_config_unused(const struct peft_config *c, const char *name)
{
	size_t n = strlen(c->family->head);

	return peft_task_classes(c->task) &&
	    strncmp(name, c->family->head, n) == 0 && name[n] == '.';
}
