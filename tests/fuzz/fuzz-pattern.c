/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of tokenizers: one, a line "=== text ===", and a text
 * in which all that matches is found: in order, within it, at the bounds of
 * its characters, the same when it is asked for once more.
 */

#include "base/buf.h"
#include "input.h"
#include "text/pattern.h"
#include "text/unicode.h"

static bool
is_bound(const char *s, size_t n, size_t at)
{
	return at == n || ((unsigned char)s[at] & 0xc0) != 0x80;
}

static void
find_all(const struct peft_pattern *p, const char *s, size_t n)
{
	size_t at = 0, begin = 0, end = 0, b, e;
	struct peft_err err = { 0 };

	while (at <= n && peft_pattern_find(p, s, n, at, &begin, &end,
	    &err) == 1) {
		FUZZ_CLAIM(begin >= at && begin <= end && end <= n);
		FUZZ_CLAIM(is_bound(s, n, begin) && is_bound(s, n, end));
		FUZZ_CLAIM(peft_pattern_find(p, s, n, at, &b, &e, &err) == 1 &&
		    b == begin && e == end);
		at = end > at ? end : end + (end < n ? peft_utf8_len(s + end,
		    n - end) : 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts parts = fuzz_split(data, size, "\n=== text ===\n");
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 };
	struct peft_pattern *p;

	if (parts.second == NULL || parts.nsecond > 4096 ||
	    peft_utf8_span(parts.first, parts.nfirst) != parts.nfirst ||
	    peft_utf8_span(parts.second, parts.nsecond) != parts.nsecond ||
	    memchr(parts.first, '\0', parts.nfirst) != NULL)
		return 0;
	peft_buf_put(&b, parts.first, parts.nfirst);
	p = peft_pattern_regex(b.data, &err);
	FUZZ_CLAIM((p == NULL) == (err.msg[0] != '\0'));
	if (p != NULL)
		find_all(p, parts.second, parts.nsecond);
	peft_pattern_close(p);
	peft_buf_free(&b);
	return 0;
}
