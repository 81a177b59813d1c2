/* SPDX-License-Identifier: Apache-2.0 */
/* The names of classes, in the order of a head's outputs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"

void
peft_labels_free(struct peft_labels *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->name[i]);
	free(l->name);
	peft_map_free(&l->index);
	memset(l, 0, sizeof(*l));
}

int32_t
peft_labels_find(const struct peft_labels *l, const char *name)
{
	const size_t *i = peft_map_find(&l->index, name, strlen(name));

	return i == NULL ? -1 : (int32_t)*i;
}

/* Takes over the name. */
static int
add(struct peft_labels *l, char *name, struct peft_err *err)
{
	char **grown;

	if (name == NULL)
		return -1;
	grown = peft_grow(l->name, l->n, &l->cap, sizeof(*grown), err);
	if (grown == NULL) {
		free(name);
		return -1;
	}
	l->name = grown;
	l->name[l->n] = name;
	switch (peft_map_add(&l->index, name, strlen(name), l->n++, err)) {
	case 0:
		return peft_seterr(err, "two classes are called '%.80s'",
		    name);
	case -1:
		return -1;
	}
	return 0;
}

int
peft_labels_number(struct peft_labels *l, size_t n, struct peft_err *err)
{
	char name[32];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "LABEL_%zu", i);
		if (add(l, peft_strdup(name, err), err) == -1)
			return -1;
	}
	return 0;
}

int
peft_labels_read(struct peft_labels *l, const cJSON *j, size_t n,
    struct peft_err *err)
{
	size_t count = (size_t)cJSON_GetArraySize(j), i;
	const cJSON *e;
	char key[32];

	if (!cJSON_IsArray(j) && !cJSON_IsObject(j))
		return peft_seterr(err, "the names of the classes are neither "
		    "a list nor an object");
	if (count == 0 || (n > 0 && count != n))
		return peft_seterr(err, "%zu names for %zu classes", count,
		    n);
	for (i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		e = cJSON_IsArray(j) ? cJSON_GetArrayItem(j, (int)i) :
		    peft_json_get(j, key);
		if (e == NULL)
			return peft_seterr(err, "class %zu of %zu has no name",
			    i, count);
		if (add(l, peft_class_name(e, err), err) == -1)
			return -1;
	}
	return 0;
}

void
peft_labels_put(struct peft_buf *b, const struct peft_labels *l)
{
	size_t i;

	peft_buf_putc(b, '[');
	for (i = 0; i < l->n; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		peft_json_putstr(b, l->name[i], strlen(l->name[i]));
	}
	peft_buf_putc(b, ']');
}

void
peft_labels_config(const struct peft_labels *l, cJSON *config)
{
	static const char *const keys[] = { "id2label", "label2id",
	    "problem_type", "num_labels", NULL };
	cJSON *names, *ids;
	char key[32];
	size_t i;

	for (i = 0; keys[i] != NULL; i++)
		cJSON_DeleteItemFromObjectCaseSensitive(config, keys[i]);
	names = cJSON_AddObjectToObject(config, "id2label");
	ids = cJSON_AddObjectToObject(config, "label2id");
	for (i = 0; i < l->n; i++) {
		snprintf(key, sizeof(key), "%zu", i);
		cJSON_AddStringToObject(names, key, l->name[i]);
		cJSON_AddNumberToObject(ids, l->name[i], (double)i);
	}
	if (l->task == PEFT_TASK_SEQ_CLS && l->problem != PEFT_PROBLEM_AUTO)
		cJSON_AddStringToObject(config, "problem_type",
		    peft_problem_types[l->problem]);
}

/* Numbers by their value before other names by their bytes. */
static int
compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	char *xend, *yend;
	double u = strtod(x, &xend), v = strtod(y, &yend);
	bool xnum = *xend == '\0', ynum = *yend == '\0';

	if (xnum != ynum)
		return xnum ? -1 : 1;
	if (xnum && u != v)
		return u < v ? -1 : 1;
	return strcmp(x, y);
}

/* Names that are new, behind those that are there. */
static int
add_new(struct peft_labels *l, const struct peft_class *c,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->name[i] != NULL &&
		    peft_labels_find(l, c->name[i]) == -1 &&
		    add(l, peft_strdup(c->name[i], err), err) == -1)
			return -1;
	return 0;
}

int
peft_labels_collect(struct peft_labels *l, const struct peft_record *r,
    size_t n, struct peft_err *err)
{
	size_t i;

	if (l->problem == PEFT_PROBLEM_VALUE)	/* one output, of no name */
		return l->n > 0 ? 0 : peft_labels_number(l, 1, err);
	for (i = 0; i < n; i++)
		if (add_new(l, &r[i].cls, err) == -1)
			return -1;
	if (l->n > 0)
		qsort(l->name, l->n, sizeof(*l->name), compare);
	for (i = 0; i < l->n; i++)
		*peft_map_find(&l->index, l->name[i], strlen(l->name[i])) = i;
	return 0;
}
