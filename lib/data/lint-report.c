/* SPDX-License-Identifier: Apache-2.0 */
/* Mistakes in training data, as people and programs read them. */

#include <string.h>

#include "base/json.h"
#include "data/lint.h"

const struct peft_finding_text peft_findings[PEFT_NFINDING] = {
	[PEFT_F_UNSUPERVISED] = { "unsupervised", "nothing is supervised",
	    "nothing is learnt from it: leave it out" },
	[PEFT_F_NOEND] = { "no_end", "the answer does not end with an end "
	    "token", "the model would not learn to stop: look at the "
	    "template" },
	[PEFT_F_LONG] = { "too_long", "longer than the limit",
	    "--over drop or cut" },
	[PEFT_F_DUPLICATE] = { "duplicate", "the same as an earlier record",
	    "--fix leaves it out" },
	[PEFT_F_NEAR] = { "near_duplicate", "nearly the same as an earlier "
	    "record", "look whether both are wanted" },
	[PEFT_F_LEAK] = { "leak", "its prompt is in the test set, or nearly",
	    "--fix leaves it out" },
	[PEFT_F_EMPTY] = { "empty", "an assistant turn is empty",
	    "--fix leaves the record out" },
	[PEFT_F_ORDER] = { "order", "roles are out of order",
	    "--fix joins turns of one role and leaves out what answers "
	    "nothing" },
	[PEFT_F_ROLE] = { "role", "a role that the chat template does not "
	    "know", "is it misspelt? only what the assistant says is "
	    "learnt" },
	[PEFT_F_SPECIAL] = { "special", "special tokens are spelt out in the "
	    "content", "they are text; --control makes them tokens in prompts "
	    "and texts" },
	[PEFT_F_UNKNOWN] = { "unknown", "the vocabulary does not have all of "
	    "the text", "it is lost: clean the text or take another model" },
	[PEFT_F_DRIFT] = { "drift", "made with another tokenizer or chat "
	    "template than the model's", "make the records again" },
	[PEFT_F_BAD] = { "bad", "cannot be encoded",
	    "--fix and --skip-bad leave it out" },
};

static bool
has_like(enum peft_finding i)
{
	return i == PEFT_F_DUPLICATE || i == PEFT_F_NEAR;
}

static void
put_json(struct peft_buf *b, const struct peft_lint *l,
    const struct peft_look *k, const struct peft_place *at, const char *why,
    enum peft_finding i)
{
	const struct peft_place *like = has_like(i) ? &l->places[k->like] :
	    NULL;

	peft_buf_puts(b, "{\"file\":");
	peft_json_putstr(b, at->label, strlen(at->label));
	peft_buf_printf(b, ",\"line\":%zu,\"finding\":\"%s\"", at->line,
	    peft_findings[i].name);
	if (k->message[i] > 0)
		peft_buf_printf(b, ",\"message\":%zu", k->message[i]);
	if (like != NULL) {
		peft_buf_puts(b, ",\"like\":{\"file\":");
		peft_json_putstr(b, like->label, strlen(like->label));
		peft_buf_printf(b, ",\"line\":%zu}", like->line);
	}
	if (i == PEFT_F_BAD && why != NULL) {
		peft_buf_puts(b, ",\"why\":");
		peft_json_putstr(b, why, strlen(why));
	}
	peft_buf_puts(b, "}\n");
}

static void
put_text(struct peft_buf *b, const struct peft_lint *l,
    const struct peft_look *k, const struct peft_place *at, const char *why,
    enum peft_finding i)
{
	peft_buf_printf(b, "%s:%zu: %s", at->label, at->line,
	    peft_findings[i].what);
	if (k->message[i] > 0)
		peft_buf_printf(b, " (message %zu)", k->message[i]);
	if (has_like(i))
		peft_buf_printf(b, " (%s:%zu)", l->places[k->like].label,
		    l->places[k->like].line);
	if (i == PEFT_F_BAD && why != NULL)
		peft_buf_printf(b, ": %s", why);
	peft_buf_putc(b, '\n');
}

void
peft_lint_put(struct peft_buf *b, const struct peft_lint *l,
    const struct peft_look *k, const struct peft_place *at, const char *why,
    bool json)
{
	int i;

	for (i = 0; i < PEFT_NFINDING; i++)
		if (k->found[i])
			(json ? put_json : put_text)(b, l, k, at, why,
			    (enum peft_finding)i);
}

static void
report_json(struct peft_buf *b, const struct peft_lint *l)
{
	const char *sep = "";
	int i;

	peft_buf_printf(b, "{\"records\":%zu,\"tokens\":%zu,"
	    "\"supervised\":%zu,\"longest\":%zu,\"over_limit\":%zu,"
	    "\"unknown\":%zu,\"straddled\":%zu,\"findings\":{", l->records,
	    l->tokens, l->supervised, l->longest, l->over, l->unknown,
	    l->straddled);
	for (i = 0; i < PEFT_NFINDING; i++)
		peft_buf_printf(b, "%s\"%s\":%zu", i > 0 ? "," : "",
		    peft_findings[i].name, l->count[i]);
	peft_buf_puts(b, "},\"lengths\":[");
	for (i = 0; i < PEFT_LINT_LENGTHS; i++)
		if (l->lengths[i] > 0) {
			peft_buf_printf(b, "%s{\"from\":%zu,\"to\":%zu,"
			    "\"records\":%zu}", sep, (size_t)1 << i,
			    ((size_t)2 << i) - 1, l->lengths[i]);
			sep = ",";
		}
	peft_buf_puts(b, "]}\n");
}

/* How long records are, a bar for each power of two. */
static void
histogram(struct peft_buf *b, const struct peft_lint *l)
{
	size_t most = 1, i, n;

	for (i = 0; i < PEFT_LINT_LENGTHS; i++)
		most = l->lengths[i] > most ? l->lengths[i] : most;
	for (i = 0; i < PEFT_LINT_LENGTHS; i++) {
		if (l->lengths[i] == 0)
			continue;
		peft_buf_printf(b, "%8zu to %-8zu tokens %8zu  ",
		    (size_t)1 << i, ((size_t)2 << i) - 1, l->lengths[i]);
		for (n = (l->lengths[i] * 30 + most - 1) / most; n > 0; n--)
			peft_buf_putc(b, '#');
		peft_buf_putc(b, '\n');
	}
}

void
peft_lint_report(struct peft_buf *b, const struct peft_lint *l, bool json)
{
	int i;

	if (json) {
		report_json(b, l);
		return;
	}
	peft_buf_printf(b, "%zu records, %zu tokens, %zu supervised "
	    "(%.1f %%), longest %zu\n", l->records, l->tokens, l->supervised,
	    l->tokens > 0 ? 100.0 * (double)l->supervised /
	    (double)l->tokens : 0, l->longest);
	histogram(b, l);
	if (l->over > 0)
		peft_buf_printf(b, "%zu tokens are past the limit of %zu\n",
		    l->over, l->max_length);
	if (l->straddled > 0)
		peft_buf_printf(b, "%zu answers begin within a token\n",
		    l->straddled);
	for (i = 0; i < PEFT_NFINDING; i++)
		if (l->count[i] > 0)
			peft_buf_printf(b, "%6zu  %s; %s\n", l->count[i],
			    peft_findings[i].what, peft_findings[i].hint);
}
