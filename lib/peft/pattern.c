/* SPDX-License-Identifier: Apache-2.0 */
/* Values that a config gives modules by pattern (rank_pattern). */

#include "peft/target.h"

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

	if (patterns == NULL || cJSON_IsNull(patterns) ||
	    (cJSON_IsArray(patterns) && patterns->child == NULL))
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
