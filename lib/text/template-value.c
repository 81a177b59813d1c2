/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: memory and values. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

struct jj_block {
	struct jj_block	*next;
	size_t		 used, size;
	char		 data[];
};

enum { BLOCK = 1 << 16, ALIGN = 16 };

void *
jj_alloc(struct jj_pool *p, size_t n)
{
	struct jj_block *b = p->blocks;
	size_t size;
	void *at;

	n = (n + ALIGN - 1) / ALIGN * ALIGN;
	if (b == NULL || b->size - b->used < n) {
		size = n > BLOCK ? n : BLOCK;
		p->used += size;
		if (p->failed || p->used > p->limit ||
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
jj_copy(struct jj_pool *p, const char *s, size_t n)
{
	char *c = jj_alloc(p, n + 1);

	if (c != NULL && n > 0)
		memcpy(c, s, n);
	return c;
}

void
jj_pool_free(struct jj_pool *p)
{
	struct jj_block *b, *next;

	for (b = p->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	p->blocks = NULL;
}

struct jj_value
jj_str(const char *s, size_t n, const unsigned char *mark)
{
	struct jj_value v = { .kind = JJ_STR, .n = n };

	v.s = s;
	v.mark = mark;
	return v;
}

struct jj_value
jj_cstr(const char *s)
{
	return jj_str(s, strlen(s), NULL);
}

struct jj_value
jj_bool(bool b)
{
	return (struct jj_value){ .kind = JJ_BOOL, .b = b };
}

struct jj_value
jj_int(int64_t i)
{
	return (struct jj_value){ .kind = JJ_INT, .i = i };
}

struct jj_value
jj_list(struct jj_pool *p, size_t n)
{
	struct jj_value v = { .kind = JJ_LIST, .n = n };

	v.items = jj_alloc(p, (n + 1) * sizeof(v));
	if (v.items == NULL)
		v.n = 0;
	return v;
}

const struct jj_value *
jj_dict_get(const struct jj_dict *d, const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (d->keys[i].kind == JJ_STR && d->keys[i].n == len &&
		    memcmp(d->keys[i].s, key, len) == 0)
			return &d->values[i];
	return NULL;
}

void
jj_dict_set(struct jj_pool *p, struct jj_dict *d, struct jj_value key,
    struct jj_value value)
{
	struct jj_value *keys, *values;
	size_t i, cap;

	for (i = 0; i < d->n; i++)
		if (jj_equal(&d->keys[i], &key)) {
			d->values[i] = value;
			return;
		}
	if (d->n == d->cap) {
		cap = d->cap * 2 + 4;
		keys = jj_alloc(p, cap * sizeof(key));
		values = jj_alloc(p, cap * sizeof(key));
		if (keys == NULL || values == NULL)
			return;
		if (d->n > 0) {
			memcpy(keys, d->keys, d->n * sizeof(key));
			memcpy(values, d->values, d->n * sizeof(key));
		}
		d->keys = keys;
		d->values = values;
		d->cap = cap;
	}
	d->keys[d->n] = key;
	d->values[d->n++] = value;
}

/* A caller's string: every byte of it is marked. */
static struct jj_value
marked(struct jj_pool *p, const char *s)
{
	size_t n = strlen(s);
	unsigned char *mark = jj_alloc(p, n + 1);

	if (mark != NULL)
		memset(mark, 1, n);
	return jj_str(s, n, mark);
}

struct jj_value
jj_of_json(struct jj_pool *p, const cJSON *j)
{
	struct jj_value v = { .kind = JJ_NONE };
	const cJSON *e;
	size_t i = 0;

	if (cJSON_IsBool(j))
		return jj_bool(cJSON_IsTrue(j));
	if (cJSON_IsNumber(j)) {
		if (j->valuedouble == floor(j->valuedouble) &&
		    fabs(j->valuedouble) < 0x1p53)
			return jj_int((int64_t)j->valuedouble);
		return (struct jj_value){ .kind = JJ_FLOAT,
		    .f = j->valuedouble };
	}
	if (cJSON_IsString(j))
		return marked(p, j->valuestring);
	if (cJSON_IsArray(j)) {
		v = jj_list(p, (size_t)cJSON_GetArraySize(j));
		cJSON_ArrayForEach(e, j)
			if (i < v.n)
				v.items[i++] = jj_of_json(p, e);
	} else if (cJSON_IsObject(j)) {
		v.kind = JJ_DICT;
		v.dict = jj_alloc(p, sizeof(*v.dict));
		cJSON_ArrayForEach(e, j)
			if (v.dict != NULL)
				jj_dict_set(p, v.dict, marked(p, e->string),
				    jj_of_json(p, e));
		if (v.dict == NULL)
			v.kind = JJ_NONE;
	}
	return v;
}

bool
jj_truth(const struct jj_value *v)
{
	switch (v->kind) {
	case JJ_UNDEFINED:
	case JJ_NONE:
		return false;
	case JJ_BOOL:
		return v->b;
	case JJ_INT:
		return v->i != 0;
	case JJ_FLOAT:
		return v->f != 0;
	case JJ_STR:
	case JJ_LIST:
		return v->n > 0;
	case JJ_DICT:
		return v->dict->n > 0;
	default:
		return true;
	}
}

/* Python counts True as 1. */
static bool
number(const struct jj_value *v, double *d)
{
	if (v->kind == JJ_INT)
		*d = (double)v->i;
	else if (v->kind == JJ_BOOL)
		*d = v->b;
	else if (v->kind == JJ_FLOAT)
		*d = v->f;
	else
		return false;
	return true;
}

bool
jj_equal(const struct jj_value *a, const struct jj_value *b)
{
	double x, y;
	size_t i;

	if (number(a, &x) && number(b, &y))
		return x == y;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JJ_STR:
		return a->n == b->n && memcmp(a->s, b->s, a->n) == 0;
	case JJ_LIST:
		for (i = 0; a->n == b->n && i < a->n; i++)
			if (!jj_equal(&a->items[i], &b->items[i]))
				return false;
		return a->n == b->n;
	case JJ_DICT:
		for (i = 0; a->dict->n == b->dict->n && i < a->dict->n; i++) {
			const struct jj_value *k = &a->dict->keys[i], *v;

			v = k->kind != JJ_STR ? NULL :
			    jj_dict_get(b->dict, k->s, k->n);
			if (v == NULL || !jj_equal(&a->dict->values[i], v))
				return false;
		}
		return a->dict->n == b->dict->n;
	case JJ_UNDEFINED:
	case JJ_NONE:
		return true;
	default:
		return false;
	}
}

int
jj_compare(const struct jj_value *a, const struct jj_value *b, bool *ok)
{
	double x, y;
	size_t n;
	int c;

	*ok = true;
	if (number(a, &x) && number(b, &y))
		return x < y ? -1 : x > y;
	if (a->kind == JJ_STR && b->kind == JJ_STR) {
		n = a->n < b->n ? a->n : b->n;
		c = n == 0 ? 0 : memcmp(a->s, b->s, n);
		return c != 0 ? c : a->n < b->n ? -1 : a->n > b->n;
	}
	*ok = false;
	return 0;
}

struct jj_value
jj_concat(struct jj_pool *p, const struct jj_value *a,
    const struct jj_value *b)
{
	size_t n = a->n + b->n;
	char *s = jj_alloc(p, n + 1);
	unsigned char *mark = NULL;

	if (s == NULL)
		return jj_cstr("");
	memcpy(s, a->s, a->n);
	memcpy(s + a->n, b->s, b->n);
	if ((a->mark != NULL || b->mark != NULL) &&
	    (mark = jj_alloc(p, n + 1)) != NULL) {
		if (a->mark != NULL)
			memcpy(mark, a->mark, a->n);
		if (b->mark != NULL)
			memcpy(mark + a->n, b->mark, b->n);
	}
	return jj_str(s, n, mark);
}

struct jj_value
jj_sub(const struct jj_value *v, size_t from, size_t to)
{
	return jj_str(v->s + from, to - from,
	    v->mark == NULL ? NULL : v->mark + from);
}

const char *
jj_kind_name(const struct jj_value *v)
{
	static const char *const names[] = { "undefined", "None", "bool",
	    "int", "float", "str", "list", "dict", "macro", "method",
	    "function" };

	return names[v->kind];
}
