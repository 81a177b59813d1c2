/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VB-LoRA (Li et al. 2024): LoRA whose A and B are made of stretches of
 * `vector_length', each a mixture of the topk vectors of a bank that all
 * modules share, by the softmax of their logits.  Logits of A [r, in / length,
 * vectors], of B [out / length, r, vectors].  A file may have instead of
 * logits which vectors are chosen, and the shares of all but the last of them.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"

enum { LOGITS_A, LOGITS_B, WHICH_A, WHICH_B, SHARE_A, SHARE_B };
enum { BANK };				/* common */
enum { MAXTOP = 64 };

struct vblora {
	int64_t	r, vectors, length, topk;
	double	dropout, std, bound;
	bool	compact;
};

#define AT(field)	offsetof(struct vblora, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "4", AT(r), 1, 1 << 20),
	PEFT_SET_INT("num_vectors", "256", AT(vectors), 1, 1 << 20),
	PEFT_SET_INT("vector_length", "256", AT(length), 1, 1 << 20),
	PEFT_SET_INT("topk", "2", AT(topk), 1, MAXTOP),
	PEFT_SET("init_logits_std", "0.1", peft_set_real, AT(std)),
	PEFT_SET("init_vector_bank_bound", "0.02", peft_set_real, AT(bound)),
	PEFT_SET("save_only_topk_weights", "false", peft_set_bool,
	    AT(compact)),
	PEFT_SET("vblora_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_LATER("fan_in_fan_out", "false"),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	const struct vblora *v = settings;

	(void)config;
	return v->topk <= v->vectors ? 0 : peft_seterr(err, "topk is more "
	    "than num_vectors");
}

/* PEFT's smallest type for the numbers of vectors. */
static enum peft_dtype
type_of(const struct vblora *v)
{
	return v->vectors < 256 ? PEFT_U8 : v->vectors < 32768 ? PEFT_I16 :
	    PEFT_I32;
}

static int
compact_shapes(const struct vblora *v, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	size_t in = m->site->in / (size_t)v->length, top = (size_t)v->topk;
	size_t rows = m->site->out / (size_t)v->length, r = m->rank;

	if (m->adapter->fresh)
		return peft_seterr(err, "save_only_topk_weights: what is "
		    "trained here is saved with all its logits");
	m->untrainable = "its logits are not in the file "
	    "(save_only_topk_weights)";
	out[WHICH_A] = peft_shape3("vblora_logits_A_topk_indices", r, in, top);
	out[WHICH_B] = peft_shape3("vblora_logits_B_topk_indices", rows, r,
	    top);
	out[WHICH_A].whole = out[WHICH_B].whole = type_of(v);
	out[SHARE_A] = peft_shape3("vblora_logits_A_topk_weights", r, in,
	    top - 1);
	out[SHARE_B] = peft_shape3("vblora_logits_B_topk_weights", rows, r,
	    top - 1);
	return 0;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct vblora *v = settings;
	size_t len = (size_t)v->length, n = (size_t)v->vectors;

	m->rank = (size_t)v->r;
	m->scale = 1;
	m->dropout = v->dropout;
	if (m->site->in % len != 0 || m->site->out % len != 0)
		return peft_seterr(err, "vector_length %zu does not divide "
		    "%zu and %zu", len, m->site->in, m->site->out);
	if (v->compact)
		return compact_shapes(v, m, out, err);
	out[LOGITS_A] = peft_shape3("vblora_logits_A", m->rank,
	    m->site->in / len, n);
	out[LOGITS_B] = peft_shape3("vblora_logits_B", m->site->out / len,
	    m->rank, n);
	return 0;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct vblora *v = settings;

	(void)m;
	(void)err;
	out[BANK] = peft_shape2("vblora_vector_bank", (size_t)v->vectors,
	    (size_t)v->length);
	out[BANK].place = PEFT_AT_MODEL;
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct vblora *v = settings;

	(void)part;
	if (m->site == NULL)
		peft_init_uniform(rng, value, n, v->bound);
	else
		peft_init_normal(rng, value, n, v->std);
}

/* As a file has it. */
static void
told(const struct peft_module *m, int part, size_t at, size_t top,
    size_t *which, float *p)
{
	const float *id = m->param[WHICH_A + part]->value + at * top;
	const float *share = m->param[SHARE_A + part]->value + at * (top - 1);
	size_t k;

	for (p[top - 1] = 1, k = 0; k < top; k++) {
		which[k] = (size_t)id[k];
		if (k + 1 == top)
			break;
		p[k] = share[k];
		p[top - 1] -= share[k];
	}
}

/* Of stretch number `at' of A or B: the topk largest of the logits, the first
 * of equals, and their softmax. */
static void
mixture(const struct peft_module *m, int part, size_t at, size_t *which,
    float *p)
{
	const struct vblora *v = m->settings;
	size_t top = (size_t)v->topk, n = (size_t)v->vectors, i, j, k;
	const float *logit;

	if (v->compact) {
		told(m, part, at, top, which, p);
		return;
	}
	logit = m->param[part]->value + at * n;
	for (k = 0; k < top; k++) {
		size_t best = SIZE_MAX;

		for (i = 0; i < n; i++) {
			for (j = 0; j < k && which[j] != i; j++)
				;
			if (j == k && (best == SIZE_MAX ||
			    logit[i] > logit[best]))
				best = i;
		}
		which[k] = best;
		p[k] = logit[best];
	}
	(void)peft_vec_best()->softmax(p, top);
}

/* y[length] with a stride = a mixture of the bank's vectors. */
static void
mix(const struct peft_module *m, int part, size_t at, float *y, size_t stride)
{
	const struct vblora *v = m->settings;
	size_t len = (size_t)v->length, which[MAXTOP], i, k;
	const float *bank = m->adapter->common->param[BANK]->value;
	float p[MAXTOP], sum;

	mixture(m, part, at, which, p);
	for (i = 0; i < len; i++) {
		for (sum = 0, k = 0; k < (size_t)v->topk; k++)
			sum += p[k] * bank[which[k] * len + i];
		y[i * stride] = sum;
	}
}

static void
mix_back(const struct peft_module *m, int part, size_t at, const float *g,
    size_t stride)
{
	const struct vblora *v = m->settings;
	float *glogit = m->param[part]->grad + at * (size_t)v->vectors;
	size_t len = (size_t)v->length, which[MAXTOP], i, k;
	const struct peft_param *bank = m->adapter->common->param[BANK];
	float p[MAXTOP], dp[MAXTOP], d = 0;

	mixture(m, part, at, which, p);
	for (k = 0; k < (size_t)v->topk; k++) {
		const float *vec = bank->value + which[k] * len;
		float *gvec = bank->grad + which[k] * len;

		for (dp[k] = 0, i = 0; i < len; i++) {
			dp[k] += g[i * stride] * vec[i];
			gvec[i] += p[k] * g[i * stride];
		}
		d += p[k] * dp[k];
	}
	for (k = 0; k < (size_t)v->topk; k++)
		glogit[which[k]] += p[k] * (dp[k] - d);
}

static void
make(const struct peft_module *m, float *a, float *b)
{
	const struct vblora *v = m->settings;
	size_t len = (size_t)v->length, r = m->rank;
	size_t in = m->site->in / len, out = m->site->out / len, i, k;

	for (i = 0; i < r * in; i++)
		mix(m, LOGITS_A, i, a + i * len, 1);
	for (i = 0; i < out; i++)
		for (k = 0; k < r; k++)
			mix(m, LOGITS_B, i * r + k, b + i * len * r + k, r);
}

static void
back(const struct peft_module *m, const float *ga, const float *gb)
{
	const struct vblora *v = m->settings;
	size_t len = (size_t)v->length, r = m->rank;
	size_t in = m->site->in / len, out = m->site->out / len, i, k;

	for (i = 0; i < r * in; i++)
		mix_back(m, LOGITS_A, i, ga + i * len, 1);
	for (i = 0; i < out; i++)
		for (k = 0; k < r; k++)
			mix_back(m, LOGITS_B, i * r + k, gb + i * len * r + k,
			    r);
}

/* A file's vectors must be there. */
static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct vblora *v = m->settings;
	size_t i;
	int k;

	for (k = WHICH_A; v->compact && k <= WHICH_B; k++)
		for (i = 0; i < m->param[k]->n; i++)
			if (!(m->param[k]->value[i] >= 0 &&
			    m->param[k]->value[i] < (float)v->vectors))
				return peft_seterr(err, "tensor %s: vector %g "
				    "of %lld", m->param[k]->name,
				    (double)m->param[k]->value[i],
				    (long long)v->vectors);
	return peft_lowrank_prepare(m, base, err);
}

static const struct peft_lowrank_ops ops = { make, back };

const struct peft_method peft_vblora = {
	.type = "VBLORA", .name = "vblora",
	.knobs = { [PEFT_KNOB_RANK] = "r",
	    [PEFT_KNOB_DROPOUT] = "vblora_dropout" },
	.keys = keys, .size = sizeof(struct vblora), .check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.common = common, .init = init, .prepare = prepare,
	.hook = &peft_lowrank_hook, .ops = &ops,
	.changes = peft_lowrank_changes, .merge = peft_lowrank_merge,
};
