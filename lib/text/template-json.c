/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: values as Python's json.dumps() writes them. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja-print.h"

struct dumper {
	struct jj_render	*r;
	const struct jj_dumps	*how;
	struct jj_text		 t;
};

static void
put(struct dumper *d, const char *s)
{
	peft_jj_put(&d->t, s, strlen(s), 0);
}

/* \n, \u0007, "\ud83d\udc4b" */
static void
put_escape(struct dumper *d, unsigned cp, int mark)
{
	static const char names[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	const char *name;
	char text[16];

	for (name = names; *name != '\0'; name += 2)
		if ((unsigned)*name == cp)
			break;
	if (*name != '\0')
		snprintf(text, sizeof(text), "\\%c", name[1]);
	else if (cp < 0x10000)
		snprintf(text, sizeof(text), "\\u%04x", cp);
	else
		snprintf(text, sizeof(text), "\\u%04x\\u%04x",
		    0xd800 + ((cp - 0x10000) >> 10),
		    0xdc00 + ((cp - 0x10000) & 0x3ff));
	peft_jj_put(&d->t, text, strlen(text), mark);
}

static void
put_string(struct dumper *d, const struct jj_value *v)
{
	struct jj_char c;
	size_t i;

	put(d, "\"");
	for (i = 0; i < v->n; i += c.len) {
		c = peft_jj_char(v, i);
		if (c.cp < 0x20 || c.cp == '"' || c.cp == '\\' ||
		    (d->how->ascii && c.cp > 0x7e))
			put_escape(d, c.cp, c.mark);
		else
			peft_jj_put(&d->t, v->s + i, c.len, c.mark);
	}
	put(d, "\"");
}

static void
put_newline(struct dumper *d, int depth)
{
	if (d->how->indent == NULL)
		return;
	put(d, "\n");
	while (depth-- > 0)
		put(d, d->how->indent);
}

/* None, bools and numbers, which may also be keys. */
static bool
put_simple(struct dumper *d, const struct jj_value *v)
{
	static const struct jj_words json = { "null", "true", "false", "NaN",
	    "Infinity", "-Infinity" };

	return peft_jj_put_simple(&d->t, v, &json);
}

static int dump(struct dumper *, const struct jj_value *, int depth);

static int
dump_list(struct dumper *d, const struct jj_value *v, int depth)
{
	size_t i;

	put(d, "[");
	for (i = 0; i < v->n; i++) {
		if (i > 0)
			put(d, d->how->comma);
		put_newline(d, depth + 1);
		if (dump(d, &v->items[i], depth + 1) == -1)
			return -1;
	}
	if (v->n > 0)
		put_newline(d, depth);
	put(d, "]");
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const struct jj_value *x = *(const struct jj_value *const *)a;
	const struct jj_value *y = *(const struct jj_value *const *)b;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n == 0 ? 0 : memcmp(x->s, y->s, n);

	return c != 0 ? c : x->n < y->n ? -1 : x->n > y->n;
}

/* Keys in the order asked for; NULL with an error set. */
static const struct jj_value **
order(struct dumper *d, const struct jj_dict *dict)
{
	const struct jj_value **keys = peft_jj_alloc(&d->r->pool,
	    (dict->n + 1) * sizeof(struct jj_value *));
	size_t i;

	if (keys == NULL) {
		peft_jj_nomem(d->r);
		return NULL;
	}
	for (i = 0; i < dict->n; i++) {
		keys[i] = &dict->keys[i];
		if (d->how->sort && keys[i]->kind != JJ_STR) {
			peft_jj_fail(d->r, "keys that are no strings cannot "
			    "be sorted");
			return NULL;
		}
	}
	if (d->how->sort)
		qsort(keys, dict->n, sizeof(*keys), by_key);
	return keys;
}

static int
dump_key(struct dumper *d, const struct jj_value *key)
{
	if (key->kind == JJ_STR) {
		put_string(d, key);
		return 0;
	}
	put(d, "\"");
	if (!put_simple(d, key))
		return peft_jj_fail(d->r, "%s as a key of JSON",
		    peft_jj_kind_name(key));
	put(d, "\"");
	return 0;
}

static int
dump_dict(struct dumper *d, const struct jj_dict *dict, int depth)
{
	const struct jj_value **keys = order(d, dict);
	size_t i;

	if (keys == NULL)
		return -1;
	put(d, "{");
	for (i = 0; i < dict->n; i++) {
		if (i > 0)
			put(d, d->how->comma);
		put_newline(d, depth + 1);
		if (dump_key(d, keys[i]) == -1)
			return -1;
		put(d, d->how->colon);
		if (dump(d, &dict->values[keys[i] - dict->keys],
		    depth + 1) == -1)
			return -1;
	}
	if (dict->n > 0)
		put_newline(d, depth);
	put(d, "}");
	return 0;
}

static int
dump(struct dumper *d, const struct jj_value *v, int depth)
{
	int s = 0;

	if (peft_jj_enter(d->r, &d->t) == -1)
		return -1;
	if (v->kind == JJ_STR)
		put_string(d, v);
	else if (v->kind == JJ_LIST && v->form == JJ_OWN)
		s = dump_list(d, v, depth);
	else if (v->kind == JJ_DICT)
		s = dump_dict(d, v->dict, depth);
	else if (!put_simple(d, v))
		s = peft_jj_fail(d->r, "%s as JSON", peft_jj_kind_name(v));
	d->r->depth--;
	return s;
}

int
peft_jj_tojson(struct jj_render *r, const struct jj_value *v,
    const struct jj_dumps *how, struct jj_value *out)
{
	struct dumper d = { .r = r, .how = how };

	if (dump(&d, v, 0) == -1) {
		peft_jj_text_free(&d.t);
		return -1;
	}
	return peft_jj_take(r, &d.t, out);
}
