/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a data set, by hashes. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "data/split.h"

int
peft_split_parse(struct peft_split *s, const char *arg, struct peft_err *err)
{
	const char *p = arg;
	char *end;

	for (s->n = 0; s->n < PEFT_SPLIT_PARTS; p = end + 1) {
		s->share[s->n] = strtod(p, &end);
		if (end == p || !isfinite(s->share[s->n]) ||
		    !(s->share[s->n] > 0))
			break;
		s->n++;
		if (*end == '\0' && s->n > 1)
			return 0;
		if (*end != '/')
			break;
	}
	s->n = 0;
	return peft_seterr(err, "'%s' is not two to %d shares above 0, as in "
	    "90/10", arg, PEFT_SPLIT_PARTS);
}

/* Uniform in [0, 1), by the first 52 bits of the hash. */
static double
place(const struct peft_buf *b)
{
	char hex[PEFT_SHA256_HEX];

	peft_sha256_of(b->data, b->len, hex);
	hex[13] = '\0';
	return (double)strtoull(hex, NULL, 16) / (double)(UINT64_C(1) << 52);
}

int
peft_split_part(const struct peft_split *s, const cJSON *record, size_t *part,
    struct peft_err *err)
{
	const cJSON *v = record;
	struct peft_buf b = { 0 };
	double sum = 0, at, upto = 0;
	size_t i;

	*part = 0;
	if (s->n == 0)
		return 0;
	if (s->by != NULL && (v = peft_json_get(record, s->by)) == NULL)
		return peft_seterr(err, "there is no \"%s\" to split by",
		    s->by);
	peft_json_print(&b, v, 0, true);
	if (b.failed)
		return peft_seterr(err, "no memory for a record");
	at = place(&b);
	peft_buf_free(&b);
	for (i = 0; i < s->n; i++)
		sum += s->share[i];
	for (i = 0; i + 1 < s->n; i++) {
		upto += s->share[i] / sum;
		if (at < upto)
			break;
	}
	*part = i;
	return 0;
}
