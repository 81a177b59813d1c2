/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trainable tokens: rows of the embedding or of the head that are trained,
 * the method of that name or a part of a LoRA adapter.  Where the head is the
 * embedding, it has the same rows; or rows of its own, and then merging makes
 * two of them.
 */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/row.h"
#include "peft/tied.h"
#include "peft/tokens.h"

static const struct peft_setting keys[] = {
	PEFT_SET_LATER("token_indices", "[]"),
	PEFT_SET_LATER("init_weights", "true"), PEFT_SET_END
};

static const char *const usual[] = { "embed_tokens", NULL };

struct peft_token_ids *
peft_token_ids_parse(const cJSON *list, const char *key, struct peft_err *err)
{
	size_t n = (size_t)cJSON_GetArraySize(list), i = 0, k;
	struct peft_token_ids *t;
	const cJSON *e;

	if (!cJSON_IsArray(list) || n == 0) {
		peft_seterr(err, "%s is no list of token ids", key);
		return NULL;
	}
	t = peft_calloc(1, sizeof(*t) + n * sizeof(t->id[0]), err);
	if (t == NULL)
		return NULL;
	t->n = n;
	cJSON_ArrayForEach(e, list) {
		bool good = cJSON_IsNumber(e) && e->valuedouble >= 0 &&
		    e->valuedouble < INT32_MAX &&
		    e->valuedouble == (int32_t)e->valuedouble;

		t->id[i] = good ? (int32_t)e->valuedouble : -1;
		for (k = 0; good && k < i; k++)
			good = t->id[k] != t->id[i];
		if (!good) {
			peft_seterr(err, "%s: entry %zu is no token id, or "
			    "there twice", key, i + 1);
			free(t);
			return NULL;
		}
		i++;
	}
	return t;
}

static int
parse(const cJSON *config, void **settings, struct peft_err *err)
{
	*settings = peft_token_ids_parse(peft_json_get(config, "token_indices"),
	    "token_indices", err);
	return *settings == NULL ? -1 : 0;
}

static bool
is_head(const struct peft_module *m)
{
	return m->site->kind == PEFT_HEAD;
}

static size_t
words(const struct peft_module *m)
{
	return is_head(m) ? m->site->out : m->site->in;
}

static size_t
width(const struct peft_module *m)
{
	return is_head(m) ? m->site->in : m->site->out;
}

static int
shapes_as(const void *settings, struct peft_module *m, const char *suffix,
    struct peft_shape *out, struct peft_err *err)
{
	const struct peft_token_ids *t = settings;
	size_t i;

	if (is_head(m) && m->site->bias != SIZE_MAX)
		return peft_seterr(err, "it has a bias, which PEFT leaves out "
		    "where token rows of a head are trained: it would compute "
		    "something else");
	for (i = 0; i < t->n; i++)
		if ((size_t)t->id[i] >= words(m))
			return peft_seterr(err, "token %d is not in the "
			    "vocabulary of %zu", t->id[i], words(m));
	out[0] = peft_shape2(suffix, t->n, width(m));
	return 0;
}

/* Is it a head that is the embedding, and that is in the adapter? */
static bool
has_embedding(const struct peft_module *m)
{
	size_t i;

	for (i = 0; m->site->weight == SIZE_MAX && i < m->adapter->nmodules;
	    i++)
		if (m->adapter->modules[i].site->kind == PEFT_EMBEDDING)
			return true;
	return false;
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_config *model = m->adapter->model;

	if (shapes_as(settings, m, "trainable_tokens_delta", out, err) == -1)
		return -1;
	if (is_head(m)) {
		m->both = false;
		return has_embedding(m) ? peft_seterr(err, "it is the "
		    "embedding, which is targeted, too: PEFT fails at that "
		    "(trainable_token_indices of another method may have "
		    "both)") : 0;
	}
	/* PEFT writes them again for a head that is the embedding */
	if (!m->adapter->fresh && m->site->kind == PEFT_EMBEDDING &&
	    model != NULL && model->t.tied)
		out[1] = peft_tied_shape(m, out[0], out[0].suffix);
	return 0;
}

static const struct peft_twin twins[] = { { 0, 1, false }, { 0 } };

static int
part_shapes(const void *settings, struct peft_module *m,
    struct peft_shape *out, struct peft_err *err)
{
	return shapes_as(settings, m, "token_adapter.trainable_tokens_delta",
	    out, err);
}

/* They begin as the base has them. */
static int
start(struct peft_module *m, struct peft_err *err)
{
	const struct peft_token_ids *t = m->settings;
	struct peft_rows rows;
	size_t i;

	if (peft_module_base(m, &rows, err) == -1)
		return -1;
	for (i = 0; i < t->n; i++)
		if (rows.get(rows.ctx, (size_t)t->id[i], 1,
		    m->param[0]->value + i * width(m), err) == -1)
			return -1;
	return 0;
}

static size_t
row_of(const struct peft_module *m, int32_t id)
{
	const struct peft_token_ids *t = m->settings;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->id[i] == id)
			return i;
	return SIZE_MAX;
}

/* State: struct peft_row, the head's hook, the base's rows [n, D]. */
struct state {
	struct peft_row		 row;
	struct peft_hook	 head;
	float			 base[];
};

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return sizeof(struct state) + m->param[0]->n * sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_token_ids *t = m->settings;
	struct state *s = peft_calloc(1, memory(m), err);
	size_t i;

	if ((m->state = s) == NULL)
		return -1;
	s->row.row = row_of;
	for (i = 0; base != NULL && i < t->n; i++)
		if (base->get(base->ctx, (size_t)t->id[i], 1,
		    s->base + i * width(m), err) == -1)
			return -1;
	return 0;
}

/* A head: logits of the tokens change by x (row - base's row). */
static void
head_forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_token_ids *tok = m->settings;
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	const struct state *s = m->state;
	size_t D = width(m), t, i;

	for (t = 0; t < c->T; t++)
		for (i = 0; i < tok->n; i++)
			y[t * ldy + (size_t)tok->id[i]] += m->weight *
			    (v->dot(c->x + t * c->ldx,
			    m->param[0]->value + i * D, D) -
			    v->dot(c->x + t * c->ldx, s->base + i * D, D));
}

static void
head_backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct peft_token_ids *tok = m->settings;
	const struct peft_vec *v = peft_cpu_vec(c->cpu);
	const struct state *s = m->state;
	size_t D = width(m), t, i;

	for (t = 0; t < c->T; t++)
		for (i = 0; i < tok->n; i++) {
			float g = m->weight * dy[t * lddy +
			    (size_t)tok->id[i]];

			if (m->train)
				v->axpy(m->param[0]->grad + i * D, g,
				    c->x + t * c->ldx, D);
			if (dx == NULL)
				continue;
			v->axpy(dx + t * lddx, g, m->param[0]->value + i * D,
			    D);
			v->axpy(dx + t * lddx, -g, s->base + i * D, D);
		}
}

static const struct peft_hook_ops head_hook = {
	.forward = head_forward, .backward = head_backward,
};

static void
hook_up(struct peft_site *site, struct peft_hook *hook)
{
	struct peft_hook **end = &site->hooks;

	while (*end != NULL)
		end = &(*end)->next;
	*end = hook;
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	struct state *s = m->state;
	size_t i;

	(void)err;
	m->hook = (struct peft_hook){ is_head(m) ? &head_hook :
	    &peft_row_hook, m, index, NULL };
	s->head = (struct peft_hook){ &head_hook, m, index, NULL };
	for (i = 0; i < sites->n; i++)
		if (&sites->at[i] == m->site)
			hook_up(&sites->at[i], &m->hook);
		else if (m->both && sites->at[i].kind == PEFT_HEAD &&
		    sites->at[i].weight == SIZE_MAX)
			hook_up(&sites->at[i], &s->head);
	return 0;
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_token_ids *t = m->settings;
	size_t D = width(m), i, k;

	(void)leaf;
	(void)base;
	(void)err;
	for (k = 0; k < t->n; k++) {
		const float *to = m->param[0]->value + k * D;
		float *row;

		if ((size_t)t->id[k] < first || (size_t)t->id[k] >= first + n)
			continue;
		row = rows + ((size_t)t->id[k] - first) * D;
		for (i = 0; i < D; i++)
			row[i] += weight * (to[i] - row[i]);
	}
	return 0;
}

const struct peft_method peft_trainable_tokens = {
	.type = "TRAINABLE_TOKENS", .name = "trainable-tokens",
	.keys = keys, .parse = parse,
	.kinds = 1 << PEFT_EMBEDDING | 1 << PEFT_HEAD, .both = true,
	.usual = usual, .shapes = shapes, .start = start, .prepare = prepare,
	.attach = attach, .changes = peft_weight_changes, .merge = merge,
	.twins = twins,
};

const struct peft_method peft_tokens_part = {
	.type = "trainable_token_indices",
	.kinds = 1 << PEFT_EMBEDDING | 1 << PEFT_HEAD,
	.shapes = part_shapes,
	.start = start, .prepare = prepare, .attach = attach,
	.changes = peft_weight_changes, .merge = merge,
};
