/* SPDX-License-Identifier: Apache-2.0 */
/* What a record says of its classes. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/labels.h"

const char *const peft_task_words[] = { "auto", "causal-lm", "seq-cls",
	"token-cls", NULL };
const char *const peft_task_types[] = { NULL, "CAUSAL_LM", "SEQ_CLS",
	"TOKEN_CLS" };
const char *const peft_problem_words[] = { "auto", "single", "multi",
	"regression", NULL };
const char *const peft_problem_types[] = { NULL,
	"single_label_classification", "multi_label_classification",
	"regression" };

void
peft_class_free(struct peft_class *c)
{
	size_t i;

	for (i = 0; c->name != NULL && i < c->n; i++)
		free(c->name[i]);
	free(c->name);
	memset(c, 0, sizeof(*c));
}

/* Whole numbers have no point, however they were spelt. */
char *
peft_class_name(const cJSON *j, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (cJSON_IsString(j) && j->valuestring[0] != '\0')
		return peft_strdup(j->valuestring, err);
	if (cJSON_IsBool(j))
		return peft_strdup(cJSON_IsTrue(j) ? "true" : "false", err);
	if (!cJSON_IsNumber(j)) {
		peft_seterr(err, cJSON_IsString(j) ? "a class without a name" :
		    "a class is neither a name nor a number");
		return NULL;
	}
	if (j->valuedouble == floor(j->valuedouble) &&
	    fabs(j->valuedouble) < 1e15)
		peft_buf_printf(&b, "%.0f", j->valuedouble);
	else
		peft_json_putreal(&b, j->valuedouble);
	if (b.failed)
		peft_seterr(err, "no memory for a class");
	return b.data;
}

static bool
is_fraction(const cJSON *j)
{
	return cJSON_IsNumber(j) && j->valuedouble != floor(j->valuedouble);
}

static int
read_list(const cJSON *list, bool nulls, struct peft_class *c,
    struct peft_err *err)
{
	size_t n = (size_t)cJSON_GetArraySize(list);
	const cJSON *e;

	if ((c->name = peft_calloc(n + 1, sizeof(*c->name), err)) == NULL)
		return -1;
	cJSON_ArrayForEach(e, list) {
		if (is_fraction(e))
			return peft_seterr(err, "a list of classes holds %g: "
			    "what is no whole number is a value, and a record "
			    "has one", e->valuedouble);
		if ((!nulls || !cJSON_IsNull(e)) && (c->name[c->n] =
		    peft_class_name(e, err)) == NULL)
			return -1;
		c->n++;
	}
	return 0;
}

static int
read_one(const cJSON *j, struct peft_class *c, struct peft_err *err)
{
	c->kind = PEFT_CLASS_ONE;
	c->number = cJSON_IsNumber(j);
	c->fraction = is_fraction(j);
	if ((c->name = peft_calloc(1, sizeof(*c->name), err)) == NULL)
		return -1;
	c->n = 1;
	return (c->name[0] = peft_class_name(j, err)) == NULL ? -1 : 0;
}

int
peft_class_read(const cJSON *j, const char *key, struct peft_class *c,
    struct peft_err *err)
{
	const cJSON *v = peft_json_get(j, key);
	int r;

	memset(c, 0, sizeof(*c));
	if (v == NULL || cJSON_IsNull(v))
		return 0;
	r = cJSON_IsArray(v) ? read_list(v, false, c, err) :
	    read_one(v, c, err);
	if (cJSON_IsArray(v))
		c->kind = PEFT_CLASS_MANY;
	if (r == 0)
		return 0;
	peft_class_free(c);
	return peft_errprefix(err, "\"%s\"", key);
}

int
peft_class_read_each(const cJSON *v, size_t n, struct peft_class *c,
    struct peft_err *err)
{
	memset(c, 0, sizeof(*c));
	if (!cJSON_IsArray(v))
		return peft_seterr(err, "\"classes\" is not a list");
	if (read_list(v, true, c, err) == 0 && c->n == n) {
		c->kind = PEFT_CLASS_EACH;
		return 0;
	}
	if (c->n == (size_t)cJSON_GetArraySize(v))
		peft_seterr(err, "%zu classes for %zu tokens", c->n, n);
	peft_class_free(c);
	return -1;
}

static void
put_name(struct peft_buf *b, const char *name, bool number)
{
	if (name == NULL)
		peft_buf_puts(b, "null");
	else if (number)
		peft_buf_puts(b, name);
	else
		peft_json_putstr(b, name, strlen(name));
}

void
peft_class_put(struct peft_buf *b, const struct peft_class *c)
{
	size_t i;

	if (c->kind == PEFT_CLASS_ONE) {
		peft_buf_puts(b, "\"class\":");
		put_name(b, c->name[0], c->number);
		return;
	}
	peft_buf_puts(b, c->kind == PEFT_CLASS_EACH ? "\"classes\":[" :
	    "\"class\":[");
	for (i = 0; i < c->n; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		put_name(b, c->name[i], false);
	}
	peft_buf_putc(b, ']');
}

void
peft_class_cut(struct peft_class *c, size_t n)
{
	while (c->kind == PEFT_CLASS_EACH && c->n > n)
		free(c->name[--c->n]);
}

size_t
peft_class_count(const struct peft_class *c)
{
	size_t i, n = 0;

	if (c->kind != PEFT_CLASS_EACH)
		return c->kind != PEFT_CLASS_NONE;
	for (i = 0; i < c->n; i++)
		n += c->name[i] != NULL;
	return n;
}
