/* SPDX-License-Identifier: Apache-2.0 */
/* logits-tool MODEL [ADAPTER ...] <TOKENS >FLOATS: the logits of every token
 * of every record, f32 in the machine's order.  Several adapters act together,
 * one after the other. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/session.h"

static void
need(int good, const struct peft_err *err)
{
	if (good)
		return;
	fprintf(stderr, "logits-tool: %s\n", err->msg);
	exit(2);
}

static size_t
longest(const struct peft_records *r)
{
	size_t i, n = 1;

	for (i = 0; i < r->n; i++)
		n = r->at[i].n > n ? r->at[i].n : n;
	return n;
}

static void
put_logits(struct peft_run *run, const struct peft_record *r, size_t vocab,
    int adapter)
{
	struct peft_seq seq = { .ids = r->ids, .n = r->n, .weight = 1,
	    .adapter = adapter, .task = r->task };
	struct peft_err err = { 0 };
	size_t *rows = calloc(r->n, sizeof(*rows)), i;
	float *logits = calloc(r->n, vocab * sizeof(*logits));

	if (rows == NULL || logits == NULL)
		exit(2);
	for (i = 0; i < r->n; i++)
		rows[i] = i;
	need(peft_run_logits(run, &seq, 1, rows, r->n, logits, &err) == 0,
	    &err);
	if (fwrite(logits, sizeof(*logits), r->n * vocab, stdout) !=
	    r->n * vocab)
		exit(2);
	free(rows);
	free(logits);
}

enum { MOST = 8 };

int
main(int argc, char **argv)
{
	char named[MOST][1024], all[64] = "all=";
	const char *adapters[MOST], *combined[] = { all };
	struct peft_sessionopt o = { .model = argc > 1 ? argv[1] : "",
	    .adapters = adapters, .combined = combined };
	struct peft_session s;
	struct peft_records r = { 0 };
	struct peft_err err = { 0 };
	struct peft_caps caps = { .seqs = 1 };
	struct peft_run *run;
	size_t i, vocab;

	for (; o.nadapters < MOST && (int)o.nadapters + 2 < argc;
	    o.nadapters++) {
		i = o.nadapters;
		snprintf(named[i], sizeof(named[i]), "n%zu=%s", i, argv[i + 2]);
		adapters[i] = named[i];
		snprintf(all + strlen(all), sizeof(all) - strlen(all),
		    "%sn%zu", i > 0 ? "," : "", i);
	}
	o.ncombined = o.nadapters > 1;
	need(peft_session_open(&s, &o, &err) == 0, &err);
	vocab = peft_net_config(s.net)->vocab;
	need(peft_records_read(&r, NULL, 0, vocab, true, &err) == 0, &err);
	caps.tokens = caps.seq = longest(&r) +
	    peft_sites_virtual(peft_net_sites(s.net), -1);
	need((run = peft_run_open(s.net, &caps, &err)) != NULL, &err);
	for (i = 0; i < r.n; i++)
		put_logits(run, &r.at[i], vocab, o.ncombined > 0 ?
		    (int)o.nadapters : (int)o.nadapters - 1);
	peft_run_close(run);
	peft_records_free(&r);
	peft_session_close(&s);
	return fflush(stdout) == 0 ? 0 : 2;
}
