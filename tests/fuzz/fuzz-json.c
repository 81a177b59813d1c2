/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: what is taken can be written, and is the same when read again; the
 * walk that skips values ends where the strict reader ends.
 */

#include "base/json.h"
#include "input.h"
#include "text/jsonwalk.h"

static void
ask(const cJSON *j)
{
	struct peft_err err = { 0 };
	const char *s = NULL;
	int64_t whole = -7;
	double real = 0;
	bool b;
	const cJSON *e;

	cJSON_ArrayForEach(e, j) {
		if (e->string == NULL)
			return;
		FUZZ_CLAIM(peft_json_get(j, e->string) == e);
		if (peft_json_str(j, e->string, &s, &err) == 1)
			FUZZ_CLAIM(strlen(s) < SIZE_MAX);
		(void)!peft_json_bool(j, e->string, &b, &err);
		(void)!peft_json_real(j, e->string, &real, &err);
		if (peft_json_int(j, e->string, -5, INT64_C(1) << 53, &whole,
		    &err) == 1)
			FUZZ_CLAIM(whole >= -5);
	}
}

static void
round_trip(const cJSON *j, int indent, bool sorted)
{
	struct peft_buf once = { 0 }, twice = { 0 };
	struct peft_err err = { 0 };
	cJSON *again;

	peft_json_print(&once, j, indent, sorted);
	again = peft_json(once.data, once.len, &err);
	FUZZ_CLAIM(again != NULL);
	peft_json_print(&twice, again, indent, sorted);
	FUZZ_CLAIM(once.len == twice.len &&
	    memcmp(once.data, twice.data, once.len) == 0);
	cJSON_Delete(again);
	peft_buf_free(&once);
	peft_buf_free(&twice);
}

static void
walk(const char *s, size_t len, bool valid)
{
	struct peft_err err = { 0 };
	struct peft_walk w = { s, s, s + len, &err };
	int r = peft_walk_skip(&w);

	FUZZ_CLAIM(w.p >= s && w.p <= s + len);
	if (valid)
		FUZZ_CLAIM(r == 0 && peft_walk_peek(&w) == -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_err err = { 0 };
	cJSON *j = peft_json((const char *)data, size, &err);

	walk((const char *)data, size, j != NULL);
	if (j == NULL)
		return 0;
	ask(j);
	round_trip(j, 0, false);
	round_trip(j, 2, true);
	cJSON_Delete(j);
	return 0;
}
