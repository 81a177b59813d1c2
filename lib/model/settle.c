/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of a mapped file that products use in another form than the file
 * has them: with the compute type bf16, those in f32 are rounded once, to the
 * very values that products would round them to each time, and their pages
 * are given back.  Adapters still see them as they are stored.  With int8,
 * those in floats become panels once, to the same end.
 *
 * An embedding that no product uses is read row by row: of it, too, only what
 * was asked for last stays in memory.
 */

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "model/hooks-impl.h"

enum {
	PIECE = 1 << 14,	/* floats of a task */
	LINE = 64,		/* bytes that the cache takes in at once */
	ROWS = 8,		/* of an embedding that stay, and their bytes:
				 * a fault may bring in 1 MiB of a file */
	TABLE = 8 << 20
};

static size_t
index_of(const struct peft_net *net, const struct peft_linear *lin)
{
	return lin->site->weight != SIZE_MAX ? lin->site->weight :
	    net->embed.site->weight;
}

/* Is there a form that takes their place, and the file's need not stay? */
static bool
is_settled(const struct peft_net *net, const struct peft_linear *lin)
{
	enum peft_compute compute = peft_cpu_computes(net->cpu);
	enum peft_dtype t = lin->w.dtype;
	bool wide = t == PEFT_F32 || (compute == PEFT_COMPUTE_INT8 &&
	    (t == PEFT_BF16 || t == PEFT_F16));

	/* a head of classes is small, and may be an adapter's */
	if (lin == &net->head && net->config.outputs != net->config.vocab)
		return false;
	return lin->site != NULL && lin->w.cols > 0 &&
	    compute != PEFT_COMPUTE_F32 && (lin->copy != NULL || (wide &&
	    peft_source_is_mapped(net->source, index_of(net, lin))));
}

struct job {
	peft_round_fn	*round;
	const float	*src;
	uint16_t	*dst;
	size_t		 n;
};

static void
round_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	size_t at = task * PIECE;

	(void)thread;
	j->round(j->dst + at, j->src + at,
	    j->n - at < PIECE ? j->n - at : PIECE);
}

static int64_t
settle_bf16(struct peft_net *net, struct peft_linear *lin,
    struct peft_err *err)
{
	struct job j = { .round = peft_cpu_round(net->cpu),
	    .src = lin->w.data, .n = lin->w.nelem };

	if (!is_settled(net, lin) || lin->copy != NULL)
		return 0;
	/* what rounds fills up the last step of a row with zeros */
	j.dst = peft_calloc(j.n + PEFT_KSTEP, sizeof(*j.dst), err);
	if (j.dst == NULL)
		return -1;
	peft_cpu_run(net->cpu, (j.n + PIECE - 1) / PIECE, round_task, &j);
	lin->copy = j.dst;
	lin->stored = lin->w;
	lin->site->w = &lin->stored;
	lin->w.dtype = PEFT_BF16;
	lin->w.data = j.dst;
	lin->w.nbytes = j.n * sizeof(*j.dst);
	peft_source_passed(net->source, index_of(net, lin), 0,
	    lin->stored.nbytes);
	return 0;
}

/* Panels for one of both directions, at a multiple of a cache line. */
static int
make_panels(struct peft_net *net, struct peft_linear *lin, bool back,
    struct peft_err *err)
{
	size_t n = peft_product_panels_size(net->cpu, &lin->w, back);
	float *scratch = peft_calloc(peft_product_scratch(net->cpu, 1, 1, 0, 1),
	    sizeof(*scratch), err);
	char *to = scratch == NULL ? NULL : peft_calloc(n + LINE, 1, err);

	if (to != NULL) {
		lin->panels[back] = to;
		to += LINE - (uintptr_t)to % LINE;
		peft_product_panels(net->cpu, &lin->w, back, to, scratch);
		lin->w.panels[back] = to;
	}
	free(scratch);
	return to == NULL ? -1 : 0;
}

static int64_t
settle_int8(struct peft_net *net, struct peft_linear *lin, bool back,
    struct peft_err *err)
{
	if (!is_settled(net, lin) || lin->panels[back] != NULL)
		return 0;
	if (make_panels(net, lin, back, err) == -1)
		return -1;
	peft_source_passed(net->source, index_of(net, lin), 0, lin->w.nbytes);
	return 0;
}

static int64_t
settle_forward(struct peft_net *net, struct peft_linear *lin,
    struct peft_err *err)
{
	if (peft_cpu_computes(net->cpu) == PEFT_COMPUTE_INT8)
		return settle_int8(net, lin, false, err);
	return settle_bf16(net, lin, err);
}

static int64_t
settle_backward(struct peft_net *net, struct peft_linear *lin,
    struct peft_err *err)
{
	if (peft_cpu_computes(net->cpu) == PEFT_COMPUTE_INT8)
		return settle_int8(net, lin, true, err);
	return 0;
}

/* fn() of every linear; the sum of what it returns, -1 the first that fails. */
static int64_t
each(struct peft_net *net, int64_t (*fn)(struct peft_net *,
    struct peft_linear *, struct peft_err *), struct peft_err *err)
{
	int64_t sum = 0, r;
	size_t l, i;
	int slot;

	for (l = 0; l < net->config.layers; l++) {
		struct peft_layer *layer = &net->layers[l];

		for (slot = 0; slot < PEFT_NSLOT; slot++) {
			if ((r = fn(net, &layer->lin[slot], err)) == -1)
				return -1;
			sum += r;
		}
		for (i = 0; layer->experts != NULL && i < 3 *
		    net->config.experts; i++) {
			if ((r = fn(net, &layer->experts[i / 3].gate + i % 3,
			    err)) == -1)
				return -1;
			sum += r;
		}
	}
	r = fn(net, &net->head, err);
	return r == -1 ? -1 : sum + r;
}

static bool
rows_only(const struct peft_net *net)
{
	return (net->head.site->weight != SIZE_MAX ||
	    is_settled(net, &net->head)) &&
	    peft_source_is_mapped(net->source, net->embed.site->weight);
}

void
peft_net_row_read(struct peft_net *net)
{
	if (++net->rows_read % ROWS != 0 || !rows_only(net))
		return;
	peft_source_passed(net->source, net->embed.site->weight, 0,
	    net->embed.w.nbytes);
}

int
peft_net_settle(struct peft_net *net, bool back, struct peft_err *err)
{
	if (each(net, settle_forward, err) == -1 ||
	    (back && each(net, settle_backward, err) == -1))
		return -1;
	if (rows_only(net))
		peft_source_passed(net->source, net->embed.site->weight, 0,
		    net->embed.w.nbytes);
	return 0;
}

/* Bytes of the form that takes the place of what is stored, in training. */
static int64_t
settled_size(const struct peft_net *net, const struct peft_weight *w)
{
	if (peft_cpu_computes(net->cpu) == PEFT_COMPUTE_INT8)
		return (int64_t)(peft_product_panels_size(net->cpu, w, false) +
		    peft_product_panels_size(net->cpu, w, true));
	return (int64_t)(w->nelem * sizeof(uint16_t));
}

/* Bytes that a linear takes less than its stored form, which is there all the
 * same if an adapter looks at it; that of a head that is the embedding is
 * counted there. */
static int64_t
saved_one(struct peft_net *net, struct peft_linear *lin, struct peft_err *err)
{
	const struct peft_weight *w = lin->copy != NULL ? &lin->stored :
	    &lin->w;
	bool stays;

	(void)err;
	if (!is_settled(net, lin))
		return 0;
	stays = lin->site->weight == SIZE_MAX || peft_hooks_read(lin->site);
	return (stays ? 0 : (int64_t)w->nbytes) - settled_size(net, w);
}

size_t
peft_net_weight_bytes(struct peft_net *net)
{
	size_t table = net->embed.w.nbytes;
	int64_t n = (int64_t)net->weight_bytes - each(net, saved_one, NULL);

	if (rows_only(net) && table > TABLE)
		n -= (int64_t)(table - TABLE);
	return (size_t)n;
}
