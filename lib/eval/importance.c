/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of squares of what goes into the linear layers: hooks that add nothing
 * to what comes out. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"
#include "eval/importance.h"
#include "quant/imatrix.h"
#include "tensor/ggufmap.h"

struct listener {
	struct peft_hook	 hook;
	struct peft_site	*site;		/* NULL: not on one */
	size_t			 sum, matrix;	/* of it */
	size_t			 n;
	double			*square;	/* [n] of the sum's */
	uint64_t		*count;
};

struct importances {
	struct peft_session *session;
	struct listener	*at;
	size_t		 n;
	struct peft_imatrix_sum *sums;
	size_t		 nsums;
	struct peft_map	 by_name;		/* of sums */
};

static void
hear(void *self, const struct peft_hook_call *call, float *y, size_t ldy)
{
	struct listener *l = self;
	size_t t, i;

	(void)y;
	(void)ldy;
	if (call->scouting)		/* the same tokens come again */
		return;
	for (t = 0; t < call->T; t++) {
		const float *x = call->x + t * call->ldx;

		for (i = 0; i < l->n; i++)
			l->square[i] += (double)x[i] * (double)x[i];
	}
	*l->count += call->T;
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

/* The sum that the site's weight is part of, and of which of its matrices:
 * experts of a layer share one. */
static int
find_sum(struct importances *p, struct listener *l,
    const struct peft_site *site, const struct peft_arch *arch,
    struct peft_err *err)
{
	const char *weight = peft_source_at(p->session->source,
	    site->weight)->name;
	struct peft_imatrix_sum *s;
	char name[256];
	size_t *at;

	if (peft_arch_to_gguf(arch, weight, name) == -1)
		return peft_seterr(err, "weight %s has no name in GGUF",
		    weight);
	l->n = site->in;
	l->matrix = peft_arch_expert(arch, weight);
	if (l->matrix == SIZE_MAX)
		l->matrix = 0;
	if ((at = peft_map_find(&p->by_name, name, strlen(name))) != NULL)
		l->sum = *at;
	else {
		if (peft_map_add(&p->by_name, name, strlen(name), p->nsums,
		    err) == -1)
			return -1;
		l->sum = p->nsums++;
		p->sums[l->sum].n = site->in;
		p->sums[l->sum].name = peft_strdup(name, err);
	}
	s = &p->sums[l->sum];
	if (s->mats <= l->matrix)
		s->mats = l->matrix + 1;
	return s->name == NULL ? -1 : 0;
}

/* Room for all matrices of the sums, and where each listener writes. */
static int
make_room(struct importances *p, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < p->nsums; i++) {
		struct peft_imatrix_sum *s = &p->sums[i];

		s->square = peft_calloc(s->mats * s->n, sizeof(double), err);
		s->count = peft_calloc(s->mats, sizeof(*s->count), err);
		if (s->square == NULL || s->count == NULL)
			return -1;
	}
	for (i = 0; i < p->n; i++) {
		struct listener *l = &p->at[i];

		l->square = p->sums[l->sum].square + l->matrix * l->n;
		l->count = p->sums[l->sum].count + l->matrix;
	}
	return 0;
}

static int
listen_to_all(struct importances *p, struct peft_sites *sites,
    int adapter, const struct peft_arch *arch, struct peft_err *err)
{
	size_t i;

	p->at = peft_calloc(sites->n + 1, sizeof(*p->at), err);
	p->sums = peft_calloc(sites->n + 1, sizeof(*p->sums), err);
	if (p->at == NULL || p->sums == NULL)
		return -1;
	for (i = 0; i < sites->n; i++) {
		struct peft_site *s = &sites->at[i];

		if ((s->kind != PEFT_LINEAR && s->kind != PEFT_EXPERT) ||
		    s->layer < 0)
			continue;
		if (find_sum(p, &p->at[p->n], s, arch, err) == -1)
			return -1;
		attach(&p->at[p->n++], s, adapter);
	}
	return make_room(p, err);
}

static void
end(struct importances *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		detach(&p->at[i]);
	p->session->apart = false;
	for (i = 0; i < p->nsums; i++) {
		free(p->sums[i].name);
		free(p->sums[i].square);
		free(p->sums[i].count);
	}
	peft_map_free(&p->by_name);
	free(p->sums);
	free(p->at);
	free(p);
}

/* Listens to every linear layer inside the blocks, routers and experts too,
 * while sequences with this adapter (-1: none) run, each token of each record
 * for itself; before the workspace is opened.  A layer without a name in GGUF
 * is an error. */
static struct importances *
begin(struct peft_session *ses, int adapter, struct peft_err *err)
{
	struct peft_sites *sites = peft_net_sites(ses->net);
	const struct peft_arch *arch = peft_imatrix_arch(ses->source, err);
	struct importances *p;

	if (arch == NULL || (p = peft_calloc(1, sizeof(*p), err)) == NULL)
		return NULL;
	p->session = ses;
	ses->apart = true;
	if (listen_to_all(p, sites, adapter, arch, err) == -1) {
		end(p);
		return NULL;
	}
	return p;
}

/* As path's ending says; datasets: what the tokens came from. */
static int
write_all(struct importances *p, struct peft_out *out, const char *path,
    const char *const *datasets, size_t ndatasets, struct peft_err *err)
{
	struct peft_imatrix_data d = { .n = p->nsums, .datasets = datasets,
	    .ndatasets = ndatasets };
	size_t i;
	int r;

	if ((d.at = peft_calloc(p->nsums + 1, sizeof(*d.at), err)) == NULL)
		return -1;
	for (i = 0; i < p->nsums; i++)
		d.at[i] = p->sums[i];		/* sorted there; still ours */
	r = peft_imatrix_write(out, path, &d, err);
	free(d.at);
	return r;
}

int
peft_score_heard(struct peft_session *ses, int adapter,
    const struct peft_record *r, size_t n, struct peft_out *out,
    const char *name, char *const *paths, size_t npaths,
    struct peft_score *s, struct peft_err *err)
{
	static const char *const piped[] = { "-" };
	struct importances *heard;
	int status;

	if (out == NULL)
		return peft_score_records(ses, adapter, r, n, s, err);
	if ((heard = begin(ses, adapter, err)) == NULL)
		return -1;
	status = peft_score_records(ses, adapter, r, n, s, err);
	if (status == 0)
		status = write_all(heard, out, name, npaths > 0 ?
		    (const char *const *)paths : piped, npaths > 0 ? npaths :
		    1, err);
	end(heard);
	return status;
}
