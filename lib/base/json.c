/* SPDX-License-Identifier: Apache-2.0 */
/* The door to cJSON: typed look-ups, exact writing. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

const cJSON *
peft_json_get(const cJSON *object, const char *key)
{
	const cJSON *e;

	/* what cJSON's own look-up does, for the many that are made of each
	 * record: most keys differ in their first character */
	cJSON_ArrayForEach(e, object)
		if (e->string != NULL && e->string[0] == key[0] &&
		    strcmp(e->string, key) == 0)
			return e;
	return NULL;
}

size_t
peft_json_nuls(char *s, size_t n)
{
	char *from = memchr(s, 0xc0, n), *end = s + n, *to = from;

	while (from != NULL && from < end)
		if ((unsigned char)*from == 0xc0) {
			*to++ = '\0';
			from += 2;
		} else
			*to++ = *from++;
	return to == NULL ? n : (size_t)(to - s);
}

/* 1 it is there and not null, 0 otherwise. */
static int
present(const cJSON *object, const char *key, const cJSON **out)
{
	*out = peft_json_get(object, key);
	return *out != NULL && !cJSON_IsNull(*out);
}

cJSON *
peft_json_word(const char *s)
{
	struct peft_err none;
	cJSON *v = peft_json(s, strlen(s), &none);

	return v != NULL ? v : cJSON_CreateString(s);
}

void
peft_json_set(cJSON *object, const char *key, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(object, key);
	cJSON_AddItemToObject(object, key, value);
}

bool
peft_json_off(const cJSON *j)
{
	if (j == NULL || cJSON_IsNull(j) || cJSON_IsFalse(j))
		return true;
	if (cJSON_IsNumber(j))
		return j->valuedouble == 0;
	if (cJSON_IsString(j))
		return j->valuestring[0] == '\0';
	return (cJSON_IsArray(j) || cJSON_IsObject(j)) && j->child == NULL;
}

int
peft_json_str(const cJSON *object, const char *key, const char **out,
    struct peft_err *err)
{
	const cJSON *v;

	if (!present(object, key, &v))
		return 0;
	if (!cJSON_IsString(v))
		return peft_seterr(err, "\"%s\" is not a string", key);
	*out = v->valuestring;
	return 1;
}

int
peft_json_bool(const cJSON *object, const char *key, bool *out,
    struct peft_err *err)
{
	const cJSON *v;

	if (!present(object, key, &v))
		return 0;
	if (!cJSON_IsBool(v))
		return peft_seterr(err, "\"%s\" is not true or false", key);
	*out = cJSON_IsTrue(v);
	return 1;
}

int
peft_json_real(const cJSON *object, const char *key, double *out,
    struct peft_err *err)
{
	const cJSON *v;

	if (!present(object, key, &v))
		return 0;
	if (!cJSON_IsNumber(v) || !isfinite(v->valuedouble))
		return peft_seterr(err, "\"%s\" is not a number", key);
	*out = v->valuedouble;
	return 1;
}

int
peft_json_int(const cJSON *object, const char *key, int64_t min, int64_t max,
    int64_t *out, struct peft_err *err)
{
	double d = 0;
	int r;

	if ((r = peft_json_real(object, key, &d, err)) != 1)
		return r;
	if (d != floor(d))
		return peft_seterr(err, "\"%s\" is not a whole number", key);
	if (d < (double)min || d > (double)max)
		return peft_seterr(err, "\"%s\" is %.16g, not in [%lld, %lld]",
		    key, d, (long long)min, (long long)max);
	*out = (int64_t)d;
	return 1;
}

void
peft_json_putstr(struct peft_buf *b, const char *s, size_t len)
{
	static const char names[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	const char *name;
	size_t i, from = 0;

	peft_buf_putc(b, '"');
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0xc0)
			continue;
		peft_buf_put(b, s + from, i - from);
		if (c == 0xc0) {	/* a NUL, see peft_json_said() */
			i++;
			c = 0;
		}
		from = i + 1;
		for (name = names; *name != '\0'; name += 2)
			if ((unsigned char)*name == c)
				break;
		if (*name != '\0') {
			peft_buf_putc(b, '\\');
			peft_buf_putc(b, name[1]);
		} else
			peft_buf_printf(b, "\\u%04x", c);
	}
	peft_buf_put(b, s + from, len - from);
	peft_buf_putc(b, '"');
}

void
peft_json_putreal(struct peft_buf *b, double v)
{
	char text[40];
	int digits;

	if (!isfinite(v)) {
		peft_buf_puts(b, "null");
		return;
	}
	for (digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	/* whole numbers as digits rather than as 1e+03 */
	if (strchr(text, 'e') != NULL && v == floor(v) && fabs(v) < 1e15)
		snprintf(text, sizeof(text), "%.0f", v);
	peft_buf_puts(b, text);
}

static void
newline(struct peft_buf *b, int indent, int depth)
{
	if (indent > 0)
		peft_buf_printf(b, "\n%*s", indent * depth, "");
}

static int
by_key(const void *a, const void *b)
{
	const cJSON *const *x = a, *const *y = b;

	return strcmp((*x)->string, (*y)->string);
}

static void print(struct peft_buf *, const cJSON *, int indent, bool sorted,
    int depth);

static void
print_members(struct peft_buf *b, const cJSON *j, int indent, bool sorted,
    int depth)
{
	size_t n = (size_t)cJSON_GetArraySize(j), i = 0;
	const cJSON **items, *e;

	if ((items = calloc(n, sizeof(*items))) == NULL) {
		b->failed = true;
		return;
	}
	cJSON_ArrayForEach(e, j)
		items[i++] = e;
	if (sorted && cJSON_IsObject(j))
		qsort(items, n, sizeof(*items), by_key);
	for (i = 0; i < n; i++) {
		if (i > 0)
			peft_buf_putc(b, ',');
		newline(b, indent, depth + 1);
		if (cJSON_IsObject(j)) {
			peft_json_putstr(b, items[i]->string,
			    strlen(items[i]->string));
			peft_buf_puts(b, indent > 0 ? ": " : ":");
		}
		print(b, items[i], indent, sorted, depth + 1);
	}
	newline(b, indent, depth);
	free(items);
}

static void
print(struct peft_buf *b, const cJSON *j, int indent, bool sorted, int depth)
{
	if (cJSON_IsString(j))
		peft_json_putstr(b, j->valuestring, strlen(j->valuestring));
	else if (cJSON_IsRaw(j) || (cJSON_IsNumber(j) &&
	    j->valuestring != NULL))		/* as it was spelt */
		peft_buf_puts(b, j->valuestring);
	else if (cJSON_IsNumber(j))
		peft_json_putreal(b, j->valuedouble);
	else if (cJSON_IsBool(j))
		peft_buf_puts(b, cJSON_IsTrue(j) ? "true" : "false");
	else if (cJSON_IsArray(j) || cJSON_IsObject(j)) {
		peft_buf_putc(b, cJSON_IsArray(j) ? '[' : '{');
		if (j->child != NULL)
			print_members(b, j, indent, sorted, depth);
		peft_buf_putc(b, cJSON_IsArray(j) ? ']' : '}');
	} else
		peft_buf_puts(b, "null");
}

void
peft_json_print(struct peft_buf *b, const cJSON *j, int indent, bool sort_keys)
{
	print(b, j, indent, sort_keys, 0);
}
