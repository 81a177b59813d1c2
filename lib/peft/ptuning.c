/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P-tuning (Liu et al. 2021): the virtual tokens are made by an encoder that
 * is trained with their embedding [n, d]: three layers with ReLUs between, or
 * a bidirectional LSTM and two layers (lstm.c).  Only what it makes is
 * saved; from a file it goes on as prompt tuning does.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lstm.h"
#include "peft/row.h"
#include "peft/virtual.h"

enum { EMBED = 1, W1, B1, W2, B2, W3, B3 };
enum { LSTM = W3 };			/* instead of the third layer */

struct ptuning {
	int64_t	hidden, layers;
	double	dropout;
	int	lstm;			/* encoder_reparameterization_type */
};

static const char *const kinds[] = { "MLP", "LSTM", NULL };

#define AT(field)	offsetof(struct ptuning, field)
static const struct peft_setting keys[] = {
	PEFT_SET_VIRTUAL, PEFT_SET_LATER("modules_to_save", "null"),
	PEFT_SET_WORD("encoder_reparameterization_type", "\"MLP\"",
	    peft_set_word, AT(lstm), kinds),
	PEFT_SET_INT("encoder_hidden_size", "null", AT(hidden), 1, 1 << 20),
	PEFT_SET_INT("encoder_num_layers", "2", AT(layers), 1, 16),
	PEFT_SET("encoder_dropout", "0.0", peft_set_share, AT(dropout)),
	PEFT_SET_END
};

static struct peft_shape
inner(const char *suffix, size_t n, size_t m)
{
	struct peft_shape s = m == 0 ? peft_shape1(suffix, n) :
	    peft_shape2(suffix, n, m);

	s.place = PEFT_AT_NONE;
	s.unsaved = true;
	return s;
}

static int
common(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct ptuning *p = settings;
	size_t n, d, h;

	if (peft_virtual_common(m, false, out, err) == -1)
		return -1;
	if (!m->adapter->fresh)
		return 0;
	if (p->lstm && p->dropout > 0)
		m->untrainable = "encoder_dropout is not honoured in training: "
		    "set it to 0";
	n = m->own[PEFT_VIRTUAL_N];
	d = m->own[PEFT_VIRTUAL_WIDTH];
	h = p->hidden == 0 ? d : (size_t)p->hidden;
	out[PEFT_PROMPT].fixed = true;
	out[EMBED] = inner("prompt_encoder.embedding.weight", n, d);
	if (p->lstm) {
		out[LSTM] = inner("prompt_encoder.lstm_head",
		    peft_lstm_floats(d, h, (size_t)p->layers), 0);
		out[W1] = inner("prompt_encoder.mlp_head.0.weight", 2 * h,
		    2 * h);
		out[B1] = inner("prompt_encoder.mlp_head.0.bias", 2 * h, 0);
		out[W2] = inner("prompt_encoder.mlp_head.2.weight", d, 2 * h);
		out[B2] = inner("prompt_encoder.mlp_head.2.bias", d, 0);
		return 0;
	}
	out[W1] = inner("prompt_encoder.mlp_head.0.weight", h, d);
	out[B1] = inner("prompt_encoder.mlp_head.0.bias", h, 0);
	out[W2] = inner("prompt_encoder.mlp_head.2.weight", h, h);
	out[B2] = inner("prompt_encoder.mlp_head.2.bias", h, 0);
	out[W3] = inner("prompt_encoder.mlp_head.4.weight", d, h);
	out[B3] = inner("prompt_encoder.mlp_head.4.bias", d, 0);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct ptuning *p = settings;
	size_t in = part <= EMBED ? 0 : m->param[part <= B1 ? W1 : part <= B2 ?
	    W2 : W3]->shape[p->lstm && part == LSTM ? 0 : 1];

	if (part == PEFT_PROMPT && m->param[EMBED] != NULL)
		peft_init_const(value, n, 0);
	else if (part == PEFT_PROMPT || part == EMBED)
		peft_init_normal(rng, value, n, 1);
	else if (p->lstm && part == LSTM)	/* of its hidden size */
		peft_layer_init(rng, m->param[W1]->shape[0] / 2, value, n);
	else
		peft_layer_init(rng, in, value, n);
}

/* The sizes of what lies behind the prompt's gradient: x, what the layers
 * see; h1, h2, what they make; and as much for gradients. */
struct room {
	size_t	x, h1, h2, lstm;
	float	*fx, *f1, *f2, *dx, *d1, *d2, *work;
};

static struct room
room_of(const struct peft_module *m)
{
	const struct ptuning *p = m->settings;
	size_t n = m->own[PEFT_VIRTUAL_N];
	struct room r = { .x = n * m->param[W1]->shape[1],
	    .h1 = n * m->param[W1]->shape[0],
	    .h2 = n * m->param[W2]->shape[0] };

	if (p->lstm)
		r.lstm = peft_lstm_work(n, m->own[PEFT_VIRTUAL_WIDTH],
		    m->param[W1]->shape[0] / 2, (size_t)p->layers);
	if (m->state == NULL)
		return r;
	r.fx = peft_virtual_extra(m);
	r.f1 = r.fx + r.x;
	r.f2 = r.f1 + r.h1;
	r.dx = r.f2 + r.h2;
	r.d1 = r.dx + r.x;
	r.d2 = r.d1 + r.h1;
	r.work = r.d2 + r.h2;
	return r;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct room r = { 0 };

	(void)base;
	if (m->param[EMBED] != NULL)
		r = room_of(m);
	return peft_virtual_prepare(m, 2 * (r.x + r.h1 + r.h2) + r.lstm +
	    (m->param[EMBED] != NULL ? m->param[EMBED]->n : 0), err);
}

static void
relu(float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = x[i] > 0 ? x[i] : 0;
}

static void
relu_back(float *dx, const float *y, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dx[i] = y[i] > 0 ? dx[i] : 0;
}

static struct peft_lstm
lstm_of(const struct peft_module *m, const struct room *r)
{
	const struct ptuning *p = m->settings;

	return (struct peft_lstm){ .n = m->own[PEFT_VIRTUAL_N],
	    .in = m->own[PEFT_VIRTUAL_WIDTH],
	    .hidden = m->param[W1]->shape[0] / 2,
	    .layers = (size_t)p->layers, .w = m->param[LSTM]->value,
	    .g = m->param[LSTM]->grad, .work = r->work };
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	const struct ptuning *p = m->settings;
	size_t n = m->own[PEFT_VIRTUAL_N];
	float *to = m->param[PEFT_PROMPT]->value;
	struct peft_lstm l;
	struct room r;

	(void)product;
	if (m->param[EMBED] == NULL || !peft_module_stale(m))
		return;
	r = room_of(m);
	memset(peft_virtual_gradient(m), 0, m->param[PEFT_PROMPT]->n *
	    sizeof(float));
	if (p->lstm) {
		l = lstm_of(m, &r);
		peft_lstm_run(&l, m->param[EMBED]->value, r.fx);
	} else
		memcpy(r.fx, m->param[EMBED]->value, r.x * sizeof(*r.fx));
	peft_layer(cpu, m->param[W1], m->param[B1], r.fx, n, r.f1);
	relu(r.f1, r.h1);
	peft_layer(cpu, m->param[W2], m->param[B2], r.f1, n, r.f2);
	if (p->lstm) {
		memcpy(to, r.f2, r.h2 * sizeof(*to));
		return;
	}
	relu(r.f2, r.h2);
	peft_layer(cpu, m->param[W3], m->param[B3], r.f2, n, to);
}

static void
end(void *self, struct peft_cpu *cpu)
{
	struct peft_module *m = self;
	const struct ptuning *p = m->settings;
	size_t n = m->own[PEFT_VIRTUAL_N];
	struct peft_lstm l;
	struct room r;
	float *dx;

	if (m->param[EMBED] == NULL || !m->train)
		return;
	r = room_of(m);
	if (p->lstm)
		memcpy(r.d2, peft_virtual_gradient(m), r.h2 * sizeof(float));
	else {
		peft_layer_back(cpu, m->param[W3], m->param[B3], r.f2, n,
		    peft_virtual_gradient(m), r.d2);
		relu_back(r.d2, r.f2, r.h2);
	}
	peft_layer_back(cpu, m->param[W2], m->param[B2], r.f1, n, r.d2, r.d1);
	relu_back(r.d1, r.f1, r.h1);
	peft_layer_back(cpu, m->param[W1], m->param[B1], r.fx, n, r.d1, r.dx);
	dx = r.dx;
	if (p->lstm) {
		l = lstm_of(m, &r);
		dx = r.work + r.lstm;
		peft_lstm_back(&l, m->param[EMBED]->value, r.dx, dx);
	}
	peft_vec_best()->add(m->param[EMBED]->grad, dx, m->param[EMBED]->n);
}

static const struct peft_hook_ops ops = {
	.memory = peft_virtual_memory, .begin = begin, .end = end,
};

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	return peft_virtual_attach(m, sites, index, false, &ops, err);
}

const struct peft_method peft_p_tuning = {
	.type = "P_TUNING", .name = "p-tuning",
	.keys = keys, .size = sizeof(struct ptuning),
	.common = common, .init = init, .prepare = prepare, .attach = attach,
};
