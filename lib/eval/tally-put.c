/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a tally: in a line of JSON, or in a table for people. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "eval/classify.h"

enum { SHOWN = 10 };			/* pairs of classes */

/* Of one class, or of all together. */
struct figures {
	double	precision, recall, f1;
};

static double
share(size_t n, size_t of)
{
	return of > 0 ? (double)n / (double)of : 0;
}

static struct figures
figures_of(size_t right, size_t told, size_t there)
{
	return (struct figures){ share(right, told), share(right, there),
	    share(2 * right, told + there) };
}

static struct figures
figures_at(const struct peft_tally *t, size_t i)
{
	return figures_of(t->right[i], t->told[i], t->there[i]);
}

struct peft_summary
peft_tally_summary(const struct peft_tally *t)
{
	struct peft_summary s = { .records = t->records, .tokens = t->places };
	size_t i, met = 0, right = 0, told = 0, there = 0;
	size_t units = t->places;

	s.loss = t->loss / (double)t->places;
	if (t->labels->problem == PEFT_PROBLEM_VALUE) {
		s.values = t->places;
		s.mae = t->error / (double)t->places;
		return s;
	}
	for (i = 0; i < t->labels->n; i++) {
		s.macro_f1 += figures_at(t, i).f1;
		met += t->told[i] + t->there[i] > 0;
		right += t->right[i];
		told += t->told[i];
		there += t->there[i];
	}
	s.judged = s.told = units;
	s.accuracy = share(t->correct, units);
	s.macro_f1 /= (double)(met > 0 ? met : 1);
	s.micro_f1 = figures_of(right, told, there).f1;
	return s;
}

/* Two classes, and how often one was taken for the other. */
struct pair {
	size_t	there, told, n;
};

static int
compare(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	if (x->there != y->there)
		return x->there < y->there ? -1 : 1;
	return x->told < y->told ? -1 : x->told > y->told;
}

/* The pairs that are confused most, the most first; how many. */
static size_t
most_confused(const struct peft_tally *t, struct pair top[SHOWN + 1])
{
	size_t n = t->labels->n, i, k, found = 0;

	for (i = 0; t->confused != NULL && i < n; i++)
		for (k = 0; k < n; k++) {
			struct pair p = { i, k, t->confused[i * n + k] };

			if (i == k || p.n == 0)
				continue;
			top[found++] = p;
			qsort(top, found, sizeof(*top), compare);
			found = found > SHOWN ? SHOWN : found;
		}
	return found;
}

static void
put_name(struct peft_buf *b, const struct peft_labels *l, size_t i)
{
	peft_json_putstr(b, l->name[i], strlen(l->name[i]));
}

static void
put_real(struct peft_buf *b, const char *key, double v)
{
	peft_buf_printf(b, "\"%s\":", key);
	peft_json_putreal(b, v);
	peft_buf_putc(b, ',');
}

static void
put_classes(struct peft_buf *b, const struct peft_tally *t)
{
	size_t i;

	peft_buf_puts(b, ",\"labels\":{");
	for (i = 0; i < t->labels->n; i++) {
		struct figures f = figures_at(t, i);

		if (i > 0)
			peft_buf_putc(b, ',');
		put_name(b, t->labels, i);
		peft_buf_puts(b, ":{");
		put_real(b, "precision", f.precision);
		put_real(b, "recall", f.recall);
		put_real(b, "f1", f.f1);
		peft_buf_printf(b, "\"support\":%zu}", t->there[i]);
	}
	peft_buf_putc(b, '}');
}

static void
put_confused(struct peft_buf *b, const struct peft_tally *t)
{
	struct pair top[SHOWN + 1];
	size_t n = most_confused(t, top), i;

	if (t->confused == NULL)
		return;
	peft_buf_puts(b, ",\"confusions\":[");
	for (i = 0; i < n; i++) {
		peft_buf_puts(b, i > 0 ? ",{\"label\":" : "{\"label\":");
		put_name(b, t->labels, top[i].there);
		peft_buf_puts(b, ",\"predicted\":");
		put_name(b, t->labels, top[i].told);
		peft_buf_printf(b, ",\"count\":%zu}", top[i].n);
	}
	peft_buf_putc(b, ']');
}

void
peft_tally_put(struct peft_buf *b, const char *system,
    const struct peft_tally *t)
{
	struct peft_summary s = peft_tally_summary(t);

	peft_summary_begin(b, system, &s);
	if (t->labels->problem != PEFT_PROBLEM_VALUE) {
		put_classes(b, t);
		put_confused(b, t);
	}
	peft_buf_puts(b, "}}\n");
}

static int
widest(const struct peft_labels *l)
{
	size_t i, n, most = 5;

	for (i = 0; i < l->n; i++) {
		n = strlen(l->name[i]);
		most = n > most ? n : most;
	}
	return most > 40 ? 40 : (int)most;
}

/* A name, padded, without what a terminal would obey. */
static void
put_cell(struct peft_buf *b, const char *name, int width)
{
	struct peft_buf plain = { 0 };

	peft_buf_plain(&plain, name);
	peft_buf_printf(b, "%-*.*s", width, width, plain.data == NULL ? "" :
	    plain.data);
	peft_buf_free(&plain);
}

void
peft_tally_table(struct peft_buf *b, const char *system,
    const struct peft_tally *t)
{
	struct peft_summary s = peft_tally_summary(t);
	struct pair top[SHOWN + 1];
	int w = widest(t->labels);
	size_t i, n;

	peft_buf_plain(b, system);
	peft_buf_printf(b, ": %zu records, loss %.4f", s.records, s.loss);
	if (s.values > 0) {
		peft_buf_printf(b, ", mean absolute error %.4f\n", s.mae);
		return;
	}
	peft_buf_printf(b, ", accuracy %.4f, macro F1 %.4f, micro F1 %.4f\n",
	    s.accuracy, s.macro_f1, s.micro_f1);
	peft_buf_printf(b, "%-*s  precision  recall      f1  support\n", w,
	    "class");
	for (i = 0; i < t->labels->n; i++) {
		struct figures f = figures_at(t, i);

		put_cell(b, t->labels->name[i], w);
		peft_buf_printf(b, "  %9.4f  %6.4f  %6.4f  %7zu\n",
		    f.precision, f.recall, f.f1, t->there[i]);
	}
	n = most_confused(t, top);
	if (n > 0)
		peft_buf_printf(b, "%-*s  told as\n", w, "confused");
	for (i = 0; i < n; i++) {
		put_cell(b, t->labels->name[top[i].there], w);
		peft_buf_puts(b, "  ");
		put_cell(b, t->labels->name[top[i].told], w);
		peft_buf_printf(b, "  %zu\n", top[i].n);
	}
}
