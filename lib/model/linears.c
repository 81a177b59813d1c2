/* SPDX-License-Identifier: Apache-2.0 */
/* Linears that share their input, with biases and adapters. */

#include <string.h>

#include "model/beside-impl.h"
#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* The profile tells weights apart by their types. */
_Static_assert((int)PEFT_NDTYPE <= (int)PEFT_WORK_TYPES,
    "more types of weights");

void
peft_check_finite(struct peft_run *run, const char *where, const float *y,
    size_t ld, size_t n)
{
	size_t t;

	if (!run->checking || run->bad != NULL)
		return;
	for (t = 0; t < run->T; t++)
		if (run->vec->nonfinite(y + t * ld, n)) {
			run->bad = where;
			return;
		}
}

static void
forward(struct peft_run *run, const float *x, size_t ldx, size_t T,
    const struct peft_product *p, const struct peft_low *low,
    const struct peft_along *along, size_t n)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);

	peft_product_forward_low(run->net->cpu, x, ldx, T, p, low, along, n,
	    run->product);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_FORWARD, p->w->dtype, 0);
}

void
peft_products(struct peft_run *run, const float *x, size_t ldx, size_t T,
    const struct peft_product *p, size_t n)
{
	forward(run, x, ldx, T, p, NULL, NULL, n);
}

static void
backward(struct peft_run *run, float *dx, size_t ldx, size_t T,
    const struct peft_product *dy, const struct peft_low *low,
    const struct peft_along *along, size_t n, bool add)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);

	peft_product_backward_low(run->net->cpu, dx, ldx, T, dy, low, along, n,
	    add, run->product);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_BACKWARD, dy->w->dtype, 0);
}

void
peft_products_back(struct peft_run *run, float *dx, size_t ldx, size_t T,
    const struct peft_product *dy, size_t n, bool add)
{
	backward(run, dx, ldx, T, dy, NULL, NULL, n, add);
}

/* A weight stored [in, out] is multiplied as the gradient of one stored
 * [out, in] is, and its gradient as that one is; nothing is beside it. */
static void
products(struct peft_run *run, const struct peft_site *site, const float *x,
    size_t ldx, const struct peft_product *p, const struct peft_low *low,
    size_t n)
{
	struct peft_product back = { p->w, (float *)(uintptr_t)x, ldx };

	if (site->transposed)
		peft_products_back(run, p->y, p->ldy, run->T, &back, 1,
		    false);
	else
		forward(run, x, ldx, run->T, p, low, NULL, n);
}

static void
products_back(struct peft_run *run, const struct peft_site *site, float *dx,
    size_t ldx, const struct peft_product *dy, const struct peft_low *low,
    size_t n)
{
	struct peft_product forth = { dy->w, dx, ldx };

	if (site->transposed)
		peft_products(run, dy->y, dy->ldy, run->T, &forth, 1);
	else
		backward(run, dx, ldx, run->T, dy, low, NULL, n, false);
}

/* y = x W^T, or x W with the weight as it is stored. */
static void
product(struct peft_cpu *cpu, const struct peft_weight *w, bool back,
    const float *x, size_t ldx, size_t T, float *y, size_t ldy,
    float *scratch)
{
	const struct peft_product p = { w, y, ldy };
	const struct peft_product from = { w, (float *)(uintptr_t)x, ldx };

	if (back)
		peft_product_backward(cpu, y, ldy, T, &from, 1, false,
		    scratch);
	else
		peft_product_forward(cpu, x, ldx, T, &p, 1, scratch);
}

void
peft_site_product(struct peft_cpu *cpu, const struct peft_site *site,
    const float *x, size_t ldx, size_t T, float *y, size_t ldy,
    float *scratch)
{
	product(cpu, site->w, peft_site_is_turned(site), x, ldx, T, y, ldy,
	    scratch);
}

void
peft_site_product_back(struct peft_cpu *cpu, const struct peft_site *site,
    const float *dy, size_t lddy, size_t T, float *dx, size_t lddx,
    float *scratch)
{
	product(cpu, site->w, !peft_site_is_turned(site), dy, lddy, T, dx,
	    lddx, scratch);
}

/* Is there one whose input is not x? */
static bool
inputs_differ(const struct peft_linear *lin, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (peft_hooks_have(lin[i].site, PEFT_HAS_INPUT))
			return true;
	return false;
}

void
peft_linears(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx,
    const struct peft_product *p, size_t n)
{
	bool apart = inputs_differ(lin, n);
	struct peft_low low[PEFT_SHARING] = { { 0 } };
	size_t i, ld;

	if (!apart) {
		peft_beside(run, low, lin, saved, x, ldx, n, false);
		products(run, lin->site, x, ldx, p, low, n);
	}
	for (i = 0; i < n; i++) {
		size_t out = lin[i].site->out;

		ld = ldx;
		if (apart)
			products(run, lin[i].site, peft_hooks_input(run,
			    lin[i].site, run->ranges, run->nranges,
			    run->ident, x, &ld), ld, &p[i], NULL, 1);
		if (lin[i].bias != NULL)
			peft_op_bias(run, p[i].y, p[i].ldy, lin[i].bias, out,
			    run->T);
		run->hidden = low[i].h;
		peft_hooks_forward(run, lin[i].site, run->ranges, run->nranges,
		    run->ident, x, ldx, p[i].y, p[i].ldy, saved[i]);
		run->hidden = NULL;
		peft_check_finite(run, lin[i].site->path, p[i].y, p[i].ldy,
		    out);
	}
}

void
peft_linears_along(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx,
    const struct peft_along *along, const struct peft_product *p, size_t n)
{
	struct peft_low low[PEFT_SHARING] = { { 0 } };

	peft_beside(run, low, lin, saved, x, ldx, n, false);
	forward(run, x, ldx, run->T, p, low, along, n);
}

/* h of an adapter beside the weight is the product with its A that it is
 * there, to the bit. */
void
peft_linear_again(struct peft_run *run, const struct peft_linear *lin,
    float *saved, const float *x, size_t ldx, float *y, size_t ldy)
{
	struct peft_weight a = { .dtype = PEFT_F32, .ndim = 2,
	    .cols = lin->site->in };
	struct peft_low low = { 0 };
	struct peft_product h;
	struct peft_lap lap;

	if (!inputs_differ(lin, 1))
		peft_beside(run, &low, lin, &saved, x, ldx, 1, false);
	if (low.r > 0) {
		a.rows = low.r;
		a.nelem = a.rows * a.cols;
		a.data = low.a;
		h = (struct peft_product){ &a, low.h, low.r };
		lap = peft_lap_begin(run->net->cpu);
		peft_product_forward_fine(run->net->cpu, x, ldx, run->T, &h,
		    run->product);
		peft_lap_end(run->net->cpu, &lap, PEFT_WORK_FORWARD,
		    a.dtype, 0);
	}
	run->hidden = low.h;
	peft_hooks_forward(run, lin->site, run->ranges, run->nranges,
	    run->ident, x, ldx, y, ldy, saved);
	run->hidden = NULL;
}

struct copy {
	const float	*src;
	float		*dst;
	size_t		 lds, n;	/* of a row; they lie n apart in dst */
};

static void
copy_row(void *ctx, size_t t, int thread)
{
	const struct copy *c = ctx;

	(void)thread;
	memcpy(c->dst + t * c->n, c->src + t * c->lds, c->n *
	    sizeof(*c->dst));
}

/* Hooks make of the output's gradient another, in a copy of it. */
static void
output_back(struct peft_run *run, const struct peft_site *site, float *saved,
    const float *x, size_t ldx, struct peft_product *dy, size_t *at)
{
	float *copy = run->dout + run->T * *at;
	struct copy c = { dy->y, copy, dy->ldy, site->out };

	peft_cpu_run(run->net->cpu, run->T, copy_row, &c);
	peft_hooks_output_back(run, site, run->ranges, run->nranges,
	    run->ident, x, ldx, copy, site->out, saved);
	dy->y = copy;
	dy->ldy = site->out;
	*at += site->out;
}

/* Each on its own: dx += what its input's gradient becomes. */
static void
inputs_back(struct peft_run *run, const struct peft_linear *lin,
    const float *x, size_t ldx, float *dx, const struct peft_product *dy,
    size_t n)
{
	size_t i, in = lin->site->in, t;

	for (t = 0; dx != NULL && t < run->T; t++)
		memset(dx + t * ldx, 0, in * sizeof(*dx));
	for (i = 0; i < n; i++) {
		if (!peft_hooks_have(lin[i].site, PEFT_HAS_INPUT) &&
		    dx == NULL)
			continue;
		products_back(run, lin[i].site, run->input, in, &dy[i], NULL,
		    1);
		peft_hooks_input_back(run, lin[i].site, run->ranges,
		    run->nranges, run->ident, x, ldx, run->input, dx, ldx);
	}
}

void
peft_linears_back(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx, float *dx,
    struct peft_product *dy, size_t n)
{
	struct peft_low low[PEFT_SHARING] = { { 0 } };
	size_t i, at = 0;

	for (i = 0; i < n; i++)
		if (peft_hooks_have(lin[i].site, PEFT_HAS_OUTPUT))
			output_back(run, lin[i].site, saved[i], x, ldx,
			    &dy[i], &at);
	if (inputs_differ(lin, n))
		inputs_back(run, lin, x, ldx, dx, dy, n);
	else if (dx != NULL) {
		peft_beside(run, low, lin, saved, x, ldx, n, true);
		products_back(run, lin->site, dx, ldx, dy, low, n);
	}
	for (i = 0; i < n; i++) {
		run->hidden = low[i].h;
		peft_hooks_backward(run, lin[i].site, run->ranges,
		    run->nranges, run->ident, x, ldx, dy[i].y, dy[i].ldy, dx,
		    ldx, saved[i]);
		run->hidden = NULL;
	}
}

void
peft_linears_along_back(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, const uint16_t *halves, size_t ldx,
    float *dx, const struct peft_along *along, const struct peft_product *dy,
    size_t n)
{
	struct peft_low low[PEFT_SHARING] = { { 0 } };
	size_t i, in = lin->site->in;

	peft_beside(run, low, lin, saved, x, ldx, n, true);
	backward(run, dx, in, run->T, dy, low, along, n, false);
	for (i = 0; i < n; i++) {
		run->hidden = low[i].h;
		run->halves = (struct peft_call_halves){ halves,
		    along->halves[i] };
		peft_hooks_backward(run, lin[i].site, run->ranges,
		    run->nranges, run->ident, x, ldx, dy[i].y, dy[i].ldy, dx,
		    in, saved[i]);
	}
	run->hidden = NULL;
	run->halves = (struct peft_call_halves){ 0 };
}
