/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoHa and LoKr as LyCORIS keeps them, in the layout of kohya: the tensors that
 * PEFT's have (PEFT took both methods from there), and an alpha.  Settings are
 * told by shapes alone.  Where both factors of a LoKr are whole, LyCORIS has no
 * scale, whatever alpha says.
 */

#include <string.h>

#include "peft/layout-impl.h"
#include "peft/lokr.h"

extern const struct peft_method peft_loha, peft_lokr;

/* PEFT's own have the same tails, behind a path with dots. */
static bool
is(const struct peft_source *s)
{
	size_t i;

	for (i = 0; i < peft_source_count(s); i++)
		if (strncmp(peft_source_at(s, i)->name, "base_model.",
		    11) == 0)
			return false;
	return true;
}

/* A matrix of the pair, or NULL with an error; or (optional) without. */
static const struct peft_weight *
half(const struct peft_foreign *f, const struct peft_pair *p, int h,
    bool optional, struct peft_err *err)
{
	const struct peft_weight *w;

	if (p->at[h] == SIZE_MAX) {
		if (!optional)
			peft_setfail(err, PEFT_CHECK, "%s has no %s%s",
			    p->stem, p->stem, f->layout->tails[h]);
		return NULL;
	}
	w = peft_source_at(f->source, p->at[h]);
	if (w->ndim == 2 && w->nelem > 0 && (w->dtype == PEFT_F32 ||
	    w->dtype == PEFT_F16 || w->dtype == PEFT_BF16))
		return w;
	peft_setfail(err, PEFT_CHECK, "tensor %s is no matrix of f32, f16 or "
	    "bf16: only linear layers are known here", w->name);
	return NULL;
}

/* The product of two halves, or (whole not -1) one matrix: 1 and its shape;
 * the rank, if it is a product: 0 if it is whole. */
static int
factor(const struct peft_foreign *f, const struct peft_pair *p, int whole,
    int a, int b, size_t shape[2], size_t *rank, struct peft_err *err)
{
	const struct peft_weight *x, *y;

	*rank = 0;
	if (whole != -1 && p->at[whole] != SIZE_MAX) {
		if (p->at[a] != SIZE_MAX || p->at[b] != SIZE_MAX)
			return peft_setfail(err, PEFT_CHECK, "%s has both "
			    "%s and halves of it", p->stem,
			    f->layout->tails[whole] + 1);
		if ((x = half(f, p, whole, false, err)) == NULL)
			return -1;
		shape[0] = x->shape[0];
		shape[1] = x->shape[1];
		return 0;
	}
	if ((x = half(f, p, a, false, err)) == NULL ||
	    (y = half(f, p, b, false, err)) == NULL)
		return -1;
	shape[0] = x->shape[0];
	shape[1] = y->shape[1];
	*rank = x->shape[1];
	return x->shape[1] == y->shape[0] ? 0 : peft_setfail(err, PEFT_CHECK,
	    "%s is of rank %zu, %s of rank %zu", x->name, x->shape[1], y->name,
	    y->shape[0]);
}

static int
check_loha(const struct peft_foreign *f, struct peft_pair *p,
    struct peft_err *err)
{
	size_t one[2], two[2], r1, r2;

	if (factor(f, p, -1, PEFT_HALF_A, PEFT_HALF_B, one, &r1, err) == -1 ||
	    factor(f, p, -1, PEFT_HALF_C, PEFT_HALF_D, two, &r2, err) == -1)
		return -1;
	p->rank = r1;
	p->out = one[0];
	p->in = one[1];
	return r1 == r2 && one[0] == two[0] && one[1] == two[1] ? 0 :
	    peft_setfail(err, PEFT_CHECK, "%s: the two products differ in "
	    "shape or rank", p->stem);
}

static int
check_lokr(const struct peft_foreign *f, struct peft_pair *p,
    struct peft_err *err)
{
	size_t one[2], two[2], r1, r2;

	if (factor(f, p, PEFT_HALF_A, PEFT_HALF_B, PEFT_HALF_C, one, &r1,
	    err) == -1 || factor(f, p, PEFT_HALF_D, PEFT_HALF_E, PEFT_HALF_F,
	    two, &r2, err) == -1)
		return -1;
	if (r1 > 0 && r2 > 0 && r1 != r2)
		return peft_setfail(err, PEFT_CHECK, "%s: its factors are of "
		    "ranks %zu and %zu", p->stem, r1, r2);
	if (__builtin_mul_overflow(one[0], two[0], &p->out) ||
	    __builtin_mul_overflow(one[1], two[1], &p->in))
		return peft_setfail(err, PEFT_CHECK, "%s is too large",
		    p->stem);
	/* whole ones: a rank that PEFT does not divide them by */
	p->rank = r2 > 0 ? r2 : r1;
	if (p->rank == 0) {
		p->rank = two[0] > two[1] ? two[0] : two[1];
		p->rank = one[0] > p->rank ? one[0] : p->rank;
		p->rank = one[1] > p->rank ? one[1] : p->rank;
	}
	return 0;
}

/* Does this limit divide all as they are? */
static bool
divides(const struct peft_foreign *f, int64_t limit)
{
	size_t i, o, ok, m, jn;
	const struct peft_weight *w;

	for (i = 0; i < f->n; i++) {
		const struct peft_pair *p = &f->pairs[i];
		bool whole = p->at[PEFT_HALF_A] != SIZE_MAX;

		peft_lokr_factors(p->out, limit, &o, &ok);
		peft_lokr_factors(p->in, limit, &m, &jn);
		w = peft_source_at(f->source, p->at[whole ? PEFT_HALF_A :
		    PEFT_HALF_B]);
		if (w->shape[0] != o)
			return false;
		if (!whole)
			w = peft_source_at(f->source, p->at[PEFT_HALF_C]);
		if (w->shape[1] != m)
			return false;
	}
	return true;
}

/* decompose_factor: none, or the larger dimension of some w1. */
static int
find_limit(const struct peft_foreign *f, int64_t *limit, struct peft_err *err)
{
	size_t i, k;

	*limit = -1;
	for (i = 0; !divides(f, *limit) && i < 2 * f->n; i++) {
		const struct peft_pair *p = &f->pairs[i / 2];
		bool whole = p->at[PEFT_HALF_A] != SIZE_MAX;
		int h = whole ? PEFT_HALF_A : i % 2 == 0 ? PEFT_HALF_B :
		    PEFT_HALF_C;

		k = peft_source_at(f->source, p->at[h])->shape[i % 2];
		*limit = k < 1U << 20 ? (int64_t)k : 1;
	}
	return divides(f, *limit) ? 0 : peft_setfail(err, PEFT_CHECK,
	    "no decompose_factor of PEFT's LOKR divides its modules as this "
	    "file does (%s, ...)", f->pairs[0].stem);
}

static int
adapt_lokr(struct peft_foreign *f, cJSON *c, struct peft_err *err)
{
	int64_t limit;
	bool both = false;
	size_t i;

	if (find_limit(f, &limit, err) == -1)
		return -1;
	for (i = 0; i < f->n; i++)
		both |= f->pairs[i].at[PEFT_HALF_A] == SIZE_MAX;
	cJSON_AddNumberToObject(c, "decompose_factor", (double)limit);
	cJSON_AddBoolToObject(c, "decompose_both", both);
	return 0;
}

static int
settings_lokr(struct peft_foreign *f, struct peft_err *err)
{
	size_t i;

	if (peft_kohya_settings(f, err) == -1)
		return -1;
	for (i = 0; i < f->n; i++) {
		struct peft_pair *p = &f->pairs[i];

		if (p->at[PEFT_HALF_A] != SIZE_MAX &&
		    p->at[PEFT_HALF_D] != SIZE_MAX)
			p->alpha = (double)p->rank;
	}
	return 0;
}

static int
can(const struct peft_module *m, struct peft_err *err)
{
	const size_t *o = m->own;

	return o[PEFT_LOKR_OL] <= o[PEFT_LOKR_OK] &&
	    o[PEFT_LOKR_IM] <= o[PEFT_LOKR_JN] ? 0 : peft_setfail(err,
	    PEFT_CHECK, "%s: its first factor is %zu x %zu, its second %zu x "
	    "%zu (decompose_factor): LyCORIS has none whose first is larger",
	    m->site->path, o[PEFT_LOKR_OL], o[PEFT_LOKR_IM], o[PEFT_LOKR_OK],
	    o[PEFT_LOKR_JN]);
}

static bool
bare(const struct peft_module *m)
{
	return m->param[PEFT_LOKR_W1] != NULL &&
	    m->param[PEFT_LOKR_W2] != NULL;
}

static void
metadata(const struct peft_layout_out *o, struct peft_buf *b,
    const char **meta, size_t n)
{
	static const char *const args[] = { "{\"algo\": \"loha\"}",
	    "{\"algo\": \"lokr\"}" };

	peft_kohya_metadata(o, b, meta, n, "lycoris.kohya");
	while (meta[n] != NULL)
		n++;
	meta[n++] = "ss_network_args";
	meta[n++] = args[o->adapter->method == &peft_lokr];
	meta[n] = NULL;
}

/* Without names for --layout's list: they are kohya's. */
const struct peft_layout peft_layout_kohya_loha = {
	.name = "kohya", .method = &peft_loha,
	.tails = { [PEFT_HALF_A] = ".hada_w1_a", [PEFT_HALF_B] = ".hada_w1_b",
	    [PEFT_HALF_C] = ".hada_w2_a", [PEFT_HALF_D] = ".hada_w2_b",
	    [PEFT_HALF_ALPHA] = ".alpha" },
	.parts = { [PEFT_HALF_A] = 0, [PEFT_HALF_B] = 1, [PEFT_HALF_C] = 2,
	    [PEFT_HALF_D] = 3 },
	.is = is, .check = check_loha, .stem = peft_kohya_stem,
	.settings = peft_kohya_settings, .metadata = metadata,
};

const struct peft_layout peft_layout_kohya_lokr = {
	.name = "kohya", .method = &peft_lokr,
	.tails = { [PEFT_HALF_A] = ".lokr_w1", [PEFT_HALF_B] = ".lokr_w1_a",
	    [PEFT_HALF_C] = ".lokr_w1_b", [PEFT_HALF_D] = ".lokr_w2",
	    [PEFT_HALF_E] = ".lokr_w2_a", [PEFT_HALF_F] = ".lokr_w2_b",
	    [PEFT_HALF_ALPHA] = ".alpha" },
	.parts = { [PEFT_HALF_A] = PEFT_LOKR_W1, [PEFT_HALF_B] =
	    PEFT_LOKR_W1A, [PEFT_HALF_C] = PEFT_LOKR_W1B, [PEFT_HALF_D] =
	    PEFT_LOKR_W2, [PEFT_HALF_E] = PEFT_LOKR_W2A, [PEFT_HALF_F] =
	    PEFT_LOKR_W2B },
	.is = is, .check = check_lokr, .adapt = adapt_lokr,
	.stem = peft_kohya_stem,
	.settings = settings_lokr, .metadata = metadata, .can = can,
	.bare = bare, .scaled = PEFT_HALF_D,
};
