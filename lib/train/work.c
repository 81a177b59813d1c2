/* SPDX-License-Identifier: Apache-2.0 */
/* What a step computes, and what it is worth. */

#include "train/trainer.h"

/* Of attention, and of all that passes over memory, backward in forwards. */
static const double attention_back = 2.5, back = 1.5;

static void
add(struct peft_stepwork *w, const struct peft_stepmean *m,
    const struct peft_passage *p, double n)
{
	w->products += n * 2 * m->computed * p->products;
	w->attention += n * m->seen * p->attention;
	w->passing += n * m->computed * p->passing;
	w->expanded += n * m->batches * p->products;
}

struct peft_stepwork
peft_train_again(const struct peft_estimate *e,
    const struct peft_stepmean *m, const size_t again[PEFT_NPART])
{
	struct peft_stepwork w = { 0 };
	int p;

	for (p = 0; p < PEFT_NPART; p++)
		add(&w, m, &e->part[p], (double)again[p]);
	return w;
}

struct peft_stepwork
peft_train_work(const struct peft_trainer *t, const struct peft_estimate *e,
    const struct peft_stepmean *m, const size_t again[PEFT_NPART])
{
	struct peft_stepwork w = peft_train_again(e, m, again);
	struct peft_passage back_and_forth = { 2 * e->layers.products,
	    (1 + back) * e->layers.passing,
	    (1 + attention_back) * e->layers.attention };

	add(&w, m, &back_and_forth, 1);
	/* an adapter's values are met forward, and twice backward */
	w.products += 2 * (m->computed * 3 * (double)t->nvalues +
	    m->supervised * e->head * 2);
	w.expanded += m->batches * e->head * 2;
	return w;
}

/*
 * In operations of products.  What is chosen by this must not differ from run
 * to run, so nothing is measured: attention reaches a quarter of what products
 * do; a float that is passed over, and a weight that is made ready for a
 * micro-batch's products, cost as much as so many of their operations (on
 * machines with AVX-512, in f32 and bf16, within a half).
 */
double
peft_train_price(const struct peft_stepwork *w)
{
	enum { ATTENTION = 4, PASSING = 30, EXPANDED = 120 };

	return w->products + ATTENTION * w->attention +
	    PASSING * w->passing + EXPANDED * w->expanded;
}
