/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over records, and the lines of peft-results(5). */

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "eval/score.h"

struct peft_summary
peft_summarise(const struct peft_record *r, const struct peft_score *s,
    size_t n)
{
	struct peft_summary sum = { .records = n };
	double nll = 0, top1 = 0, match = 0, right = 0, right_norm = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		nll += s[i].nll;
		top1 += (double)s[i].top1;
		sum.tokens += s[i].tokens;
		sum.asked += s[i].asked;
		match += s[i].asked && s[i].match;
		sum.chosen += s[i].chosen;
		right += s[i].chosen && s[i].choice == r[i].answer;
		right_norm += s[i].chosen && s[i].choice_norm == r[i].answer;
	}
	sum.predicted = sum.tokens;
	sum.judged = sum.chosen;
	sum.loss = nll / (double)sum.tokens;
	sum.perplexity = exp(sum.loss);
	sum.token_accuracy = top1 / (double)sum.tokens;
	sum.exact_match = match / (double)sum.asked;
	sum.accuracy = right / (double)sum.chosen;
	sum.accuracy_norm = right_norm / (double)sum.chosen;
	return sum;
}

/* The metrics of a summary: what each is called, where it is, and the count
 * that says whether it was measured. */
static const struct metric {
	const char	*name;
	size_t		 value, count;
} metrics[] = {
#define AT(f)	offsetof(struct peft_summary, f)
	{ "loss", AT(loss), AT(tokens) },
	{ "perplexity", AT(perplexity), AT(predicted) },
	{ "token_accuracy", AT(token_accuracy), AT(predicted) },
	{ "exact_match", AT(exact_match), AT(asked) },
	{ "accuracy", AT(accuracy), AT(judged) },
	{ "accuracy_norm", AT(accuracy_norm), AT(chosen) },
	{ "macro_f1", AT(macro_f1), AT(told) },
	{ "micro_f1", AT(micro_f1), AT(told) },
	{ "mae", AT(mae), AT(values) },
#undef AT
};

enum { NMETRIC = sizeof(metrics) / sizeof(metrics[0]) };

static double
value_of(const struct peft_summary *s, const struct metric *m)
{
	double v;

	memcpy(&v, (const char *)s + m->value, sizeof(v));
	return v;
}

static size_t
count_of(const struct peft_summary *s, const struct metric *m)
{
	size_t n;

	memcpy(&n, (const char *)s + m->count, sizeof(n));
	return n;
}

int
peft_summary_value(const void *summary, const char *name, double *value)
{
	const struct peft_summary *s = summary;
	size_t i;

	for (i = 0; i < NMETRIC; i++)
		if (strcmp(metrics[i].name, name) == 0) {
			*value = value_of(s, &metrics[i]);
			return count_of(s, &metrics[i]) > 0;
		}
	return -1;
}

void
peft_summary_begin(struct peft_buf *b, const char *system,
    const struct peft_summary *s)
{
	size_t i;

	peft_buf_puts(b, "{\"summary\":{\"system\":");
	peft_json_putstr(b, system, strlen(system));
	peft_buf_printf(b, ",\"records\":%zu,\"tokens\":%zu", s->records,
	    s->tokens);
	for (i = 0; i < NMETRIC; i++)
		if (count_of(s, &metrics[i]) > 0) {
			peft_buf_printf(b, ",\"%s\":", metrics[i].name);
			peft_json_putreal(b, value_of(s, &metrics[i]));
		}
}

void
peft_summary_put(struct peft_buf *b, const char *system,
    const struct peft_summary *s)
{
	peft_summary_begin(b, system, s);
	peft_buf_puts(b, "}}\n");
}

void
peft_score_put(struct peft_buf *b, const char *system, size_t number,
    const struct peft_record *r, const struct peft_score *s)
{
	peft_buf_puts(b, "{\"system\":");
	peft_json_putstr(b, system, strlen(system));
	peft_buf_printf(b, ",\"record\":%zu", number);
	if (r->id != NULL) {
		peft_buf_puts(b, ",\"id\":");
		peft_json_putstr(b, r->id, strlen(r->id));
	}
	peft_buf_printf(b, ",\"tokens\":%zu,\"nll\":", s->tokens);
	peft_json_putreal(b, s->nll);
	if (s->tokens > 0) {
		peft_buf_puts(b, ",\"loss\":");
		peft_json_putreal(b, s->nll / (double)s->tokens);
	}
	if (s->asked)
		peft_buf_printf(b, ",\"match\":%s",
		    s->match ? "true" : "false");
	if (s->answer != NULL) {
		peft_buf_puts(b, ",\"answer\":");
		peft_json_putstr(b, s->answer, strlen(s->answer));
	}
	if (s->chosen)
		peft_buf_printf(b, ",\"choice\":%zu,\"choice_norm\":%zu,"
		    "\"correct\":%s,\"correct_norm\":%s", s->choice,
		    s->choice_norm, s->choice == r->answer ? "true" : "false",
		    s->choice_norm == r->answer ? "true" : "false");
	peft_buf_puts(b, "}\n");
}
