/* SPDX-License-Identifier: Apache-2.0 */
/* What the rest stands on: messages, memory, UTF-8, maps and patterns. */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/regex.h"
#include "tap.h"

static void
test_errors(void)
{
	struct peft_err err = { 0 };
	char text[600], want[600];

	ok(peft_seterr(&err, "%s: row %d", "a.json", 7) == -1 &&
	    err.status == PEFT_INPUT && strcmp(err.msg, "a.json: row 7") == 0,
	    "seterr: bad input, and what was said");
	errno = ENOENT;
	snprintf(want, sizeof(want), "a.json: %s", strerror(ENOENT));
	ok(peft_seterrno(&err, "a.json") == -1 && err.status == PEFT_INPUT &&
	    strcmp(err.msg, want) == 0, "seterrno: what the system says");
	ok(peft_setfail(&err, PEFT_NUMERIC, "NaN") == -1 &&
	    err.status == PEFT_NUMERIC && strcmp(err.msg, "NaN") == 0,
	    "setfail: a status of one's own");
	ok(peft_errprefix(&err, "tensor %s", "w") == -1 &&
	    err.status == PEFT_NUMERIC && strcmp(err.msg, "tensor w: NaN") ==
	    0, "errprefix: before what was there, the status kept");

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	errno = ENOENT;
	peft_seterrno(&err, "%s", text);
	ok(strlen(err.msg) == sizeof(err.msg) - 1 &&
	    strncmp(err.msg, text, sizeof(err.msg) - 1) == 0,
	    "a message too long is cut at the end");
	peft_errprefix(&err, "f");
	ok(strlen(err.msg) == sizeof(err.msg) - 1 && memcmp(err.msg, "f: xx",
	    5) == 0, "a prefix pushes the end out");
	peft_errprefix(&err, "%s", text);
	ok(strlen(err.msg) == sizeof(err.msg) - 1 && err.msg[3] == 'x',
	    "a prefix too long is cut as well");
}

static void
test_name(void)
{
	peft_setname("/usr/bin/peft-train");
	ok(strcmp(peft_getname(), "peft-train") == 0,
	    "the program's name is without its folder");
	peft_setname("base-unit");
	ok(strcmp(peft_getname(), "base-unit") == 0, "and as it is if plain");
}

static void
layout(struct peft_arena *a, char *got[3])
{
	size_t mark;

	got[0] = peft_arena_get(a, 1, 1);
	mark = peft_arena_mark(a);
	got[1] = peft_arena_get(a, 65, 4);	/* 260 bytes: 320 */
	peft_arena_release(a, mark);
	got[2] = peft_arena_get(a, 3, 64);
}

static void
test_arena(void)
{
	struct peft_arena a = { 0 };
	struct peft_err err = { 0 };
	char *got[3];
	size_t i;

	layout(&a, got);
	ok(got[0] == NULL && got[1] == NULL && got[2] == NULL &&
	    a.used == 64 + 192 && a.peak == 64 + 320,
	    "an arena without memory counts");
	need(peft_arena_reserve(&a, &err) == 0, &err);
	layout(&a, got);
	ok(a.size == 64 + 320 && got[1] == got[0] + 64 && got[2] == got[1] &&
	    (uintptr_t)got[0] % PEFT_ALIGN == 0,
	    "what was counted is handed out, aligned, scratch in turn");
	for (i = 0; i < a.size && got[0][i] == 0; i++)
		;
	ok(i == a.size, "zeroed");
	ok(peft_arena_get(&a, 2, 64) != NULL && peft_arena_get(&a, 1, 1) ==
	    NULL, "and nothing beyond what was reserved");
	peft_arena_free(&a);
	ok(a.base == NULL && a.size == 0, "freed");

	peft_arena_get(&a, 1, 1);
	peft_arena_get(&a, SIZE_MAX / 2, 4);
	ok(peft_arena_get(&a, 1, 1) == NULL && peft_arena_reserve(&a, &err) ==
	    -1 && err.status == PEFT_INPUT && strstr(err.msg, "no memory") !=
	    NULL, "a plan beyond all numbers is refused");
	a = (struct peft_arena){ 0 };
	peft_arena_get(&a, 1, SIZE_MAX);
	ok(peft_arena_reserve(&a, &err) == -1, "one piece just too large also");
	a = (struct peft_arena){ 0 };
	need(peft_arena_reserve(&a, &err) == 0, &err);
	ok(peft_arena_get(&a, 0, 8) != NULL, "a plan of nothing is memory");
	peft_arena_free(&a);
}

static void
test_buf(void)
{
	struct peft_buf b = { 0 };
	bool same = true;
	size_t i;

	for (i = 0; i < 1000; i++)
		peft_buf_printf(&b, "%03zu,", i);
	for (i = 0; i < 1000; i++)
		same = same && (size_t)atoi(b.data + 4 * i) == i &&
		    b.data[4 * i + 3] == ',';
	ok(same && b.len == 4000 && !b.failed, "what is put is kept");
	peft_buf_clear(&b);
	ok(b.len == 0 && b.data[0] == '\0', "clear leaves an empty string");
	peft_buf_put(&b, "a\0b", 3);
	peft_buf_putc(&b, 200);
	peft_buf_puts(&b, "c");
	ok(b.len == 5 && memcmp(b.data, "a\0b\310c", 6) == 0,
	    "any bytes, and a NUL behind");
	peft_buf_put(&b, "x", SIZE_MAX - 3);
	peft_buf_puts(&b, "y");
	peft_buf_printf(&b, "%d", 1);
	ok(b.failed && b.len == 5 && memcmp(b.data, "a\0b\310c", 6) == 0,
	    "a failure stays, and what was there too");
	peft_buf_free(&b);
	ok(b.data == NULL && !b.failed, "free starts anew");
	peft_buf_put(&b, "x", SIZE_MAX);
	ok(b.failed, "room for the NUL is counted");
	peft_buf_free(&b);
}

static void
test_alloc(void)
{
	struct peft_err err = { 0 };
	size_t cap = 0, i;
	int *a = NULL, *grown;
	char *s;
	bool same = true;

	ok(peft_calloc(SIZE_MAX / 2, 4, &err) == NULL && strstr(err.msg,
	    "no memory") != NULL, "calloc: a product too large is refused");
	s = peft_calloc(0, 0, &err);
	ok(s != NULL, "nothing is no failure");
	free(s);
	for (i = 0; i < 1000; i++) {
		grown = peft_grow(a, i, &cap, sizeof(*a), &err);
		need(grown != NULL && cap > i, &err);
		a = grown;
		a[i] = (int)i;
	}
	for (i = 0; i < 1000; i++)
		same = same && a[i] == (int)i;
	ok(same && cap < 2000, "an array grows by half, keeping what it had");
	cap = SIZE_MAX / 4;
	ok(peft_grow(a, cap, &cap, sizeof(*a), &err) == NULL && cap ==
	    SIZE_MAX / 4 && a[999] == 999, "grown beyond all numbers: refused");
	cap = SIZE_MAX - 1;
	ok(peft_grow(a, cap, &cap, 1, &err) == NULL && cap == SIZE_MAX - 1,
	    "and where the count itself is");
	free(a);
	s = peft_strdup("text", &err);
	ok(s != NULL && strcmp(s, "text") == 0, "strdup");
	free(s);
}

/* By the definition: what the bits say, and no shorter way of saying it. */
static size_t
plain_utf8(const unsigned char *s)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ?
	    3 : s[0] >> 3 == 30 ? 4 : 0, i;
	unsigned cp = s[0] & (0x7fu >> len);

	if (len < 2)
		return len;
	for (i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		cp = cp << 6 | (s[i] & 63u);
	}
	return cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 &&
	    cp <= 0xdfff) ? 0 : len;
}

static void
test_utf8(void)
{
	static const unsigned char tails[] = { 0x41, 0x7f, 0x80, 0xbf, 0xc0 };
	unsigned char s[4];
	unsigned cp, i, j, k;
	bool same = true;
	char c[4];
	size_t n;

	for (cp = 0; cp <= 0x10ffff; cp++) {
		n = peft_utf8_put(c, cp);
		same = same && peft_utf8_len(c, n) == (cp - 0xd800 < 0x800 ?
		    0 : n) && peft_utf8_get(c, n) == cp &&
		    (n == 1 || peft_utf8_len(c, n - 1) == 0);
	}
	ok(same, "UTF-8: every code point there and back, none cut, no "
	    "surrogate");
	for (same = true, i = 0; i < 0x10000; i++)
		for (j = 0; j < sizeof(tails); j++)
			for (k = 0; k < sizeof(tails); k++) {
				s[0] = (unsigned char)(i >> 8);
				s[1] = (unsigned char)i;
				s[2] = tails[j];
				s[3] = tails[k];
				memcpy(c, s, 4);
				same = same && peft_utf8_len(c, 4) ==
				    plain_utf8(s);
			}
	ok(same, "every pair of first bytes is judged by the definition");
	ok(peft_utf8_len("", 0) == 0 && peft_utf8_len("\0", 1) == 1,
	    "nothing is no character, NUL is one");
}

static void
test_map(void)
{
	enum { MANY = 20000 };
	static char names[MANY][12];
	struct peft_err err = { 0 };
	struct peft_map m = { 0 };
	bool good = peft_map_find(&m, "x", 1) == NULL;
	size_t i, *v;

	for (i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "name%zu", i * 7);
		/* a table that is full would be searched for ever */
		good = good && peft_map_add(&m, names[i], strlen(names[i]), i,
		    &err) == 1 && peft_map_find(&m, "x", 1) == NULL;
	}
	for (i = 0; i < MANY; i++) {
		v = peft_map_find(&m, names[i], strlen(names[i]));
		good = good && v != NULL && *v == i && peft_map_add(&m,
		    names[i], strlen(names[i]), 1, &err) == 0 && *v == i;
	}
	ok(good && m.n == MANY, "map: what was added is found, once");
	ok(peft_map_find(&m, "name1", 5) == NULL && peft_map_find(&m, "name",
	    4) == NULL && peft_map_find(&m, "", 0) == NULL, "and nothing else");
	ok(peft_map_add(&m, "", 0, 5, &err) == 1 && peft_map_add(&m, "\0", 1,
	    6, &err) == 1 && *peft_map_find(&m, "\0\0", 1) == 6 &&
	    *peft_map_find(&m, "", 0) == 5 && peft_map_find(&m, "\0\0", 2) ==
	    NULL, "keys are bytes, of any number");
	peft_map_free(&m);
}

static int
regex(const char *pattern, const char *text, bool full, struct peft_err *err)
{
	struct peft_regex *re = peft_regex_open(pattern, err);
	int r;

	need(re != NULL, err);
	r = full ? peft_regex_full(re, text, err) :
	    peft_regex_search(re, text, err);
	peft_regex_close(re);
	return r;
}

static void
test_regex(void)
{
	/* some hundred thousand ways to fail */
	static const char slow[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaab";
	struct peft_err err = { 0 };

	ok(regex("q|qk", "qk", true, &err) == 1 && regex("q", "qk", true,
	    &err) == 0 && regex("k", "qk", true, &err) == 0 &&
	    regex("", "", true, &err) == 1, "a pattern of the whole text");
	ok(regex("k", "qkv", false, &err) == 1 && regex("^k", "qkv", false,
	    &err) == 0, "or of a part");
	ok(regex("^.$", "\xc3\xa9", true, &err) == 1,
	    "a character is not a byte");
	ok(peft_regex_open("q(", &err) == NULL && strstr(err.msg, "'q('") !=
	    NULL && strstr(err.msg, "character 3") != NULL,
	    "a wrong one is named, and where");
	ok(regex("(a|aa)+[cd]", slow, false, &err) == -1 && strstr(err.msg,
	    "takes too long") != NULL, "what takes forever is stopped");
}

int
main(void)
{
	test_errors();
	test_name();
	test_arena();
	test_buf();
	test_alloc();
	test_utf8();
	test_map();
	test_regex();
	return tap_end();
}
