/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what passes and what does not, look-ups, and what is written. */

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "base/rng.h"
#include "tap.h"

/* Each is the whole of a text; why: part of the message, NULL if it passes. */
static const struct {
	const char	*text, *why;
} texts[] = {
	{ " [1, -0, 0.5, 1e5, 1E+2, -1.5e-3]\r\n\t", NULL },
	{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"", NULL },
	{ "{\"a\":{\"a\":[{\"a\":null}]},\"A\":true,\"\":false}", NULL },
	{ "\"\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", NULL },
	{ "7", NULL },
	{ "[]", NULL },
	{ "{ }", NULL },
	{ "", "byte 1: the value is missing" },
	{ "  ", "byte 3: the value is missing" },
	{ "1 2", "byte 3: text after the value" },
	{ "{}}", "byte 3: text after the value" },
	{ "[1,]", "byte 4: a comma with nothing behind it" },
	{ "[1 2]", "byte 4: ',' or ']' is missing" },
	{ "[1", "byte 3: ',' or ']' is missing" },
	{ "{\"a\":1,}", "byte 8: a comma with nothing behind it" },
	{ "{\"a\" 1}", "byte 6: ':' is missing" },
	{ "{\"a\":1", "byte 7: ',' or '}' is missing" },
	{ "{a:1}", "byte 2: a key in double quotes is missing" },
	{ "{\"a\":1]", "byte 7: ',' or '}' is missing" },
	{ "01", "byte 2: text after the value" },
	{ "-", "byte 2: a digit is missing" },
	{ "1.", "byte 3: a digit is missing" },
	{ ".5", "byte 1: not a value" },
	{ "+1", "byte 1: not a value" },
	{ "1e", "byte 3: a digit is missing" },
	{ "0x10", "byte 2: text after the value" },
	{ "NaN", "byte 1: not a value" },
	{ "Infinity", "byte 1: not a value" },
	{ "-Infinity", "byte 2: a digit is missing" },
	{ "nul", "byte 1: not a value" },
	{ "True", "byte 1: not a value" },
	{ "'a'", "byte 1: not a value" },
	{ "/**/1", "byte 1: not a value" },
	{ "\xef\xbb\xbf" "1", "byte 1: not a value" },
	{ "\"a", "byte 3: string without an end" },
	{ "\"a\n\"", "byte 3: control character in a string" },
	{ "\"\\x\"", "unknown escape" },
	{ "\"\\u12g4\"", "\\u without four digits" },
	{ "\"\\u12\"", "\\u without four digits" },
	{ "\"a\\u0000b\"", "\\u0000" },
	{ "\"\\ud83d\"", "half a surrogate pair" },
	{ "\"\\ude00\"", "half a surrogate pair" },
	{ "\"\\ud83d\\u0041\"", "half a surrogate pair" },
	{ "\"\xff\"", "byte 2: not UTF-8" },
	{ "\"\xc0\x80\"", "byte 2: not UTF-8" },
	{ "\"\xed\xa0\x80\"", "byte 2: not UTF-8" },
	{ "\"\xe2\x82", "byte 2: not UTF-8" },
	{ "{\"a\":1,\"a\":1}", "duplicate key \"a\"" },
	{ "[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "duplicate key \"b\"" },
	{ "{\"a\":1,\"\\u0061\":1}", "duplicate key \"a\"" },
};

static void
test_texts(void)
{
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *s = texts[i].text, *why = texts[i].why;
		struct peft_err err = { 0 };
		size_t len = strlen(s);
		char *copy = malloc(len + 1);	/* nothing behind the end */
		cJSON *j;

		need(copy != NULL, &err);
		memcpy(copy, s, len);
		j = peft_json(copy, len, &err);
		if (!ok((j != NULL) == (why == NULL) && (why == NULL ||
		    strstr(err.msg, why) != NULL), "text %zu: %s", i, why !=
		    NULL ? why : "passes"))
			printf("# %s\n", err.msg);
		cJSON_Delete(j);
		free(copy);
	}
}

/* What people said may hold NULs. */
static void
test_said(void)
{
	static const char in[] = "{\"a\":[\"\\u0000x\\u0000\\u0000\"]}";
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 };
	cJSON *j = peft_json_said(in, sizeof(in) - 1, &err);
	char *s;

	need(j != NULL, &err);
	peft_json_print(&b, j, 0, false);
	peft_buf_putc(&b, '\0');
	ok(!b.failed && strcmp(b.data, in) == 0, "NULs are printed");
	s = j->child->child->valuestring;
	ok(peft_json_nuls(s, strlen(s)) == 4 && memcmp(s, "\0x\0", 4) == 0,
	    "and are characters");
	cJSON_Delete(j);
	peft_buf_free(&b);
	ok(peft_json_said("{\"\\u0000\":1}", 12, &err) == NULL &&
	    strstr(err.msg, "u0000") != NULL, "but not of keys");
}

/* n arrays in one another, n keys of one object. */
static void
test_limits(void)
{
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 };
	cJSON *j;
	int n, i;

	for (n = PEFT_JSON_DEPTH + 1; n <= PEFT_JSON_DEPTH + 2; n++) {
		peft_buf_clear(&b);
		for (i = 0; i < 2 * n; i++)
			peft_buf_putc(&b, i < n ? '[' : ']');
		j = peft_json(b.data, b.len, &err);
		ok((j != NULL) == (n == PEFT_JSON_DEPTH + 1), "%d deep", n);
		cJSON_Delete(j);
	}
	ok(strstr(err.msg, "nested too deep") != NULL, "and it says why");
	for (n = 0; n < 2; n++) {
		peft_buf_clear(&b);
		for (i = 0; i < 100; i++)
			peft_buf_printf(&b, "%c\"k%d\":%d", i == 0 ? '{' : ',',
			    n == 1 && i == 99 ? 3 : i, i);
		peft_buf_putc(&b, '}');
		j = peft_json(b.data, b.len, &err);
		ok((j == NULL) == (n == 1), "100 keys, %d of them twice", n);
		cJSON_Delete(j);
	}
	ok(strcmp(err.msg, "duplicate key \"k3\"") == 0, "and which");
	ok(peft_json("1\0", 2, &err) == NULL &&
	    peft_json("\"\0\"", 3, &err) == NULL &&
	    peft_json("\"\\\0\"", 4, &err) == NULL,
	    "a NUL is no white space, and not in a string");
	peft_buf_free(&b);
}

static void
test_lookups(const cJSON *j)
{
	struct peft_err err = { 0 };
	const char *s = "kept";
	bool flag = false;
	double d = 7;
	int64_t i = 7;

	ok(peft_json_get(j, "s") != NULL && peft_json_get(j, "S") == NULL,
	    "keys are what they are, not what they sound like");
	ok(peft_json_str(j, "none", &s, &err) == 0 && peft_json_str(j, "null",
	    &s, &err) == 0 && strcmp(s, "kept") == 0,
	    "absent and null leave what was there");
	ok(peft_json_str(j, "s", &s, &err) == 1 && strcmp(s, "x") == 0 &&
	    peft_json_bool(j, "t", &flag, &err) == 1 && flag &&
	    peft_json_bool(j, "f", &flag, &err) == 1 && !flag &&
	    peft_json_real(j, "r", &d, &err) == 1 && d == 1.5 &&
	    peft_json_int(j, "i", -5, 5, &i, &err) == 1 && i == -5,
	    "each type is found");
	ok(peft_json_str(j, "i", &s, &err) == -1 && strcmp(err.msg,
	    "\"i\" is not a string") == 0 && strcmp(s, "x") == 0 &&
	    peft_json_bool(j, "i", &flag, &err) == -1 && strcmp(err.msg,
	    "\"i\" is not true or false") == 0 &&
	    peft_json_real(j, "s", &d, &err) == -1 && strcmp(err.msg,
	    "\"s\" is not a number") == 0 && d == 1.5,
	    "another type is refused by name");
	ok(peft_json_int(j, "r", 0, 5, &i, &err) == -1 && strcmp(err.msg,
	    "\"r\" is not a whole number") == 0 && i == -5,
	    "half is not whole");
	ok(peft_json_int(j, "i", -4, 5, &i, &err) == -1 && strcmp(err.msg,
	    "\"i\" is -5, not in [-4, 5]") == 0 && peft_json_int(j, "i", -9,
	    -6, &i, &err) == -1, "out of range is refused with the range");
	ok(peft_json_real(j, "huge", &d, &err) == -1 && peft_json_int(j,
	    "huge", 0, 5, &i, &err) == -1, "1e999 is no number to work with");
}

static void
test_spelling(const cJSON *j)
{
	const cJSON *v = peft_json_get(j, "v");
	static const char *const want[] = { NULL, "1.0", "1e5",
		"9007199254740993", NULL, "-0.0" };
	size_t i = 0;
	const cJSON *e;
	bool good = true;

	cJSON_ArrayForEach(e, v) {
		good = good && (want[i] == NULL ? e->valuestring == NULL :
		    e->valuestring != NULL && strcmp(e->valuestring,
		    want[i]) == 0);
		i++;
	}
	ok(good && i == 6, "the spelling of numbers is kept where it tells");
}

static cJSON *
parse(const char *text)
{
	struct peft_err err = { 0 };
	cJSON *j = peft_json(text, strlen(text), &err);

	need(j != NULL, &err);
	return j;
}

static void
test_read(void)
{
	cJSON *j = parse("{\"null\":null,\"s\":\"x\",\"t\":true,\"f\":false,"
	    "\"r\":1.5,\"i\":-5,\"huge\":1e999,\"9.5\":\"2.5\\\"3.5\","
	    "\"v\":[12,1.0,1e5,9007199254740993,-7,-0.0]}");

	test_lookups(j);
	test_spelling(j);
	cJSON_Delete(j);
}

static void
is_printed(const char *text, int indent, bool sorted, const char *want)
{
	struct peft_buf b = { 0 };
	cJSON *j = parse(text);

	peft_json_print(&b, j, indent, sorted);
	if (!ok(!b.failed && strcmp(b.data, want) == 0, "%s", text))
		printf("# %s\n", b.data);
	cJSON_Delete(j);
	peft_buf_free(&b);
}

static void
test_print(void)
{
	static const char text[] = "{\"b\":[1,-2.5,{}],\"a\":{\"c\":[],"
	    "\"B\":\"\xc3\xa9\\n\"},\"t\":true,\"f\":false,\"n\":null}";

	is_printed(text, 0, false, text);
	is_printed(text, 2, true, "{\n  \"a\": {\n    \"B\": \"\xc3\xa9\\n\","
	    "\n    \"c\": []\n  },\n  \"b\": [\n    1,\n    -2.5,\n    {}\n"
	    "  ],\n  \"f\": false,\n  \"n\": null,\n  \"t\": true\n}");
	is_printed("\"\\u0001\\u001f\\u007f\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 0,
	    false, "\"\\u0001\\u001f\x7f\\\"\\\\/\\b\\f\\n\\r\\t\"");
	/* numbers keep their spelling: readers tell 6 from 6.0 */
	is_printed("[0.1,1e-7,100000,1E15,6.0,-0.0]", 0, false,
	    "[0.1,1e-7,100000,1E15,6.0,-0.0]");
}

/* Shortest, and the same double again. */
static void
test_reals(void)
{
	struct peft_rng key = peft_rng_key(3, "json-unit");
	struct peft_buf b = { 0 };
	bool same = true, shortest = true;
	char shorter[40];
	uint64_t i, bits;
	double v;

	for (i = 0; i < 20000; i++) {
		bits = peft_rng_u64(key, 0, i);
		memcpy(&v, &bits, sizeof(v));
		if (!isfinite(v))
			continue;
		v = i % 2 ? v : (double)(float)(v * 0x1p-1000);
		peft_buf_clear(&b);
		peft_json_putreal(&b, v);
		same = same && strtod(b.data, NULL) == v;
		snprintf(shorter, sizeof(shorter), "%.15g", v);
		shortest = shortest && (strtod(shorter, NULL) != v ||
		    b.len <= strlen(shorter));
	}
	ok(same, "a double is read back as it was");
	ok(shortest, "and never longer than need be");
	peft_buf_clear(&b);
	peft_json_putreal(&b, NAN);
	peft_json_putreal(&b, -INFINITY);
	ok(strcmp(b.data, "nullnull") == 0, "no NaN is written");
	peft_buf_free(&b);
}

int
main(void)
{
	test_texts();
	test_said();
	test_limits();
	test_read();
	test_print();
	test_reals();
	return tap_end();
}
