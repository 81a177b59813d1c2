/* SPDX-License-Identifier: Apache-2.0 */
/* The header of safetensors: what is refused and why, what is written. */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "tap.h"
#include "tensor/st.h"

/* a with a type, a shape and a place */
#define T(name, dtype, shape, place) "\"" name "\":{\"dtype\":\"" dtype \
	"\",\"shape\":[" shape "],\"data_offsets\":[" place "]}"
#define A(shape, place)	"{" T("a", "F32", shape, place) "}"

/* why: the message, NULL if it is right. */
static const struct {
	const char	*text, *why;
} headers[] = {
	{ "{}", NULL },
	{ "{\"__metadata__\":{}}", NULL },
	{ "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"}}  \n", NULL },
	{ A("", "0,4"), NULL },
	{ A("2,3", "0,24"), NULL },
	{ A("0", "0,0"), NULL },
	{ A("1,1,1,1,1,1,1,2", "0,8"), NULL },
	{ "{" T("b", "U8", "3", "4,7") "," T("a", "F32", "", "0,4") "}", NULL },
	{ "{" T("a", "U8", "3", "0,3") "," T("e", "F32", "0", "3,3") ","
	    T("b", "I64", "1", "3,11") "}", NULL },
	{ "", "header: not a JSON object" },
	{ " {}", "header: not a JSON object" },
	{ "[]", "header: not a JSON object" },
	{ "{", "header: byte 2: a key in double quotes is missing" },
	{ "{}x", "header: byte 3: text after the value" },
	{ "{\"__metadata__\":[]}", "__metadata__: not an object" },
	{ "{\"__metadata__\":{\"n\":1}}",
	    "__metadata__: \"n\" is not a string" },
	{ "{\"a\":[]}", "tensor a: not an object" },
	{ "{\"a\":{}}", "tensor a: dtype is missing" },
	{ "{\"a\":{\"dtype\":5}}", "tensor a: \"dtype\" is not a string" },
	{ "{" T("a", "f32", "", "0,4") "}",
	    "tensor a: dtype f32 is not known" },
	{ "{" T("a", "F4", "8", "0,4") "}", "tensor a: dtype F4 is not known" },
	{ "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}",
	    "tensor a: shape: not a list" },
	{ A("-1", "0,4"), "tensor a: shape: not a whole number" },
	{ A("1.5", "0,6"), "tensor a: shape: not a whole number" },
	{ A("\"1\"", "0,4"), "tensor a: shape: not a whole number" },
	{ A("1e999", "0,4"), "tensor a: shape: not a whole number" },
	{ A("18446744073709551617", "0,4"),
	    "tensor a: shape: not a whole number" },
	{ A("1,1,1,1,1,1,1,1,1", "0,4"), "tensor a: more than 8 dimensions" },
	{ A("4294967296,4294967296", "0,0"),
	    "tensor a: its shape is too large" },
	{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
	    "tensor a: data_offsets: not two whole numbers" },
	{ A("1", "4"), "tensor a: data_offsets: not two whole numbers" },
	{ A("1", "0,4,8"), "tensor a: data_offsets: not two whole numbers" },
	{ A("1", "-4,0"), "tensor a: data_offsets: not two whole numbers" },
	{ A("1", "0,4.5"), "tensor a: data_offsets: not two whole numbers" },
	{ A("1", "0,1e17"), "tensor a: data_offsets: not two whole numbers" },
	{ A("2", "0,4"), "tensor a: its data has 4 bytes, its shape calls "
	    "for 8" },
	{ A("1", "0,5"), "tensor a: its data has 5 bytes, its shape calls "
	    "for 4" },
	{ A("1", "4,0"), "tensor a: its data has -4 bytes, its shape calls "
	    "for 4" },
	{ "{" T("b", "U8", "1", "0,1") ","	/* 2^64 - 1 */
	    T("a", "U8", "4294967295,4294967297", "1,0") "}",
	    "tensor a: its data has -1 bytes" },
	{ A("1", "1,5"), "tensor a: its data leaves a gap before it" },
	{ "{" T("a", "U8", "3", "0,3") "," T("b", "U8", "3", "4,7") "}",
	    "tensor b: its data leaves a gap before it" },
	{ "{" T("a", "U8", "3", "0,3") "," T("b", "U8", "3", "2,5") "}",
	    "tensor b: its data overlaps another's" },
	{ "{" T("a", "U8", "3", "0,3") "," T("b", "U8", "3", "0,3") "}",
	    "overlaps another's" },
	{ "{" T("a", "U8", "4", "0,4") "," T("e", "U8", "0", "2,2") "}",
	    "tensor e: its data overlaps another's" },
	{ "{" T("a", "U8", "3", "0,3") "," T("a", "U8", "3", "3,6") "}",
	    "header: duplicate key \"a\"" },
	{ "{" T("\xff", "U8", "3", "0,3") "}", "header: byte 3: not UTF-8" },
};

static void
test_headers(void)
{
	size_t i;

	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *text = headers[i].text, *why = headers[i].why;
		struct peft_err err = { 0 };
		size_t len = strlen(text);
		char *copy = malloc(len + 1);	/* nothing behind the end */
		struct peft_st st;
		int r;

		need(copy != NULL, &err);
		memcpy(copy, text, len);
		r = peft_st_parse(&st, copy, len, &err);
		free(copy);
		if (!ok(why == NULL ? r == 0 : r == -1 && err.status ==
		    PEFT_INPUT && strstr(err.msg, why) != NULL,
		    "header %zu: %s", i, why == NULL ? "right" : why))
			printf("# %s\n# %s\n", text, err.msg);
		if (r == 0)
			peft_st_free(&st);
	}
}

static void
test_length(void)
{
	unsigned char p[PEFT_ST_PREFIX] = { 2 };
	struct peft_err err = { 0 };
	size_t len = 0;

	ok(peft_st_length(p, &len, &err) == 0 && len == 2, "a header of 2");
	p[0] = 1;
	ok(peft_st_length(p, &len, &err) == -1, "none of 1");
	memcpy(p, "\x00\xe1\xf5\x05\0\0\0\0", 8);
	ok(peft_st_length(p, &len, &err) == 0 && len == PEFT_ST_MAXHEADER,
	    "little-endian, and the most");
	p[0] = 1;
	ok(peft_st_length(p, &len, &err) == -1 && strcmp(err.msg,
	    "not safetensors: a header of 100000001 bytes") == 0,
	    "one more is none");
	memcpy(p, "\x02\0\0\0\0\0\0\x80", 8);
	ok(peft_st_length(p, &len, &err) == -1, "nor one of 2^63");
}

static void
test_sizes(void)
{
	const size_t shape[3] = { 3, (size_t)1 << 60, 2 };
	struct peft_err err = { 0 };
	size_t n = 0;

	ok(peft_st_size(PEFT_F32, 0, shape, &n, &err) == 0 && n == 4 &&
	    peft_st_size(PEFT_I16, 1, shape, &n, &err) == 0 && n == 6,
	    "the size of a shape");
	ok(peft_st_size(PEFT_U8, 2, shape, &n, &err) == 0 &&
	    peft_st_size(PEFT_U8, 3, shape, &n, &err) == 0 && n == shape[1] *
	    6 && peft_st_size(PEFT_I64, 3, shape, &n, &err) == -1,
	    "as far as a size_t goes");
}

/* What is written is what is read: names with all that JSON escapes. */
static void
test_write(void)
{
	static const char *const meta[] = { "format", "pt", "q\"\\", "\n\x01",
		NULL };
	char plain[] = "b", odd[] = "a\"\\\t\x7f\xc3\xa9";
	struct peft_st_entry e[] = {
		{ .name = plain, .dtype = PEFT_BF16, .ndim = 2,
		    .shape = { 3, 5 }, .nbytes = 30 },
		{ .name = odd, .dtype = PEFT_F64, .nbytes = 8 } };
	struct peft_err err = { 0 };
	struct peft_st st = { 0 };
	unsigned char text[512];
	FILE *fp = tmpfile();
	size_t n, len = 0;

	need(fp != NULL && peft_st_write(fp, "x", e, 2, meta, &err) == 0,
	    &err);
	rewind(fp);
	n = fread(text, 1, sizeof(text), fp);
	fclose(fp);
	ok(n > PEFT_ST_PREFIX && n % 8 == 0 && peft_st_length(text, &len,
	    &err) == 0 && len == n - PEFT_ST_PREFIX,
	    "a header's length, data at a multiple of 8");
	need(peft_st_parse(&st, (char *)text + PEFT_ST_PREFIX, len, &err) ==
	    0, &err);
	ok(st.n == 2 && st.nbytes == 38 && strcmp(st.entries[0].name, plain)
	    == 0 && strcmp(st.entries[1].name, odd) == 0 &&
	    st.entries[0].dtype == PEFT_BF16 && st.entries[0].ndim == 2 &&
	    st.entries[0].shape[1] == 5 && st.entries[1].ndim == 0 &&
	    st.entries[1].begin == 30 && st.entries[1].nbytes == 8,
	    "what is written is what is read");
	ok(st.nmeta == 2 && strcmp(st.meta[1].key, "q\"\\") == 0 &&
	    strcmp(st.meta[1].value, "\n\x01") == 0, "metadata too");
	peft_st_free(&st);
	ok(st.n == 0 && st.entries == NULL, "freed");
}

int
main(void)
{
	test_headers();
	test_length();
	test_sizes();
	test_write();
	return tap_end();
}
