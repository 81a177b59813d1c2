/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of squares of what goes into the linear layers: hooks that add nothing
 * to what comes out. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/importance.h"
#include "quant/imatrix.h"
#include "tensor/ggufmap.h"

struct listener {
	struct peft_hook	 hook;
	struct peft_site	*site;		/* NULL: not on one */
	struct peft_imatrix_sum	 sum;
};

struct peft_importances {
	struct peft_session *session;
	struct listener	*at;
	size_t		 n;
};

static void
hear(void *self, const struct peft_hook_call *call, float *y, size_t ldy)
{
	struct listener *l = self;
	size_t t, i;

	(void)y;
	(void)ldy;
	for (t = 0; t < call->T; t++) {
		const float *x = call->x + t * call->ldx;

		for (i = 0; i < l->sum.n; i++)
			l->sum.square[i] += (double)x[i] * (double)x[i];
	}
	l->sum.count += call->T;
}

static const struct peft_hook_ops ops = { .forward = hear };

/* Last on the site: an adapter's own hooks do not change what goes in. */
static void
attach(struct listener *l, struct peft_site *site, int adapter)
{
	struct peft_hook **end = &site->hooks;

	while (*end != NULL)
		end = &(*end)->next;
	l->hook = (struct peft_hook){ .ops = &ops, .self = l,
	    .adapter = adapter };
	l->site = site;
	*end = &l->hook;
}

static void
detach(struct listener *l)
{
	struct peft_hook **at;

	if (l->site == NULL)
		return;
	for (at = &l->site->hooks; *at != &l->hook; at = &(*at)->next)
		;
	*at = l->hook.next;
	l->site = NULL;
}

static int
listen(struct listener *l, struct peft_site *site, int adapter,
    const struct peft_source *src, const struct peft_arch *arch,
    struct peft_err *err)
{
	const char *weight = peft_source_at(src, site->weight)->name;
	char name[256];

	if (site->kind == PEFT_EXPERT)
		return peft_seterr(err, "weight %s: what goes into experts "
		    "cannot be summed here", weight);
	if (peft_arch_to_gguf(arch, weight, name) == -1)
		return peft_seterr(err, "weight %s has no name in GGUF",
		    weight);
	l->sum.n = site->in;
	l->sum.name = peft_strdup(name, err);
	l->sum.square = peft_calloc(site->in, sizeof(double), err);
	if (l->sum.name == NULL || l->sum.square == NULL)
		return -1;
	attach(l, site, adapter);
	return 0;
}

struct peft_importances *
peft_importances_open(struct peft_session *ses, int adapter,
    struct peft_err *err)
{
	struct peft_sites *sites = peft_net_sites(ses->net);
	const struct peft_arch *arch = peft_imatrix_arch(ses->source, err);
	struct peft_importances *p;
	size_t i;

	if (arch == NULL || (p = peft_calloc(1, sizeof(*p), err)) == NULL)
		return NULL;
	p->session = ses;
	ses->apart = true;
	if ((p->at = peft_calloc(sites->n, sizeof(*p->at), err)) == NULL) {
		peft_importances_close(p);
		return NULL;
	}
	for (i = 0; i < sites->n; i++) {
		struct peft_site *s = &sites->at[i];

		if ((s->kind != PEFT_LINEAR && s->kind != PEFT_EXPERT) ||
		    s->layer < 0)
			continue;
		if (listen(&p->at[p->n++], s, adapter, ses->source, arch,
		    err) == -1) {
			peft_importances_close(p);
			return NULL;
		}
	}
	return p;
}

void
peft_importances_stop(struct peft_importances *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		detach(&p->at[i]);
	p->session->apart = false;
}

int
peft_importances_write(struct peft_importances *p, struct peft_out *out,
    const char *path, const char *const *datasets, size_t ndatasets,
    struct peft_err *err)
{
	struct peft_imatrix_data d = { .n = p->n, .datasets = datasets,
	    .ndatasets = ndatasets };
	size_t i;
	int r;

	if ((d.at = peft_calloc(p->n + 1, sizeof(*d.at), err)) == NULL)
		return -1;
	for (i = 0; i < p->n; i++)
		d.at[i] = p->at[i].sum;		/* still the listener's */
	r = peft_imatrix_write(out, path, &d, err);
	free(d.at);
	return r;
}

void
peft_importances_close(struct peft_importances *p)
{
	size_t i;

	if (p == NULL)
		return;
	peft_importances_stop(p);
	for (i = 0; i < p->n; i++) {
		free(p->at[i].sum.name);
		free(p->at[i].sum.square);
	}
	free(p->at);
	free(p);
}
