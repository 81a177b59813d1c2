/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of conversion, told. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "eval/tune-report.h"

/* Keep the worst, in order. */
static void
rank(struct peft_report *r, const char *name, double rms)
{
	size_t i = r->nworst, k;

	while (i > 0 && r->worst[i - 1].rms < rms)
		i--;
	if (i == PEFT_WORST)
		return;
	r->nworst += r->nworst < PEFT_WORST;
	for (k = r->nworst - 1; k > i; k--)
		r->worst[k] = r->worst[k - 1];
	snprintf(r->worst[i].name, sizeof(r->worst[i].name), "%s", name);
	r->worst[i].rms = rms;
}

static double
bits_of(const struct peft_spec *s, double n)
{
	const struct peft_dtype_info *d = &peft_dtypes[s->dtype];

	if (s->dtype != PEFT_NF4 && s->dtype != PEFT_FP4)
		return n * 8 * d->bytes / d->block;
	return n * (4 + (s->nested ? 8 + 32 / 256.0 : 32) /
	    (double)s->blocksize);
}

static void
put_json(struct peft_buf *b, const struct peft_report *r,
    const struct peft_weight *w, const struct peft_spec *s,
    const struct peft_fidelity *e, const struct peft_residual_sums *k)
{
	peft_buf_puts(b, "{\"weight\":");
	peft_json_putstr(b, w->name, strlen(w->name));
	peft_buf_printf(b, ",\"from\":\"%s\",\"to\":\"%s\"",
	    peft_dtypes[w->dtype].name, peft_dtypes[s->dtype].name);
	if (r->measured)
		peft_buf_printf(b, ",\"rms\":%.6g,\"max\":%.6g,\"cosine\":%.8g",
		    peft_fidelity_rms(e), e->max, peft_fidelity_cosine(e));
	if (k->weights > 0)
		peft_buf_printf(b, ",\"residual_rms\":%.6g",
		    sqrt(k->after2 / (k->value2 > 0 ? k->value2 : 1)));
	if (s->why != NULL)
		peft_buf_printf(b, ",\"why\":\"%s\"", s->why);
	peft_buf_puts(b, "}\n");
}

static void
put_text(struct peft_buf *b, const struct peft_report *r,
    const struct peft_weight *w, const struct peft_spec *s,
    const struct peft_fidelity *e, const struct peft_residual_sums *k)
{
	peft_buf_printf(b, "%-48s %-7s -> %-7s", w->name,
	    peft_dtypes[w->dtype].name, peft_dtypes[s->dtype].name);
	if (r->measured)
		peft_buf_printf(b, " rms %.3e max %.3e cosine %.6f",
		    peft_fidelity_rms(e), e->max, peft_fidelity_cosine(e));
	if (k->weights > 0)
		peft_buf_printf(b, " with residual %.3e",
		    sqrt(k->after2 / (k->value2 > 0 ? k->value2 : 1)));
	if (s->why != NULL)
		peft_buf_printf(b, " (%s)", s->why);
	peft_buf_putc(b, '\n');
}

void
peft_report_weight(struct peft_report *r, struct peft_buf *b,
    const struct peft_weight *w, const struct peft_spec *s,
    const struct peft_fidelity *e, const struct peft_residual_sums *k)
{
	r->values += (double)w->nelem;
	r->bits += bits_of(s, (double)w->nelem);
	if (e->error2 > 0) {
		peft_fidelity_add(&r->total, e);
		r->weights++;
		rank(r, w->name, peft_fidelity_rms(e));
	}
	(r->json ? put_json : put_text)(b, r, w, s, e, k);
}

void
peft_report_end(const struct peft_report *r, struct peft_buf *b)
{
	const struct peft_fidelity *t = &r->total;
	double bits = r->values > 0 ? r->bits / r->values : 0;
	size_t i;

	if (!r->measured)
		return;
	if (r->json) {
		peft_buf_printf(b, "{\"report\":{\"weights\":%zu,\"rms\":%.6g,"
		    "\"max\":%.6g,\"cosine\":%.8g,\"bits_per_value\":%.6g,"
		    "\"worst\":[", r->weights, peft_fidelity_rms(t), t->max,
		    peft_fidelity_cosine(t), bits);
		for (i = 0; i < r->nworst; i++) {
			peft_buf_puts(b, i > 0 ? ",{\"weight\":" :
			    "{\"weight\":");
			peft_json_putstr(b, r->worst[i].name,
			    strlen(r->worst[i].name));
			peft_buf_printf(b, ",\"rms\":%.6g}", r->worst[i].rms);
		}
		peft_buf_puts(b, "]}}\n");
		return;
	}
	peft_buf_printf(b, "%zu weights lost something: rms %.3e max %.3e "
	    "cosine %.6f; %.3f bits a value over all\n", r->weights,
	    peft_fidelity_rms(t), t->max, peft_fidelity_cosine(t), bits);
	for (i = 0; i < r->nworst; i++)
		peft_buf_printf(b, "worst: %-41s relative error %.3e\n", r->worst[i].name,
		    r->worst[i].rms);
}
