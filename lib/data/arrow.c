/* SPDX-License-Identifier: Apache-2.0 */
/* Values of Arrow's columns as JSON: which types there are, what nests. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/arrow-impl.h"

struct type {
	const char		*format;
	bool			 more;	/* what follows says it in detail */
	peft_arrow_putter	*put;
	int			 size;	/* what the putter makes of it */
};

static peft_arrow_putter put_bool, put_text, put_view, put_fixed, put_struct,
    put_list, put_fixed_list, put_map;

static int
put_null(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	(void)v;
	(void)err;
	peft_buf_puts(b, "null");
	return 0;
}

/* Bytes may be text that nobody called so; put_string() finds out. */
static const struct type types[] = {
	{ "n", false, put_null, 0 },
	{ "b", false, put_bool, 0 },
	{ "c", false, peft_arrow_int, -1 },
	{ "C", false, peft_arrow_int, 1 },
	{ "s", false, peft_arrow_int, -2 },
	{ "S", false, peft_arrow_int, 2 },
	{ "i", false, peft_arrow_int, -4 },
	{ "I", false, peft_arrow_int, 4 },
	{ "l", false, peft_arrow_int, -8 },
	{ "L", false, peft_arrow_int, 8 },
	{ "e", false, peft_arrow_real, 2 },
	{ "f", false, peft_arrow_real, 4 },
	{ "g", false, peft_arrow_real, 8 },
	{ "d:", true, peft_arrow_decimal, 0 },
	{ "u", false, put_text, -4 },
	{ "U", false, put_text, -8 },
	{ "vu", false, put_view, 0 },
	{ "z", false, put_text, -4 },
	{ "Z", false, put_text, -8 },
	{ "vz", false, put_view, 0 },
	{ "w:", true, put_fixed, 0 },
	{ "tdD", false, peft_arrow_day, 0 },
	{ "tdm", false, peft_arrow_day, 1000 },
	{ "tts", false, peft_arrow_clock, 1 },
	{ "ttm", false, peft_arrow_clock, 1000 },
	{ "ttu", false, peft_arrow_clock, 1000000 },
	{ "ttn", false, peft_arrow_clock, 1000000000 },
	{ "tss:", true, peft_arrow_instant, 1 },
	{ "tsm:", true, peft_arrow_instant, 1000 },
	{ "tsu:", true, peft_arrow_instant, 1000000 },
	{ "tsn:", true, peft_arrow_instant, 1000000000 },
	{ "+s", false, put_struct, 0 },
	{ "+l", false, put_list, -4 },
	{ "+L", false, put_list, -8 },
	{ "+w:", true, put_fixed_list, 0 },
	{ "+m", false, put_map, -4 },
};

static const struct type *
type_of(const char *format)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].more ? strncmp(format, types[i].format,
		    strlen(types[i].format)) == 0 :
		    strcmp(format, types[i].format) == 0)
			return &types[i];
	return NULL;
}

static bool
bit(const void *bits, int64_t i)
{
	return ((const uint8_t *)bits)[i / 8] >> (i % 8) & 1;
}

int
peft_arrow_null(const struct ArrowSchema *s, const struct ArrowArray *a,
    int64_t i)
{
	return strcmp(s->format, "n") == 0 || (a->n_buffers > 0 &&
	    a->buffers[0] != NULL && !bit(a->buffers[0], a->offset + i));
}

static int
check(const struct ArrowSchema *s, int depth, struct peft_err *err)
{
	size_t scale, words;
	int64_t i;
	int r = 0;

	if (depth > PEFT_JSON_DEPTH)
		return peft_seterr(err, "nested deeper than %d",
		    PEFT_JSON_DEPTH);
	if (!peft_utf8_all(s->name, strlen(s->name)))
		return peft_seterr(err, "a name that is not UTF-8");
	if (s->dictionary != NULL)
		return check(s->dictionary, depth + 1, err);
	if (type_of(s->format) == NULL || (strncmp(s->format, "d:", 2) == 0 &&
	    peft_arrow_scale(s->format, &scale, &words) == -1))
		return peft_seterr(err, "values of Arrow's type '%.40s' have "
		    "no form in JSON: leave them out with --columns",
		    s->format);
	for (i = 0; r == 0 && i < s->n_children; i++)
		if ((r = check(s->children[i], depth + 1, err)) == -1)
			peft_errprefix(err, "\"%.60s\"", s->children[i]->name);
	return r;
}

int
peft_arrow_check(const struct ArrowSchema *s, struct peft_err *err)
{
	return check(s, 0, err);
}

static int
put_bool(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	(void)err;
	peft_buf_puts(b, bit(v->array->buffers[1], v->i) ? "true" : "false");
	return 0;
}

static int
put_string(struct peft_buf *b, const char *s, size_t len, struct peft_err *err)
{
	if (!peft_utf8_all(s, len))
		return peft_seterr(err, "holds bytes that are not UTF-8, and "
		    "so no text: leave it out with --columns");
	peft_json_putstr(b, s, len);
	return 0;
}

/* Offset i of a list or string: 4 or 8 bytes each. */
static int64_t
offset(const struct peft_arrow_value *v, int64_t i)
{
	struct peft_arrow_value at = *v;

	at.i = v->i + i;
	return peft_arrow_whole(&at);
}

static int
put_text(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	const char *data = v->array->buffers[2];
	int64_t from = offset(v, 0), to = offset(v, 1);

	return put_string(b, from == to ? "" : data + from,
	    (size_t)(to - from), err);
}

/* Strings by views: 16 bytes each, the length first; up to 12 bytes stand in
 * the view, of more the number of their buffer and their place in it. */
static int
put_view(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	const char *at = (const char *)v->array->buffers[1] + 16 * v->i;
	int32_t view[4];

	memcpy(view, at, sizeof(view));
	at = view[0] <= 12 ? at + 4 : (const char *)v->array->buffers[2 +
	    view[2]] + view[3];
	return put_string(b, at, (size_t)view[0], err);
}

static int
put_fixed(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	size_t len = strtoul(v->schema->format + 2, NULL, 10);

	return put_string(b, (const char *)v->array->buffers[1] +
	    (size_t)v->i * len, len, err);
}

static int
put_field(struct peft_buf *b, const struct ArrowSchema *s,
    const struct ArrowArray *a, int64_t i, struct peft_err *err)
{
	peft_json_putstr(b, s->name, strlen(s->name));
	peft_buf_putc(b, ':');
	return peft_arrow_put(b, s, a, i, err) == -1 ?
	    peft_errprefix(err, "\"%.60s\"", s->name) : 0;
}

/* Not where it is null: a column that few rows have is null in all others. */
static int
put_struct(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	const struct ArrowSchema *s;
	const struct ArrowArray *a;
	bool any = false;
	int64_t k;

	peft_buf_putc(b, '{');
	for (k = 0; k < v->schema->n_children; k++) {
		s = v->schema->children[k];
		a = v->array->children[k];
		if (peft_arrow_null(s, a, v->i))
			continue;
		if (any)
			peft_buf_putc(b, ',');
		any = true;
		if (put_field(b, s, a, v->i, err) == -1)
			return -1;
	}
	peft_buf_putc(b, '}');
	return 0;
}

static int
put_elements(struct peft_buf *b, const struct peft_arrow_value *v,
    int64_t from, int64_t to, struct peft_err *err)
{
	int64_t i;

	peft_buf_putc(b, '[');
	for (i = from; i < to; i++) {
		if (i > from)
			peft_buf_putc(b, ',');
		if (peft_arrow_put(b, v->schema->children[0],
		    v->array->children[0], i, err) == -1)
			return -1;
	}
	peft_buf_putc(b, ']');
	return 0;
}

static int
put_list(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	return put_elements(b, v, offset(v, 0), offset(v, 1), err);
}

static int
put_fixed_list(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	int64_t n = strtoll(v->schema->format + 3, NULL, 10);

	return put_elements(b, v, v->i * n, (v->i + 1) * n, err);
}

/* A list of structures of a key and a value. */
static int
put_map(struct peft_buf *b, const struct peft_arrow_value *v,
    struct peft_err *err)
{
	const struct ArrowSchema *s = v->schema->children[0];
	const struct ArrowArray *a = v->array->children[0];
	int64_t i, from = offset(v, 0), to = offset(v, 1);

	if (strchr("uU", s->children[0]->format[0]) == NULL)
		return put_elements(b, v, from, to, err);
	peft_buf_putc(b, '{');
	for (i = from; i < to; i++) {
		if (i > from)
			peft_buf_putc(b, ',');
		if (peft_arrow_put(b, s->children[0], a->children[0],
		    i + a->offset, err) == -1)
			return peft_errprefix(err, "a key");
		peft_buf_putc(b, ':');
		if (peft_arrow_put(b, s->children[1], a->children[1],
		    i + a->offset, err) == -1)
			return -1;
	}
	peft_buf_putc(b, '}');
	return 0;
}

int
peft_arrow_put(struct peft_buf *b, const struct ArrowSchema *s,
    const struct ArrowArray *a, int64_t i, struct peft_err *err)
{
	const struct type *type = type_of(s->format);
	struct peft_arrow_value v = { s, a, a->offset + i, type == NULL ? 0 :
	    type->size };

	if (type == NULL || peft_arrow_null(s, a, i))
		return put_null(b, &v, err);
	if (s->dictionary != NULL)
		return peft_arrow_put(b, s->dictionary, a->dictionary,
		    peft_arrow_whole(&v), err);
	return type->put(b, &v, err);
}
