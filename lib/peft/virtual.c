/* SPDX-License-Identifier: Apache-2.0 */
/* What the methods of virtual tokens share. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/row.h"
#include "peft/virtual.h"

/* config[key], which must be `want' if it is there, and is put there. */
static int
agree(struct peft_module *m, const char *key, size_t want,
    struct peft_err *err)
{
	cJSON *config = m->adapter->config;
	int64_t have = (int64_t)want;

	if (peft_json_int(config, key, 1, 1 << 30, &have, err) == -1)
		return -1;
	if ((size_t)have != want)
		return peft_setfail(err, PEFT_CHECK, "%s is %d, this model's "
		    "is %zu: the adapter is for another model", key,
		    (int)have, want);
	cJSON_DeleteItemFromObjectCaseSensitive(config, key);
	cJSON_AddNumberToObject(config, key, (double)want);
	return 0;
}

int
peft_virtual_common(struct peft_module *m, bool kv, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_config *c = m->adapter->model;
	size_t dim, width;
	int64_t n = 0;

	if (c == NULL)
		return peft_seterr(err, "%s needs a whole model",
		    m->method->type);
	if (peft_json_int(m->adapter->config, "num_virtual_tokens", 1, 65536,
	    &n, err) == -1)
		return -1;
	if (n == 0)
		return peft_seterr(err, "num_virtual_tokens is missing");
	if (kv && c->v_dim != c->head_dim)
		return peft_seterr(err, "%s is not for models whose values "
		    "are of another size than their keys", m->method->type);
	if (kv && c->t.each_cached)
		return peft_seterr(err, "%s: transformers has the keys and "
		    "values of a group once for each of its queries in this "
		    "family's cache, where PEFT puts prefixes: they are not "
		    "shared there, as they are here", m->method->type);
	dim = kv ? c->kv_heads * c->head_dim : c->hidden;
	width = kv ? c->layers * 2 * dim : dim;
	if (agree(m, "token_dim", dim, err) == -1 ||
	    agree(m, "num_layers", c->layers, err) == -1 ||
	    agree(m, "num_attention_heads", kv ? c->kv_heads : c->heads,
	    err) == -1 || agree(m, "num_transformer_submodules", 1,
	    err) == -1)
		return -1;
	m->own[PEFT_VIRTUAL_N] = (size_t)n;
	m->own[PEFT_VIRTUAL_WIDTH] = width;
	out[PEFT_PROMPT] = peft_shape2("prompt_embeddings", (size_t)n, width);
	out[PEFT_PROMPT].place = PEFT_AT_NONE;
	return 0;
}

/* State: the number of floats, then these. */
struct state {
	size_t	n;
	float	data[];
};

int
peft_virtual_prepare(struct peft_module *m, size_t extra,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[PEFT_PROMPT];
	size_t n = (p->fixed ? p->n : 0) + extra;
	struct state *s = peft_calloc(1, sizeof(*s) + n * sizeof(float), err);

	if (m->weight != 1)
		return peft_setfail(err, PEFT_USAGE, "%s has no weight: its "
		    "tokens are there or not", m->method->type);
	if ((m->state = s) == NULL)
		return -1;
	s->n = n;
	return 0;
}

float *
peft_virtual_gradient(const struct peft_module *m)
{
	const struct peft_param *p = m->param[PEFT_PROMPT];

	return p->fixed ? ((struct state *)m->state)->data : p->grad;
}

float *
peft_virtual_extra(const struct peft_module *m)
{
	const struct peft_param *p = m->param[PEFT_PROMPT];

	return ((struct state *)m->state)->data + (p->fixed ? p->n : 0);
}

size_t
peft_virtual_memory(const void *self)
{
	const struct peft_module *m = self;

	return sizeof(struct state) + ((struct state *)m->state)->n *
	    sizeof(float);
}

static const struct peft_hook_ops plain = {
	.memory = peft_virtual_memory,
};

int
peft_virtual_attach(struct peft_module *m, struct peft_sites *sites,
    int index, bool kv, const struct peft_hook_ops *ops,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[PEFT_PROMPT];
	struct peft_virtual *v = &m->adapter->virtuals;
	float *grad = m->train ? peft_virtual_gradient(m) : NULL;

	(void)err;
	*v = (struct peft_virtual){ .adapter = index,
	    .n = m->own[PEFT_VIRTUAL_N], .ops = ops, .self = m,
	    .next = sites->virtuals };
	if (kv) {
		v->kv = p->value;
		v->dkv = grad;
	} else {
		v->embed = p->value;
		v->dembed = grad;
	}
	sites->virtuals = v;
	return 0;
}

int
peft_virtual_plain_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	return peft_virtual_prepare(m, 0, err);
}

int
peft_virtual_plain_attach(struct peft_module *m, struct peft_sites *sites,
    int index, struct peft_err *err)
{
	return peft_virtual_attach(m, sites, index, false,
	    &plain, err);
}
