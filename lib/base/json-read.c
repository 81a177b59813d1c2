/* SPDX-License-Identifier: Apache-2.0 */
/* From text to a tree of cJSON's, by the grammar of JSON, strictly. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/map.h"

static int
fail_memory(struct peft_json_scan *s)
{
	s->said = true;
	return peft_seterr(s->err, "no memory for JSON");
}

static unsigned
hex_value(const char *s)
{
	unsigned v = 0;
	int i;

	for (i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(s[i] <= '9' ? s[i] - '0' :
		    (s[i] | 32) - 'a' + 10);
	return v;
}

/* What an escape that is right stands for: moves *from behind it. */
static char *
put_escape(char *to, const char **from)
{
	static const char names[] = "b\bf\fn\nr\rt\t\"\"\\\\//";
	const char *s = *from + 1;
	unsigned cp;

	if (*s != 'u') {
		*from = s + 1;
		*to = strchr(names, *s)[1];
		return to + 1;
	}
	cp = hex_value(s + 1);
	*from = s + 5;
	if (cp == 0) {
		memcpy(to, "\xc0\x80", 2);
		return to + 2;
	}
	if (cp >= 0xd800 && cp < 0xdc00) {
		cp = 0x10000 + ((cp - 0xd800) << 10) +
		    (hex_value(s + 7) - 0xdc00);
		*from = s + 11;
	}
	return to + peft_utf8_put(to, cp);
}

/* s[0..n) without its escapes. */
static char *
decode(const char *s, size_t n, bool escaped)
{
	char *text = cJSON_malloc(n + 1), *to = text;
	const char *end = s + n, *next;

	if (text == NULL)
		return NULL;
	while (escaped && s < end) {
		if ((next = memchr(s, '\\', (size_t)(end - s))) == NULL)
			break;
		memcpy(to, s, (size_t)(next - s));
		to += next - s;
		s = next;
		to = put_escape(to, &s);
	}
	memcpy(to, s, (size_t)(end - s));
	to[end - s] = '\0';
	return text;
}

static char *
string(struct peft_json_scan *s)
{
	const char *from = ++s->p;
	bool escaped = false;
	char *text;

	if (peft_json_string_end(s, &escaped) == -1)
		return NULL;
	text = decode(from, (size_t)(s->p - 1 - from), escaped);
	if (text == NULL)
		fail_memory(s);
	return text;
}

/* A key; those that most records have need no memory of their own. */
static int
key(struct peft_json_scan *s, const char **text, bool *own)
{
	static const struct {
		size_t		 n;
		const char	*s;
	} common[] = { { 4, "role" }, { 7, "content" }, { 8, "messages" },
	    { 4, "text" }, { 9, "input_ids" }, { 6, "labels" },
	    { 6, "prompt" }, { 10, "completion" }, { 2, "id" } };
	size_t i, room = (size_t)(s->end - s->p);
	bool nul = s->nul;

	for (i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (room > common[i].n + 1 && s->p[common[i].n + 1] == '"' &&
		    memcmp(s->p + 1, common[i].s, common[i].n) == 0) {
			s->p += common[i].n + 2;
			*text = common[i].s;
			*own = false;
			return 0;
		}
	*own = true;
	s->nul = false;
	*text = string(s);
	s->nul = nul;
	return *text == NULL ? -1 : 0;
}

/*
 * cJSON keeps a number as a double.  Some must tell 1.0 from 1, or need all
 * digits of 9007199254740993: the spelling of such a number is kept in its
 * valuestring (which cJSON frees).
 */
static int
number(struct peft_json_scan *s, cJSON *j)
{
	const char *from = s->p;
	bool plain = true, minus = *from == '-';
	double v = 0;
	size_t n;

	if (peft_json_number_end(s, &plain) == -1)
		return -1;
	n = (size_t)(s->p - from);
	j->type |= cJSON_Number;
	if (!plain || n > 15) {
		j->valuestring = cJSON_malloc(n + 1);
		if (j->valuestring == NULL)
			return fail_memory(s);
		memcpy(j->valuestring, from, n);
		j->valuestring[n] = '\0';
		v = strtod(j->valuestring, NULL);
	} else {
		for (from += minus; from < s->p; from++)
			v = v * 10 + (*from - '0');
		v = minus ? -v : v;
	}
	j->valuedouble = v;
	j->valueint = v >= INT_MAX ? INT_MAX : v <= INT_MIN ? INT_MIN : (int)v;
	return 0;
}

static int
word(struct peft_json_scan *s, cJSON *j)
{
	static const struct {
		const char	*s;
		size_t		 n;
		int		 type;
	} words[] = { { "true", 4, cJSON_True }, { "false", 5, cJSON_False },
	    { "null", 4, cJSON_NULL } };
	size_t i;

	for (i = 0; i < 3; i++)
		if ((size_t)(s->end - s->p) >= words[i].n &&
		    memcmp(s->p, words[i].s, words[i].n) == 0) {
			s->p += words[i].n;
			j->type |= words[i].type;
			j->valueint = words[i].type == cJSON_True;
			return 0;
		}
	return peft_json_fail(s, peft_json_peek(s) == -1 ? "the value is missing" :
	    "not a value");
}

/* Keys of one object, n of them, all different?  Few are compared with each
 * other. */
static int
distinct_keys(struct peft_json_scan *s, const cJSON *object, size_t n)
{
	struct peft_map seen = { 0 };
	const cJSON *e, *f, *twice = NULL;
	int r = 1;

	for (e = object->child; n <= 16 && e != NULL; e = e->next)
		for (f = e->next; f != NULL; f = f->next)
			if (e->string[0] == f->string[0] &&
			    strcmp(e->string, f->string) == 0)
				twice = e;
	for (e = object->child; n > 16 && r == 1 && e != NULL; e = e->next)
		if ((r = peft_map_add(&seen, e->string, strlen(e->string), 0,
		    s->err)) == 0)
			twice = e;
	peft_map_free(&seen);
	if (twice != NULL)
		peft_seterr(s->err, "duplicate key \"%s\"", twice->string);
	s->said |= r == -1 || twice != NULL;
	return s->said ? -1 : 0;
}

static int value(struct peft_json_scan *, int depth, cJSON *);

/* One more child of j, with its key if it has one. */
static int
member(struct peft_json_scan *s, cJSON *j, int depth, bool keyed)
{
	cJSON *e = cJSON_CreateNull(), *first = j->child;
	const char *name;
	bool own;

	if (e == NULL)
		return fail_memory(s);
	e->type = cJSON_Invalid;
	if (first == NULL) {
		j->child = e;
		e->prev = e;
	} else {
		first->prev->next = e;
		e->prev = first->prev;
		first->prev = e;
	}
	if (keyed) {
		if (peft_json_peek(s) != '"')
			return peft_json_fail(s, "a key in double "
			    "quotes is missing");
		if (key(s, &name, &own) == -1)
			return -1;
		e->string = (char *)(uintptr_t)name;
		e->type = own ? 0 : cJSON_StringIsConst;
		peft_json_space(s);
		if (peft_json_peek(s) != ':')
			return peft_json_fail(s, "':' is missing");
		s->p++;
	}
	return value(s, depth + 1, e);
}

/* Behind [ or {: members up to the end character. */
static int
members(struct peft_json_scan *s, cJSON *j, char end, int depth)
{
	size_t n;

	j->type |= end == '}' ? cJSON_Object : cJSON_Array;
	s->p++;
	peft_json_space(s);
	if (peft_json_peek(s) == end) {
		s->p++;
		return 0;
	}
	for (n = 1;; n++, s->p++) {
		peft_json_space(s);
		if (n > 1 && peft_json_peek(s) == end)
			return peft_json_fail(s, "a comma with nothing behind "
			    "it");
		if (member(s, j, depth, end == '}') == -1)
			return -1;
		peft_json_space(s);
		if (peft_json_peek(s) == end)
			break;
		if (peft_json_peek(s) != ',')
			return peft_json_fail(s, end == '}' ? "',' or '}' is missing" :
			    "',' or ']' is missing");
	}
	s->p++;
	return end == '}' ? distinct_keys(s, j, n) : 0;
}

static int
value(struct peft_json_scan *s, int depth, cJSON *j)
{
	int c;

	if (depth > PEFT_JSON_DEPTH)
		return peft_json_fail(s, "nested too deep");
	peft_json_space(s);
	c = peft_json_peek(s);
	if (c == '{' || c == '[')
		return members(s, j, c == '{' ? '}' : ']', depth);
	if (c == '"') {
		j->type |= cJSON_String;
		return (j->valuestring = string(s)) == NULL ? -1 : 0;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return number(s, j);
	return word(s, j);
}

static cJSON *
read_all(const char *text, size_t len, bool nul, struct peft_err *err)
{
	struct peft_json_scan s = { .begin = text, .p = text, .end = text + len,
	    .err = err, .nul = nul };
	cJSON *j = cJSON_CreateNull();

	if (j == NULL) {
		fail_memory(&s);
		return NULL;
	}
	j->type = cJSON_Invalid;
	if (value(&s, 0, j) == 0) {
		peft_json_space(&s);
		if (s.p == s.end)
			return j;
		peft_json_fail(&s, "text after the value");
	}
	if (!s.said)
		peft_seterr(err, "byte %zu: %s", (size_t)(s.p - s.begin) + 1,
		    s.why);
	cJSON_Delete(j);
	return NULL;
}

cJSON *
peft_json(const char *text, size_t len, struct peft_err *err)
{
	return read_all(text, len, false, err);
}

cJSON *
peft_json_said(const char *text, size_t len, struct peft_err *err)
{
	return read_all(text, len, true, err);
}
