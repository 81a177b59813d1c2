/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from a config, by a table of its keys. */

#include <string.h>

#include "peft/method.h"

int
peft_set_int(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	return peft_json_int(config, s->key, s->min, s->max, at, err);
}

int
peft_set_real(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	return peft_json_real(config, s->key, at, err);
}

int
peft_set_share(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	double *share = at;

	if (peft_json_real(config, s->key, share, err) == -1)
		return -1;
	if (!(*share >= 0) || !(*share < 1))
		return peft_seterr(err, "%s %g is not in [0, 1)", s->key,
		    *share);
	return 0;
}

int
peft_set_bool(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	return peft_json_bool(config, s->key, at, err);
}

int
peft_set_not(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	bool said = true;

	if (peft_json_bool(config, s->key, &said, err) == -1)
		return -1;
	*(bool *)at = !said;
	return 0;
}

/* Which of the words is it?  -1: none. */
static int
find_word(const char *const *words, const char *said)
{
	int i;

	for (i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], said) == 0)
			return i;
	return -1;
}

static int
no_word(const struct peft_setting *s, const char *said, struct peft_err *err)
{
	const char *const *w = s->words;
	char all[128] = "";

	if (w[1] == NULL)
		return peft_seterr(err, "%s \"%s\" is not \"%s\"", s->key,
		    said, w[0]);
	if (w[2] == NULL)
		return peft_seterr(err, "%s \"%s\" is neither %s nor %s",
		    s->key, said, w[0], w[1]);
	for (; *w != NULL; w++) {
		strncat(all, *w, sizeof(all) - strlen(all) - 1);
		if (w[1] != NULL)
			strncat(all, ", ", sizeof(all) - strlen(all) - 1);
	}
	return peft_seterr(err, "%s \"%s\" is none of %s", s->key, said, all);
}

int
peft_set_word(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const char *said = "";
	int i;

	if (peft_json_str(config, s->key, &said, err) == -1)
		return -1;
	if ((i = find_word(s->words, said)) == -1)
		return no_word(s, said, err);
	*(int *)at = i;
	return 0;
}

int
peft_set_choice(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, s->key);
	const char *said = cJSON_IsString(v) ? v->valuestring : "?";
	int i = cJSON_IsString(v) ? find_word(s->words, said) : -1;

	if (!cJSON_IsBool(v) && i == -1)
		return peft_seterr(err, "%s \"%s\" is not honoured here",
		    s->key, said);
	*(int *)at = cJSON_IsBool(v) ? cJSON_IsTrue(v) : i + 2;
	return 0;
}

int
peft_set_off(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	(void)at;
	return peft_config_off(config, s->key, err);
}

int
peft_set_string(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	return peft_json_str(config, s->key, at, err);
}

int
peft_set_json(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	(void)err;
	*(const cJSON **)at = peft_json_get(config, s->key);
	return 0;
}

int
peft_set_pattern(const struct peft_setting *s, const cJSON *config, void *at,
    struct peft_err *err)
{
	return peft_set_json(s, config, at, err);
}

/* Read it from the default, as if a config said that. */
static int
read_usual(const struct peft_setting *s, void *at, struct peft_err *err)
{
	cJSON *said = cJSON_CreateObject(), *v = cJSON_Parse(s->usual);
	int r = 0;

	if (said == NULL || v == NULL)
		r = peft_seterr(err, "no memory for the default of %s",
		    s->key);
	cJSON_AddItemToObject(said, s->key, v);
	if (r == 0 && (cJSON_IsBool(v) || !peft_config_is_off(v)))
		r = s->read(s, said, at, err);
	cJSON_Delete(said);
	return r;
}

int
peft_settings_read(const struct peft_setting *s, const cJSON *config,
    void *settings, struct peft_err *err)
{
	for (; s->key != NULL; s++) {
		const cJSON *v = peft_json_get(config, s->key);
		void *at = (char *)settings + s->at;

		if (s->read == NULL)
			continue;
		if ((v == NULL || cJSON_IsNull(v) ? read_usual(s, at, err) :
		    s->read(s, config, at, err)) == -1)
			return -1;
	}
	return 0;
}

int
peft_settings_inner(const struct peft_setting *s, const cJSON *config,
    const char *key, void *settings, struct peft_err *err)
{
	const cJSON *inner = peft_json_get(config, key), *e;

	if (inner != NULL && !cJSON_IsNull(inner) && !cJSON_IsObject(inner))
		return peft_seterr(err, "%s is no object", key);
	cJSON_ArrayForEach(e, inner)
		if (peft_setting_find(s, e->string) == NULL)
			return peft_seterr(err, "%s: key \"%s\" is not "
			    "honoured here", key, e->string);
	return peft_settings_read(s, inner, settings, err) == 0 ? 0 :
	    peft_errprefix(err, "%s", key);
}

const struct peft_setting *
peft_setting_find(const struct peft_setting *s, const char *key)
{
	for (; s != NULL && s->key != NULL; s++)
		if (strcmp(s->key, key) == 0)
			return s;
	return NULL;
}

void
peft_settings_fill(const struct peft_setting *s, cJSON *config)
{
	for (; s != NULL && s->key != NULL; s++)
		if (peft_json_get(config, s->key) == NULL)
			cJSON_AddItemToObject(config, s->key,
			    cJSON_Parse(s->usual));
}
