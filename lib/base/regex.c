/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, by PCRE2. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/regex.h"

struct peft_regex {
	pcre2_code		*code;
	pcre2_match_context	*limits;
	char			*pattern;
};

struct peft_regex *
peft_regex_open(const char *pattern, struct peft_err *err)
{
	struct peft_regex *re = peft_calloc(1, sizeof(*re), err);
	unsigned char why[128];
	PCRE2_SIZE at;
	int code;

	if (re == NULL)
		return NULL;
	if ((re->pattern = peft_strdup(pattern, err)) == NULL) {
		peft_regex_close(re);
		return NULL;
	}
	re->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
	    PCRE2_UTF, &code, &at, NULL);
	if (re->code == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		peft_seterr(err, "pattern '%s', at character %zu: %s", pattern,
		    (size_t)at + 1, (const char *)why);
		peft_regex_close(re);
		return NULL;
	}
	if ((re->limits = pcre2_match_context_create(NULL)) == NULL) {
		peft_seterr(err, "pattern '%s': no memory", pattern);
		peft_regex_close(re);
		return NULL;
	}
	pcre2_set_match_limit(re->limits, 100000);
	pcre2_set_depth_limit(re->limits, 10000);
	return re;
}

void
peft_regex_close(struct peft_regex *re)
{
	if (re == NULL)
		return;
	pcre2_code_free(re->code);
	pcre2_match_context_free(re->limits);
	free(re->pattern);
	free(re);
}

static int
match(const struct peft_regex *re, const char *text, uint32_t options,
    struct peft_err *err)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	int r;

	if (data == NULL)
		return peft_seterr(err, "pattern '%s': no memory",
		    re->pattern);
	r = pcre2_match(re->code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0,
	    options, data, re->limits);
	pcre2_match_data_free(data);
	if (r >= 0)
		return 1;
	return r == PCRE2_ERROR_NOMATCH ? 0 : peft_seterr(err, "pattern '%s' "
	    "takes too long on '%.60s'", re->pattern, text);
}

int
peft_regex_full(const struct peft_regex *re, const char *text,
    struct peft_err *err)
{
	return match(re, text, PCRE2_ANCHORED | PCRE2_ENDANCHORED, err);
}

int
peft_regex_search(const struct peft_regex *re, const char *text,
    struct peft_err *err)
{
	return match(re, text, 0, err);
}
