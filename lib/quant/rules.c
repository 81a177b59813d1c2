/* SPDX-License-Identifier: Apache-2.0 */
/* Types by regular expressions. */

#include <stdlib.h>

#include "base/buf.h"
#include "base/regex.h"
#include "quant/rules.h"

struct peft_rules {
	struct one {
		struct peft_rule	 rule;
		struct peft_regex	*re;
		size_t			 hits;
	}	*at;
	size_t	 n;
	bool	 gguf;
};

struct peft_rules *
peft_rules_open(const struct peft_rule *rules, size_t n, bool gguf,
    struct peft_err *err)
{
	struct peft_rules *r = peft_calloc(1, sizeof(*r), err);

	if (r == NULL)
		return NULL;
	r->gguf = gguf;
	r->at = peft_calloc(n + 1, sizeof(*r->at), err);
	for (; r->at != NULL && r->n < n; r->n++) {
		struct one *o = &r->at[r->n];

		o->rule = rules[r->n];
		o->re = peft_regex_open(o->rule.pattern, err);
		if (o->re == NULL)
			break;
	}
	if (r->at == NULL || r->n < n) {
		peft_rules_close(r);
		return NULL;
	}
	return r;
}

void
peft_rules_close(struct peft_rules *r)
{
	size_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->n; i++)
		peft_regex_close(r->at[i].re);
	free(r->at);
	free(r);
}

static bool
for_matrices(const struct peft_rules *r, enum peft_dtype t)
{
	return t != PEFT_NDTYPE && t != PEFT_F32 && (r->gguf ||
	    (t != PEFT_F16 && t != PEFT_BF16));
}

int
peft_rules_match(struct peft_rules *r, const struct peft_weight *w,
    const struct peft_rule **rule, struct peft_err *err)
{
	size_t i;
	int hit;

	*rule = NULL;
	for (i = 0; i < r->n; i++) {
		struct one *o = &r->at[i];

		if (w->ndim < 2 && for_matrices(r, o->rule.dtype))
			continue;
		if ((hit = peft_regex_search(o->re, w->name, err)) == -1)
			return -1;
		if (hit == 0)
			continue;
		o->hits++;
		*rule = &o->rule;
	}
	return *rule != NULL;
}

int
peft_rules_all_hit(const struct peft_rules *r, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		const struct one *o = &r->at[i];

		if (o->hits > 0)
			continue;
		if (o->rule.dtype == PEFT_NDTYPE)
			return peft_seterr(err, "--keep '%s' matches no weight",
			    o->rule.pattern);
		return peft_seterr(err, "--type '%s=%s' matches no %s",
		    o->rule.pattern, peft_dtypes[o->rule.dtype].name,
		    for_matrices(r, o->rule.dtype) ? "matrix" : "weight");
	}
	return 0;
}
