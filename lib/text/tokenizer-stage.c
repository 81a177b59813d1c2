/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: reading stages by their tables. */

#include <string.h>

#include "text/tokenizer-stage.h"

bool
peft_stage_among(const char *key, const char *keys)
{
	size_t n = strlen(key);
	const char *hit;

	if (n == 0)
		return false;
	for (hit = keys; (hit = strstr(hit, key)) != NULL; hit += n)
		if ((hit == keys || hit[-1] == ' ') &&
		    (hit[n] == ' ' || hit[n] == '\0'))
			return true;
	return false;
}

int
peft_stage_one(struct peft_tokenizer *t, const cJSON *j, const char *name,
    const struct peft_stage *table, const char *type, struct peft_err *err)
{
	const struct peft_stage *row = table;
	const cJSON *e;

	while (row->type != NULL && strcmp(row->type, type) != 0)
		row++;
	if (row->type == NULL)
		return peft_seterr(err, "%s of type %.100s is not known here",
		    name, type);
	cJSON_ArrayForEach(e, j)
		if (strcmp(e->string, "type") != 0 &&
		    !peft_stage_among(e->string, row->keys))
			return peft_seterr(err, "%s %s: the key \"%.100s\" is "
			    "not known here", name, type, e->string);
	return row->read(t, j, err);
}

static int
read_any(struct peft_tokenizer *t, const cJSON *j, const char *name,
    const char *members, const struct peft_stage *table, struct peft_err *err)
{
	const char *type = NULL;
	const cJSON *list, *e;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "%s is not an object", name);
	if (peft_json_str(j, "type", &type, err) != 1)
		return peft_seterr(err, "%s without a type", name);
	if (strcmp(type, "Sequence") != 0)
		return peft_stage_one(t, j, name, table, type, err);
	list = peft_json_get(j, members);
	if (!cJSON_IsArray(list))
		return peft_seterr(err, "%s Sequence: %s is not a list", name,
		    members);
	cJSON_ArrayForEach(e, list)
		if (read_any(t, e, name, members, table, err) == -1)
			return -1;
	return 0;
}

int
peft_stage_read(struct peft_tokenizer *t, const char *name,
    const char *members, const struct peft_stage *table, struct peft_err *err)
{
	const cJSON *j = t->class == NULL ? NULL : peft_json_get(t->class,
	    name);

	if (j == NULL)
		j = peft_json_get(t->json, name);
	if (j == NULL || cJSON_IsNull(j))
		return 0;
	return read_any(t, j, name, members, table, err);
}

int
peft_stage_str(const cJSON *j, const char *key, const char **out,
    struct peft_err *err)
{
	const char *s = NULL;

	if (peft_json_str(j, key, &s, err) == -1)
		return -1;
	if (s == NULL || *s == '\0')
		return peft_seterr(err, "\"%s\" is missing or empty", key);
	*out = s;
	return 0;
}

int
peft_stage_pattern(const cJSON *j, struct peft_pattern **out,
    struct peft_err *err)
{
	const cJSON *pattern = peft_json_get(j, "pattern");
	bool string = peft_json_get(pattern, "String") != NULL;
	const char *s = NULL;

	if (peft_stage_str(pattern, string ? "String" : "Regex", &s,
	    err) == -1)
		return -1;
	*out = string ? peft_pattern_string(s, err) :
	    peft_pattern_regex(s, err);
	return *out == NULL ? -1 : 0;
}

int
peft_stage_replace(const cJSON *j, struct peft_pattern **from,
    const char **to, struct peft_err *err)
{
	*to = NULL;
	if (peft_json_str(j, "content", to, err) == -1)
		return -1;
	if (*to == NULL)
		return peft_seterr(err, "Replace without \"content\"");
	return peft_stage_pattern(j, from, err) == -1 ?
	    peft_errprefix(err, "Replace") : 0;
}

int
peft_stage_full(const char *what, struct peft_err *err)
{
	return peft_seterr(err, "more than %d stages of %s", PEFT_MAXSTAGE,
	    what);
}
