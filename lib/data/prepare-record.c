/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with one record, in any thread. */

#include <stdlib.h>

#include "data/fix.h"
#include "data/prepare-impl.h"
#include "data/shape.h"

static int
cut(const struct peft_prep *p, struct peft_record *r, struct peft_err *err)
{
	size_t i;

	if (r->n <= p->max_length)
		return 1;
	r->n = p->max_length;
	if (r->cls.kind != PEFT_CLASS_NONE) {
		peft_class_cut(&r->cls, r->n);
		r->supervised = peft_class_count(&r->cls);
		return 1;
	}
	for (r->supervised = 0, i = 1; i < r->n; i++)
		r->supervised += r->labels[i] != PEFT_IGNORE;
	if (r->supervised == 0 && r->nchoices == 0)
		return peft_seterr(err, "cut at %zu tokens, nothing supervised "
		    "is left", p->max_length);
	return 1;
}

/* A record that is too long: 1 keep it, 0 drop it. */
static int
limit(const struct peft_prep *p, struct peft_slot *s, struct peft_record *r)
{
	size_t n = r->n;

	if (r->rejected != NULL && r->rejected->n > n)
		n = r->rejected->n;
	if (p->max_length == 0 || n <= p->max_length)
		return 1;
	if (p->over == PEFT_OVER_REFUSE)
		return peft_seterr(&s->err, "%zu tokens, the limit is %zu "
		    "(--over drop or cut)", n, p->max_length);
	if (p->over == PEFT_OVER_DROP) {
		s->dropped++;
		return 0;
	}
	s->cut++;
	if (r->rejected != NULL && cut(p, r->rejected, &s->err) == -1)
		return -1;
	return cut(p, r, &s->err);
}

static void
count(const struct peft_prep *p, struct peft_slot *s,
    const struct peft_record *r)
{
	s->records++;
	s->tokens += r->n;
	s->supervised += r->supervised;
	s->batched += peft_tokenizer_batched(p->codec->tok, r->n) != r->n;
	s->idle += r->supervised == 0 && r->nchoices == 0;
	s->classes += r->cls.kind != PEFT_CLASS_NONE;
	if (r->rejected != NULL) {
		s->tokens += r->rejected->n;
		s->supervised += r->rejected->supervised;
	}
}

/* Records that were one are told apart by their ids. */
static int
number_id(struct peft_record *r, size_t turn, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	if (r->id == NULL || turn == 0)
		return 0;
	peft_buf_printf(&b, "%s#%zu", r->id, turn);
	if (b.failed)
		return peft_seterr(err, "no memory for a record");
	free(r->id);
	r->id = b.data;
	return 0;
}

static int
put_record(const struct peft_prep *p, const cJSON *j,
    const struct peft_encopt *o, struct peft_slot *s)
{
	struct peft_record r;
	int keep;

	if (p->mode == PEFT_PREP_RENDER)
		return peft_render_record(p->codec, j, o, &s->out, &s->err);
	if (peft_encode_record(p->codec, j, o, &r, &s->err) == -1)
		return -1;
	keep = number_id(&r, o->turn, &s->err);
	if (keep == 0 && (keep = limit(p, s, &r)) == 1) {
		if (p->mode == PEFT_PREP_SHOW)
			peft_show_record(&s->out, p->codec, &r, p->style);
		else
			peft_record_put(&s->out, &r);
		count(p, s, &r);
	}
	peft_record_free(&r);
	return keep == -1 ? -1 : 0;
}

static int
put_turns(const struct peft_prep *p, const cJSON *j, struct peft_slot *s)
{
	struct peft_encopt o = p->enc;
	size_t n;
	int chat = p->per_turn ? peft_encode_turns(j, &o, &n, &s->err) : 0;

	if (chat != 1)
		return chat == 0 ? put_record(p, j, &o, s) : -1;
	s->idle += n == 0;
	for (o.turn = 1; o.turn <= n; o.turn++)
		if (put_record(p, j, &o, s) == -1)
			return peft_errprefix(&s->err, "turn %zu", o.turn);
	return 0;
}

/* Token records, looked at once more. */
static int
look_at_tokens(const struct peft_prep *p, const cJSON *j,
    struct peft_slot *s)
{
	const cJSON *info = peft_json_get(j, "peft");
	struct peft_record r;

	if (info != NULL)
		return peft_lint_info(&p->lint, info, &s->look, &s->err);
	if (peft_record_parse(j, peft_tokenizer_size(p->codec->tok), &r,
	    &s->err) == -1)
		return -1;
	peft_lint_look(&p->lint, j, &r, &s->look);
	peft_record_free(&r);
	return 0;
}

/* What lint needs to know; the findings are put together in order. */
static int
look(const struct peft_prep *p, const cJSON *j, struct peft_slot *s)
{
	struct peft_encopt o = p->enc;
	struct peft_record r;
	size_t n = 0, tokens = 0, supervised = 0;
	int bad = 0;

	if (peft_shape_of(j) == PEFT_SHAPE_TOKENS)
		return look_at_tokens(p, j, s);
	/* of the turns that become records the last is looked at closely */
	if (p->per_turn && cJSON_IsObject(j))
		bad = peft_encode_turns(j, &o, &n, &s->err) == -1;
	for (o.turn = n > 0; !bad; o.turn++) {
		bad = peft_encode_record(p->codec, j, &o, &r, &s->err);
		if (bad || o.turn >= n)
			break;
		tokens += r.n;
		supervised += r.supervised;
		peft_record_free(&r);
	}
	peft_lint_look(&p->lint, j, bad ? NULL : &r, &s->look);
	s->look.tokens += tokens;
	s->look.supervised += supervised;
	if (!bad)
		peft_record_free(&r);
	return 0;
}

/* The record mended if it must be, as it was if not, and what is wrong with
 * it now. */
static int
fix(const struct peft_prep *p, const cJSON *j, struct peft_slot *s)
{
	cJSON *own;
	int r;

	if (peft_fix_record(j, &own, &s->mended, &s->err) == -1) {
		cJSON_Delete(own);
		return -1;
	}
	if (own != NULL)
		peft_json_print(&s->out, own, 0, false);
	else
		peft_buf_put(&s->out, s->text.data, s->text.len);
	peft_buf_putc(&s->out, '\n');
	r = look(p, own != NULL ? own : j, s);
	cJSON_Delete(own);
	return r;
}

static int
check_shape(const struct peft_prep *p, const cJSON *j, int want,
    struct peft_err *err)
{
	int shape = peft_shape_of(j);

	if (p->mode != PEFT_PREP_LINT && shape == PEFT_SHAPE_TOKENS)
		return peft_seterr(err, "it is a token record already");
	return peft_shape_same(shape, want, err);
}

static int
work(const struct peft_prep *p, const cJSON *j, struct peft_slot *s)
{
	if (check_shape(p, j, s->shape, &s->err) == -1 ||
	    peft_split_part(&p->split, j, &s->part, &s->err) == -1)
		return -1;
	if (p->mode == PEFT_PREP_LINT)
		return look(p, j, s);
	return p->mode == PEFT_PREP_FIX ? fix(p, j, s) : put_turns(p, j, s);
}

void
peft_slot_work(const struct peft_prep *p, struct peft_slot *s)
{
	cJSON *j = s->unread ? NULL : peft_json_said(s->text.data == NULL ? "" :
	    s->text.data, s->text.len, &s->err);

	s->status = j == NULL ? -1 : work(p, j, s);
	if (s->status == 0 && s->out.failed)
		s->status = peft_seterr(&s->err, "no memory for a record");
	cJSON_Delete(j);
}
