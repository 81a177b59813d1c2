/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: memory and values. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

struct jj_block {
	struct jj_block	*next;
	size_t		 used, size;
	char		 data[];
};

enum { FIRST = 1 << 12, BLOCK = 1 << 16, ALIGN = 16 };

void *
peft_jj_alloc(struct jj_pool *p, size_t n)
{
	struct jj_block *b = p->blocks;
	size_t size;
	void *at;

	if (p->failed || n > p->limit) {
		p->failed = true;
		return NULL;
	}
	n = (n + ALIGN - 1) / ALIGN * ALIGN;
	if (b == NULL || b->size - b->used < n) {
		/* a chat of a few turns needs little, and it is cleared */
		size = b == NULL ? FIRST : b->size < BLOCK ? b->size * 2 :
		    BLOCK;
		size = n > size ? n : size;
		p->used += size;
		if (p->used > p->limit ||
		    (b = calloc(1, sizeof(*b) + size)) == NULL) {
			p->failed = true;
			return NULL;
		}
		b->size = size;
		b->next = p->blocks;
		p->blocks = b;
	}
	at = b->data + b->used;
	b->used += n;
	return at;
}

char *
peft_jj_copy(struct jj_pool *p, const char *s, size_t n)
{
	char *c = peft_jj_alloc(p, n + 1);

	if (c != NULL && n > 0)
		memcpy(c, s, n);
	return c;
}

void
peft_jj_pool_free(struct jj_pool *p)
{
	struct jj_block *b, *next;

	for (b = p->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	p->blocks = NULL;
}

const struct jj_value peft_jj_undefined = { .kind = JJ_UNDEFINED };
const struct jj_value peft_jj_none = { .kind = JJ_NONE };

struct jj_value
peft_jj_str(const char *s, size_t n, const unsigned char *mark)
{
	struct jj_value v = { .kind = JJ_STR, .n = n };

	v.s = s;
	v.mark = mark;
	return v;
}

struct jj_value
peft_jj_cstr(const char *s)
{
	return peft_jj_str(s, strlen(s), NULL);
}

struct jj_value
peft_jj_bool(bool b)
{
	return (struct jj_value){ .kind = JJ_BOOL, .b = b };
}

struct jj_value
peft_jj_int(int64_t i)
{
	return (struct jj_value){ .kind = JJ_INT, .i = i };
}

struct jj_value
peft_jj_real(double f)
{
	return (struct jj_value){ .kind = JJ_FLOAT, .f = f };
}

struct jj_value
peft_jj_list(struct jj_pool *p, size_t n)
{
	struct jj_value v = { .kind = JJ_LIST, .n = n };

	if (n >= p->limit / sizeof(v))
		p->failed = true;
	v.items = p->failed ? NULL : peft_jj_alloc(p, (n + 1) * sizeof(v));
	if (v.items == NULL)
		v.n = 0;
	return v;
}

struct jj_value
peft_jj_dict(struct jj_pool *p, enum jj_kind kind)
{
	struct jj_value v = { .kind = kind };

	if ((v.dict = peft_jj_alloc(p, sizeof(*v.dict))) == NULL)
		v.kind = JJ_NONE;
	return v;
}

const struct jj_value *
peft_jj_dict_find(const struct jj_dict *d, const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->keys[i].kind == JJ_STR && d->keys[i].n == len &&
		    memcmp(d->keys[i].s, key, len) == 0)
			return &d->values[i];
	return NULL;
}

int
peft_jj_dict_get(struct jj_render *r, const struct jj_dict *d,
    const struct jj_value *key, const struct jj_value **out)
{
	bool same;
	size_t i;

	*out = NULL;
	if (key->kind == JJ_STR) {
		*out = peft_jj_dict_find(d, key->s, key->n);
		return peft_jj_spend(r, d->n);
	}
	for (i = 0; i < d->n; i++) {
		if (peft_jj_equal(r, &d->keys[i], key, &same) == -1)
			return -1;
		if (same) {
			*out = &d->values[i];
			return 0;
		}
	}
	return 0;
}

static bool
add_pair(struct jj_pool *p, struct jj_dict *d, const struct jj_value *key,
    const struct jj_value *value)
{
	struct jj_value *keys, *values;
	size_t cap;

	if (d->n == d->cap) {
		cap = d->cap * 2 + 4;
		keys = peft_jj_alloc(p, cap * sizeof(*key));
		values = peft_jj_alloc(p, cap * sizeof(*key));
		if (keys == NULL || values == NULL)
			return false;
		if (d->n > 0) {
			memcpy(keys, d->keys, d->n * sizeof(*key));
			memcpy(values, d->values, d->n * sizeof(*key));
		}
		d->keys = keys;
		d->values = values;
		d->cap = cap;
	}
	d->keys[d->n] = *key;
	d->values[d->n++] = *value;
	return true;
}

int
peft_jj_dict_set(struct jj_render *r, struct jj_dict *d,
    const struct jj_value *key, const struct jj_value *value)
{
	const struct jj_value *old;

	if (key->kind == JJ_LIST && !key->tuple)
		return peft_jj_fail(r, "a list cannot be a key");
	if (key->kind == JJ_DICT)
		return peft_jj_fail(r, "a dict cannot be a key");
	if (peft_jj_dict_get(r, d, key, &old) == -1)
		return -1;
	if (old != NULL)
		d->values[old - d->values] = *value;
	else if (!add_pair(&r->pool, d, key, value))
		return peft_jj_nomem(r);
	return 0;
}

#define ONES_8	JJ_USER, JJ_USER, JJ_USER, JJ_USER, JJ_USER, JJ_USER, \
		JJ_USER, JJ_USER
#define ONES_64	ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8, ONES_8
#define ONES_512 ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, ONES_64, \
		ONES_64, ONES_64

/* A caller's string: every byte of it is marked; short ones share the marks,
 * which nobody changes. */
static int
user_string(struct jj_render *r, const char *s, struct jj_value *out)
{
	static const unsigned char ones[] = { ONES_512, ONES_512 };
	size_t n = strlen(s);
	unsigned char *mark;
	char *own;

	if (memchr(s, 0xc0, n) != NULL) {	/* see peft_json_said() */
		if ((own = peft_jj_copy(&r->pool, s, n)) == NULL)
			return peft_jj_nomem(r);
		n = peft_json_nuls(own, n);
		s = own;
	}
	if (n <= sizeof(ones)) {
		*out = peft_jj_str(s, n, ones);
		return 0;
	}
	if ((mark = peft_jj_alloc(&r->pool, n + 1)) == NULL)
		return peft_jj_nomem(r);
	memset(mark, JJ_USER, n);
	*out = peft_jj_str(s, n, mark);
	return 0;
}

/* Python tells 1 from 1.0; json.h keeps the spelling where it matters. */
static int
number(struct jj_render *r, const cJSON *j, struct jj_value *out)
{
	const char *s = j->valuestring;
	char *end;

	if (s == NULL && j->valuedouble == floor(j->valuedouble) &&
	    fabs(j->valuedouble) < 0x1p53)
		*out = peft_jj_int((int64_t)j->valuedouble);
	else if (s == NULL || strpbrk(s, ".eE") != NULL)
		*out = peft_jj_real(j->valuedouble);
	else {
		errno = 0;
		*out = peft_jj_int(strtoll(s, &end, 10));
		if (errno != 0 || *end != '\0')
			return peft_jj_fail(r, "%.40s is too large a number",
			    s);
	}
	return 0;
}

static int
container(struct jj_render *r, const cJSON *j, struct jj_value *out)
{
	struct jj_value key, value;
	const cJSON *e;
	size_t i = 0;

	if (cJSON_IsArray(j)) {
		*out = peft_jj_list(&r->pool, (size_t)cJSON_GetArraySize(j));
		cJSON_ArrayForEach(e, j)
			if (i == out->n || peft_jj_of_json(r, e,
			    &out->items[i++]) == -1)
				return peft_jj_nomem(r);
		return 0;
	}
	*out = peft_jj_dict(&r->pool, JJ_DICT);
	if (out->kind == JJ_NONE)
		return peft_jj_nomem(r);
	cJSON_ArrayForEach(e, j)	/* whose keys are all different */
		if (user_string(r, e->string, &key) == -1 ||
		    peft_jj_of_json(r, e, &value) == -1 ||
		    !add_pair(&r->pool, out->dict, &key, &value))
			return peft_jj_nomem(r);
	return 0;
}

int
peft_jj_of_json(struct jj_render *r, const cJSON *j, struct jj_value *out)
{
	if (cJSON_IsString(j))
		return user_string(r, j->valuestring, out);
	if (cJSON_IsNumber(j))
		return number(r, j, out);
	if (cJSON_IsArray(j) || cJSON_IsObject(j))
		return container(r, j, out);
	*out = cJSON_IsBool(j) ? peft_jj_bool(cJSON_IsTrue(j)) : peft_jj_none;
	return 0;
}

bool
peft_jj_is_number(const struct jj_value *v, double *d)
{
	*d = v->kind == JJ_INT ? (double)v->i : v->kind == JJ_BOOL ? v->b :
	    v->kind == JJ_FLOAT ? v->f : 0;
	return v->kind == JJ_INT || v->kind == JJ_BOOL || v->kind == JJ_FLOAT;
}

/* Python counts True as 1. */
bool
peft_jj_is_whole(const struct jj_value *v, int64_t *i)
{
	*i = v->kind == JJ_INT ? v->i : v->kind == JJ_BOOL ? v->b : 0;
	return v->kind == JJ_INT || v->kind == JJ_BOOL;
}

bool
peft_jj_truth(const struct jj_value *v)
{
	double d;

	if (peft_jj_is_number(v, &d))
		return d != 0;
	if (v->kind == JJ_STR || v->kind == JJ_LIST)
		return v->n > 0 || v->form == JJ_GENERATOR;
	if (v->kind == JJ_DICT)
		return v->dict->n > 0;
	return v->kind != JJ_UNDEFINED && v->kind != JJ_NONE;
}

const char *
peft_jj_kind_name(const struct jj_value *v)
{
	static const char *const names[JJ_NKIND] = { "something undefined",
	    "None", "a bool", "an int", "a float", "a str", "a list",
	    "a dict", "a namespace", "a loop", "a macro", "a method",
	    "a function",
	    "a cycler" };

	return v->form != JJ_OWN ? "something that is no list" :
	    names[v->kind];
}
