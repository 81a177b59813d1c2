/* SPDX-License-Identifier: Apache-2.0 */
/* How good the classes are that a head tells: record by record. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "eval/classify.h"
#include "model/values.h"

enum { MOST_CONFUSED = 2048 };		/* classes; more are not counted so */

int
peft_tally_open(struct peft_tally *t, const struct peft_labels *l,
    struct peft_err *err)
{
	memset(t, 0, sizeof(*t));
	t->labels = l;
	t->right = peft_calloc(l->n, sizeof(*t->right), err);
	t->told = peft_calloc(l->n, sizeof(*t->told), err);
	t->there = peft_calloc(l->n, sizeof(*t->there), err);
	if (t->right == NULL || t->told == NULL || t->there == NULL)
		return -1;
	if (l->problem != PEFT_PROBLEM_SINGLE || l->n > MOST_CONFUSED)
		return 0;
	t->confused = peft_calloc(l->n * l->n, sizeof(*t->confused), err);
	return t->confused == NULL ? -1 : 0;
}

void
peft_tally_free(struct peft_tally *t)
{
	free(t->right);
	free(t->told);
	free(t->there);
	free(t->confused);
	memset(t, 0, sizeof(*t));
}

static void
put_name(struct peft_buf *b, const struct peft_labels *l, size_t i)
{
	peft_json_putstr(b, l->name[i], strlen(l->name[i]));
}

/* -log of the softmax at one of n: what the others are to it. */
static double
cross_entropy(const float *out, size_t n, size_t at)
{
	double others = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (i != at)
			others += exp((double)out[i] - (double)out[at]);
	return log1p(others);
}

/* One class at a place; what is told of it. */
static size_t
add_single(struct peft_tally *t, size_t label, float *out, double *p,
    double *nll)
{
	const struct peft_labels *l = t->labels;
	size_t told;

	*nll += cross_entropy(out, l->n, label);
	told = peft_told_class(l, out, p);
	t->there[label]++;
	t->told[told]++;
	t->right[label] += told == label;
	t->correct += told == label;
	if (t->confused != NULL)
		t->confused[label * l->n + told]++;
	return told;
}

/* Any may hold: right if all are told rightly. */
static bool
add_multi(struct peft_tally *t, const float *want, float *out, double *nll)
{
	const struct peft_labels *l = t->labels;
	bool right = peft_row_values(l->problem, out, want, l->n, false, 1,
	    nll);
	double p;
	size_t i;

	(void)peft_told_class(l, out, &p);
	for (i = 0; i < l->n; i++) {
		bool there = want[i] > 0.5f, told = out[i] > 0.5f;

		t->there[i] += there;
		t->told[i] += told;
		t->right[i] += there && told;
	}
	t->correct += right;
	return right;
}

static void
put_names(struct peft_buf *b, const char *key, const struct peft_labels *l,
    const float *v)
{
	bool first = true;
	size_t i;

	peft_buf_printf(b, ",\"%s\":[", key);
	for (i = 0; i < l->n; i++) {
		if (!(v[i] > 0.5f))
			continue;
		if (!first)
			peft_buf_putc(b, ',');
		put_name(b, l, i);
		first = false;
	}
	peft_buf_putc(b, ']');
}

static void
put_two(struct peft_buf *b, const char *a, double va, const char *c, double vc)
{
	peft_buf_printf(b, ",\"%s\":", a);
	peft_json_putreal(b, va);
	peft_buf_printf(b, ",\"%s\":", c);
	peft_json_putreal(b, vc);
}

/* Of a sequence: the fields of its line. */
static void
add_sequence(struct peft_tally *t, const struct peft_record *r,
    const struct peft_told *told, struct peft_buf *b, double *nll)
{
	const struct peft_labels *l = t->labels;
	size_t label, k;
	double p;
	bool right;

	if (l->problem == PEFT_PROBLEM_VALUE) {
		(void)peft_row_values(l->problem, told->out, r->values, 1,
		    false, 1, nll);
		t->error += fabs((double)told->out[0] -
		    (double)r->values[0]);
		put_two(b, "label", (double)r->values[0], "predicted",
		    (double)told->out[0]);
		return;
	}
	if (l->problem == PEFT_PROBLEM_MULTI) {
		right = add_multi(t, r->values, told->out, nll);
		put_names(b, "label", l, r->values);
		put_names(b, "predicted", l, told->out);
	} else {
		label = (size_t)r->labels[told->at[0]];
		k = add_single(t, label, told->out, &p, nll);
		right = k == label;
		peft_buf_puts(b, ",\"label\":");
		put_name(b, l, label);
		peft_buf_puts(b, ",\"predicted\":");
		put_name(b, l, k);
		peft_buf_puts(b, ",\"probability\":");
		peft_json_putreal(b, p);
	}
	peft_buf_printf(b, ",\"correct\":%s", right ? "true" : "false");
}

/* Of words: those that have a class. */
static size_t
add_words(struct peft_tally *t, const struct peft_record *r,
    const struct peft_told *told, struct peft_buf *b, double *nll)
{
	const struct peft_labels *l = t->labels;
	struct peft_buf names = { 0 };
	size_t i, n = 0, k;
	double p;

	peft_buf_puts(b, ",\"labels\":[");
	for (i = 0; i < told->n; i++) {
		int32_t label = r->labels[told->at[i]];

		if (label == PEFT_IGNORE)
			continue;
		k = add_single(t, (size_t)label, told->out + i * l->n, &p,
		    nll);
		if (n++ > 0) {
			peft_buf_putc(b, ',');
			peft_buf_putc(&names, ',');
		}
		put_name(b, l, (size_t)label);
		put_name(&names, l, k);
	}
	peft_buf_printf(b, "],\"predicted\":[%s]", names.data == NULL ? "" :
	    names.data);
	b->failed |= names.failed;
	peft_buf_free(&names);
	return n;
}

static void
put_line(struct peft_buf *b, const char *system, size_t number,
    const struct peft_record *r, size_t places, double nll,
    const struct peft_buf *fields)
{
	peft_buf_puts(b, "{\"system\":");
	peft_json_putstr(b, system, strlen(system));
	peft_buf_printf(b, ",\"record\":%zu", number);
	if (r->id != NULL) {
		peft_buf_puts(b, ",\"id\":");
		peft_json_putstr(b, r->id, strlen(r->id));
	}
	peft_buf_printf(b, ",\"tokens\":%zu", places);
	put_two(b, "nll", nll, "loss", nll / (double)(places > 0 ? places :
	    1));
	peft_buf_put(b, fields->data == NULL ? "" : fields->data,
	    fields->len);
	peft_buf_puts(b, "}\n");
	b->failed |= fields->failed;
}

void
peft_tally_add(struct peft_tally *t, const char *system, size_t number,
    const struct peft_record *r, const struct peft_told *told,
    struct peft_buf *b)
{
	struct peft_buf fields = { 0 };
	size_t places = 1;
	double nll = 0;

	if (t->labels->task == PEFT_TASK_TOKEN_CLS)
		places = add_words(t, r, told, &fields, &nll);
	else
		add_sequence(t, r, told, &fields, &nll);
	t->records++;
	t->places += places;
	t->loss += nll;
	if (b != NULL)
		put_line(b, system, number, r, places, nll, &fields);
	peft_buf_free(&fields);
}
