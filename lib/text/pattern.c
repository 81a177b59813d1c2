/* SPDX-License-Identifier: Apache-2.0 */
/* Searching for strings and regular expressions. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "text/pattern-impl.h"
#include "text/pattern.h"

struct peft_pattern {
	char			*text;
	size_t			 len;
	pcre2_code		*code;		/* NULL: a string */
	pcre2_match_context	*limits;
};

static int
compile(struct peft_pattern *p, struct peft_err *err)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	struct peft_buf b = { 0 };
	unsigned char why[128];
	PCRE2_SIZE at;
	int code = 0, r;

	r = peft_pattern_translate(p->text, &b, err);
	b.failed |= c == NULL;
	if (c != NULL)
		pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	if (r == 0 && !b.failed)
		p->code = pcre2_compile((PCRE2_SPTR)(b.data == NULL ? "" :
		    b.data), b.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
		    PCRE2_DOLLAR_ENDONLY, &code, &at, c);
	pcre2_compile_context_free(c);
	if (r == 0 && p->code == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		r = peft_seterr(err, "%s", b.failed ? "no memory" :
		    (const char *)why);
	}
	peft_buf_free(&b);
	if (r == -1)
		return peft_errprefix(err, "pattern '%.200s'", p->text);
	/* without it matching is slow but the same */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	if ((p->limits = pcre2_match_context_create(NULL)) == NULL)
		return peft_seterr(err, "no memory");
	pcre2_set_match_limit(p->limits, 10000000);
	pcre2_set_heap_limit(p->limits, 256 * 1024);
	return 0;
}

struct peft_pattern *
peft_pattern_string(const char *s, struct peft_err *err)
{
	struct peft_pattern *p = peft_calloc(1, sizeof(*p), err);

	if (p == NULL)
		return NULL;
	p->len = strlen(s);
	if ((p->text = peft_strdup(s, err)) == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

struct peft_pattern *
peft_pattern_regex(const char *s, struct peft_err *err)
{
	struct peft_pattern *p = peft_pattern_string(s, err);

	if (p != NULL && compile(p, err) == -1) {
		peft_pattern_close(p);
		return NULL;
	}
	return p;
}

void
peft_pattern_close(struct peft_pattern *p)
{
	if (p == NULL)
		return;
	pcre2_code_free(p->code);
	pcre2_match_context_free(p->limits);
	free(p->text);
	free(p);
}

static int
search(const struct peft_pattern *p, const char *s, size_t n, size_t at,
    pcre2_match_data *data)
{
	int r = pcre2_match(p->code, (PCRE2_SPTR)s, n, at,
	    PCRE2_NO_UTF_CHECK, data, p->limits);

	/* the compiled form has a small stack; the other a large heap */
	if (r == PCRE2_ERROR_JIT_STACKLIMIT)
		r = pcre2_match(p->code, (PCRE2_SPTR)s, n, at,
		    PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, p->limits);
	return r;
}

int
peft_pattern_find(const struct peft_pattern *p, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	pcre2_match_data *data;
	const char *hit;
	int r;

	if (p->code == NULL) {
		hit = n - at < p->len ? NULL : memmem(s + at, n - at, p->text,
		    p->len);
		if (hit == NULL)
			return 0;
		*begin = (size_t)(hit - s);
		*end = *begin + p->len;
		return 1;
	}
	if ((data = pcre2_match_data_create(1, NULL)) == NULL)
		return peft_seterr(err, "no memory to search");
	if ((r = search(p, s, n, at, data)) >= 0) {
		*begin = pcre2_get_ovector_pointer(data)[0];
		*end = pcre2_get_ovector_pointer(data)[1];
	}
	pcre2_match_data_free(data);
	if (r >= 0)
		return 1;
	return r == PCRE2_ERROR_NOMATCH ? 0 : peft_seterr(err, "the pattern "
	    "'%.200s' takes too long", p->text);
}
