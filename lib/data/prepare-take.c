/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with records in their order, when threads are done with them. */

#include "data/fix.h"
#include "data/prepare-impl.h"

/* A bad record: an error, unless some may be left out. */
static int
bad_record(struct peft_prep *p, struct peft_slot *s, struct peft_err *err)
{
	peft_errprefix(&s->err, "%s:%zu", s->label, s->line);
	if (p->skipped < p->skip_bad) {
		p->skipped++;
		if (p->bad != NULL)
			p->bad(p->ctx, s->err.msg);
		return 0;
	}
	*err = s->err;
	return -1;
}

static int
take_look(struct peft_run *run, struct peft_slot *s, struct peft_err *err)
{
	struct peft_place place = { s->label, s->line };
	struct peft_prep *p = run->prep;

	if (s->status == -1) {
		s->look = (struct peft_look){ .tokens = 0 };
		s->look.found[PEFT_F_BAD] = true;
	}
	peft_buf_clear(&s->out);
	if (peft_lint_add(&p->lint, &s->look, &place, err) == -1)
		return -1;
	peft_lint_put(&s->out, &p->lint, &s->look, &place, s->err.msg,
	    p->json);
	return peft_out_write(run->outs[s->part], s->out.data, s->out.len,
	    err);
}

static void
tell(const struct peft_prep *p, const struct peft_slot *s, const char *what,
    const char *why)
{
	struct peft_buf b = { 0 };

	peft_buf_printf(&b, "%s:%zu: %s%s%s", s->label, s->line, what,
	    why != NULL ? ": " : "", why != NULL ? why : "");
	if (!b.failed && p->note != NULL)
		p->note(p->ctx, b.data);
	peft_buf_free(&b);
}

/* Why a record cannot stay: a finding, or PEFT_NFINDING. */
static enum peft_finding
fault(const struct peft_prep *p, const struct peft_look *k)
{
	static const enum peft_finding faults[] = { PEFT_F_BAD, PEFT_F_EMPTY,
	    PEFT_F_ORDER, PEFT_F_UNSUPERVISED, PEFT_F_DUPLICATE,
	    PEFT_F_LEAK };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (k->found[faults[i]])
			return faults[i];
	return k->found[PEFT_F_LONG] && p->over == PEFT_OVER_DROP ?
	    PEFT_F_LONG : PEFT_NFINDING;
}

static int
take_fixed(struct peft_run *run, struct peft_slot *s, struct peft_err *err)
{
	struct peft_place place = { s->label, s->line };
	struct peft_prep *p = run->prep;
	struct peft_buf b = { 0 };
	enum peft_finding why = PEFT_F_BAD;

	if (s->status == 0) {
		if (peft_lint_add(&p->lint, &s->look, &place, err) == -1)
			return -1;
		why = fault(p, &s->look);
	}
	if (why != PEFT_NFINDING) {
		p->fixed_away++;
		peft_buf_printf(&b, "left out: %s", peft_findings[why].what);
		if (!b.failed)
			tell(p, s, b.data, why == PEFT_F_BAD ? s->err.msg :
			    NULL);
		peft_buf_free(&b);
		return 0;
	}
	p->records++;
	if (s->mended != 0) {
		p->changed++;
		peft_fix_describe(&b, s->mended);
		if (!b.failed)
			tell(p, s, b.data, NULL);
		peft_buf_free(&b);
	}
	return peft_out_write(run->outs[s->part], s->out.data, s->out.len,
	    err);
}

int
peft_run_take(struct peft_run *run, struct peft_slot *s, struct peft_err *err)
{
	struct peft_prep *p = run->prep;

	if (p->mode == PEFT_PREP_LINT)
		return take_look(run, s, err);
	if (p->mode == PEFT_PREP_FIX)
		return take_fixed(run, s, err);
	if (s->status == -1)
		return bad_record(p, s, err);
	p->records += s->records;
	p->part[s->part] += s->records;
	p->dropped += s->dropped;
	p->cut += s->cut;
	p->idle += s->idle;
	p->batched += s->batched;
	p->tokens += s->tokens;
	p->supervised += s->supervised;
	p->classes += s->classes;
	return peft_out_write(run->outs[s->part], s->out.data, s->out.len,
	    err);
}

/* One line of it, if there is one. */
static void
sum(const struct peft_prep *p, struct peft_buf *b)
{
	if (b->len > 0 && !b->failed && p->note != NULL)
		p->note(p->ctx, b->data);
	peft_buf_clear(b);
}

/* How much each of mixed inputs has given, and what became of the rest. */
void
peft_run_tell(const struct peft_run *run, const struct peft_feedopt *from)
{
	const struct peft_prep *p = run->prep;
	struct peft_buf b = { 0 };
	size_t i;

	for (i = 0; from->mix && i < from->n; i++)
		peft_buf_printf(&b, "%s%zu of %s", i > 0 ? ", " : "",
		    peft_feed_given(run->feed, i), from->from[i].path);
	sum(p, &b);
	if (p->records + p->skipped + p->dropped + p->fixed_away == 0)
		peft_buf_puts(&b, "there are no records");
	sum(p, &b);
	if (p->skipped > 0)
		peft_buf_printf(&b, "%zu bad record%s left out", p->skipped,
		    p->skipped == 1 ? "" : "s");
	sum(p, &b);
	if (p->classes > 0)
		peft_buf_printf(&b, "the label of %zu record%s is a class, for "
		    "a head to tell (--task causal-lm has the text learnt)",
		    p->classes, p->classes == 1 ? "" : "s");
	sum(p, &b);
	if (p->idle > 0)
		peft_buf_printf(&b, "%zu record%s no supervised token "
		    "(--lint tells which)", p->idle, p->idle == 1 ? " has" :
		    "s have");
	sum(p, &b);
	if (p->dropped > 0 || p->cut > 0)
		peft_buf_printf(&b, "%zu records dropped, %zu cut at %zu "
		    "tokens", p->dropped, p->cut, p->max_length);
	sum(p, &b);
	if (p->batched > 0)
		peft_buf_printf(&b, "%zu of %zu records have other lengths "
		    "than tokenizer.json's \"truncation\" and \"padding\" "
		    "would give them; these are not obeyed", p->batched,
		    p->records);
	sum(p, &b);
	if (p->mode == PEFT_PREP_FIX)
		peft_buf_printf(&b, "%zu records, %zu of them changed; %zu "
		    "left out", p->records, p->changed, p->fixed_away);
	sum(p, &b);
	peft_buf_free(&b);
}
