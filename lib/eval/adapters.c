/* SPDX-License-Identifier: Apache-2.0 */
/* Which adapters a record asks for. */

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "eval/prompts.h"

struct choice {
	struct peft_session	*ses;
	bool			 make;
	bool			*changed;
};

/* ["a","b"] and {"a":0.5,"b":1} as --combine writes it. */
static int
spec_of(const cJSON *v, struct peft_buf *b, struct peft_err *err)
{
	const cJSON *p;

	cJSON_ArrayForEach(p, v) {
		const char *name = cJSON_IsArray(v) ? p->valuestring :
		    p->string;

		if (name == NULL || (cJSON_IsObject(v) && !cJSON_IsNumber(p)))
			return peft_seterr(err, "adapter: several together "
			    "are [NAME,...] or {NAME:WEIGHT,...}");
		if (strpbrk(name, ":,/") != NULL)	/* or be a path */
			return peft_seterr(err, "adapter: a name with ':', "
			    "',' or '/' (%s) cannot be combined", name);
		peft_buf_printf(b, "%s%s", b->len > 0 ? "," : "", name);
		if (cJSON_IsObject(v))
			peft_buf_printf(b, ":%.9g", p->valuedouble);
	}
	if (b->len == 0)
		return peft_seterr(err, "adapter: there is nothing in it");
	return b->failed ? peft_seterr(err, "no memory") : 0;
}

static int
combination(const struct choice *c, const cJSON *v, int *adapter,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r = 1;

	if (spec_of(v, &b, err) == -1)
		r = -1;
	else if ((*adapter = peft_session_combination(c->ses, b.data)) == -1 &&
	    !c->make)
		r = 0;
	else if (*adapter == -1) {
		*adapter = peft_session_combine(c->ses, NULL, b.data, err);
		*c->changed = true;
		r = *adapter == -1 ? -1 : 1;
	}
	peft_buf_free(&b);
	return r;
}

/* A value of "adapter": 1 and the number, 0, -1. */
static int
choose(const struct choice *c, const cJSON *v, int *adapter,
    struct peft_err *err)
{
	*adapter = -1;
	if (v == NULL || cJSON_IsNull(v))
		return 1;
	if (cJSON_IsArray(v) || cJSON_IsObject(v))
		return combination(c, v, adapter, err);
	if (!cJSON_IsString(v))
		return peft_seterr(err, "adapter is no name");
	if (strcmp(v->valuestring, "base") == 0)
		return 1;
	*adapter = peft_session_find(c->ses, v->valuestring, err);
	return *adapter == -1 ? -1 : 1;
}

/* The first one there is. */
static int
first(const struct peft_session *ses)
{
	size_t i;

	for (i = 0; i < ses->nadapters; i++)
		if (ses->adapters[i].name != NULL)
			return (int)i;
	return -1;
}

/* [[FROM, ADAPTER], ...]; FROM below 0 counts from the prompt's end. */
static int
stretches(const struct choice *c, const cJSON *list, struct peft_prompt *p,
    struct peft_err *err)
{
	const cJSON *pair;
	int r = 1, n = (int)p->record.n;

	cJSON_ArrayForEach(pair, list) {
		const cJSON *from = cJSON_GetArrayItem(pair, 0);
		struct peft_stretch *s = &p->stretch[p->nstretch];
		int at;

		if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 ||
		    !cJSON_IsNumber(from) ||
		    from->valuedouble != from->valueint)
			return peft_seterr(err, "adapters is not [[TOKEN, "
			    "ADAPTER], ...]");
		at = from->valueint < 0 ? from->valueint + n : from->valueint;
		if (p->nstretch == PEFT_MAXSTRETCH)
			return peft_seterr(err, "adapters: more than %d "
			    "stretches", PEFT_MAXSTRETCH);
		if (p->nstretch == 0 ? at != 0 : at < 0 || (size_t)at <=
		    s[-1].from)
			return peft_seterr(err, "adapters: stretches begin at "
			    "token 0 and ascend; this one is at %d", at);
		if ((r = choose(c, pair->child->next, &s->adapter, err)) != 1)
			return r;
		s->from = (size_t)at;
		p->nstretch++;
	}
	return p->nstretch > 0 ? 1 : peft_seterr(err, "adapters is empty");
}

int
peft_prompt_adapters(const cJSON *j, struct peft_session *ses, bool make,
    struct peft_prompt *p, bool *changed, struct peft_err *err)
{
	const struct choice c = { ses, make, changed };
	const cJSON *one = peft_json_get(j, "adapter");
	const cJSON *list = peft_json_get(j, "adapters");

	p->nstretch = 0;
	if (list != NULL && one != NULL)
		return peft_seterr(err, "adapter and adapters exclude each "
		    "other");
	if (list != NULL && !cJSON_IsArray(list))
		return peft_seterr(err, "adapters is not [[TOKEN, ADAPTER], "
		    "...]");
	if (list != NULL)
		return stretches(&c, list, p, err);
	p->nstretch = 1;
	p->stretch[0] = (struct peft_stretch){ 0, first(ses) };
	return one == NULL ? 1 : choose(&c, one, &p->stretch[0].adapter, err);
}
