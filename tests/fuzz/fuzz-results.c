/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Result files as peft-eval --compare reads them: one, a line
 * "=== other ===", and another.  What is said of them is JSON, and a file
 * that can be read does not differ from itself.
 */

#include <math.h>

#include "base/json.h"
#include "eval/compare.h"
#include "input.h"

static void
check_lines(const struct peft_buf *b, bool equal)
{
	const char *p = b->data, *end = b->data + b->len, *nl;
	struct peft_err err = { 0 };
	const cJSON *c;
	cJSON *j;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		FUZZ_CLAIM(nl != NULL);
		j = peft_json(p, (size_t)(nl - p), &err);
		c = peft_json_get(j, "compare");
		FUZZ_CLAIM(cJSON_IsObject(c));
		FUZZ_CLAIM(cJSON_IsNumber(peft_json_get(c, "difference")));
		FUZZ_CLAIM(peft_json_get(c, "low")->valuedouble <=
		    peft_json_get(c, "high")->valuedouble);
		if (equal)
			FUZZ_CLAIM(peft_json_get(c,
			    "difference")->valuedouble == 0 &&
			    peft_json_get(c, "wins")->valuedouble == 0 &&
			    peft_json_get(c, "losses")->valuedouble == 0);
		cJSON_Delete(j);
	}
}

static void
compare(const char *a, const char *b, const char *system)
{
	char x[128], y[128];
	struct peft_buf out = { 0 };
	struct peft_err err = { 0 };

	snprintf(x, sizeof(x), "%s%s", a, system);
	snprintf(y, sizeof(y), "%s%s", b, system);
	if (peft_compare(x, y, 1, &out, &err) == 0) {
		FUZZ_CLAIM(out.len > 0);
		check_lines(&out, a == b);
	} else
		FUZZ_CLAIM(err.msg[0] != '\0');
	peft_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size, "=== other ===\n");
	struct fuzz_path a = fuzz_file(p.first, p.nfirst);
	struct fuzz_path b = fuzz_file(p.second, p.nsecond);

	compare(a.path, a.path, "");
	compare(a.path, b.path, "");
	compare(a.path, b.path, "=base");
	fuzz_close(&a);
	fuzz_close(&b);
	return 0;
}
