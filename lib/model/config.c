/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a decoder, read and checked. */

#include <string.h>

#include "model/config-impl.h"

/* One or several token ids; absent leaves what is there. */
static int
read_eos(const cJSON *j, struct peft_config *c, struct peft_err *err)
{
	const cJSON *e = peft_json_get(j, "eos_token_id"), *item;
	size_t n = 0;

	if (e == NULL || cJSON_IsNull(e))
		return 0;
	for (item = cJSON_IsArray(e) ? e->child : e; item != NULL;
	    item = cJSON_IsArray(e) ? item->next : NULL) {
		if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
		    item->valuedouble >= (double)c->vocab ||
		    item->valuedouble != (double)(int32_t)item->valuedouble)
			return peft_seterr(err, "eos_token_id is not a token "
			    "of a vocabulary of %zu", c->vocab);
		if (n == PEFT_MAXEOS)
			return peft_seterr(err, "more than %d eos_token_id",
			    PEFT_MAXEOS);
		c->eos[n++] = (int32_t)item->valuedouble;
	}
	c->neos = n;
	return 0;
}

/* Sizes that must be there, as the common names have them; the last only when
 * what follows from others (finished) is there, too. */
static int
check_sizes(const struct peft_config *c, bool finished, struct peft_err *err)
{
	const struct {
		const char	*name;
		size_t		 value, max;
	} need[] = {
		{ "vocab_size", c->vocab, 1 << 24 },
		{ "hidden_size", c->hidden, 1 << 20 },
		{ "num_hidden_layers", c->layers, PEFT_MAXLAYER },
		{ "num_attention_heads", c->heads, 1 << 14 },
		{ "intermediate_size", c->inter, 1 << 22 },
	};
	size_t n = sizeof(need) / sizeof(need[0]) - !finished, i;

	for (i = 0; i < n; i++) {
		if (need[i].value == 0)
			return peft_seterr(err, "key \"%s\" is missing",
			    need[i].name);
		if (need[i].value > need[i].max)
			return peft_seterr(err, "key \"%s\" is %zu, above %zu",
			    need[i].name, need[i].value, need[i].max);
	}
	return 0;
}

/* Sizes that follow from others where they are not given. */
static int
derive(struct peft_config *c, struct peft_err *err)
{
	if (c->kv_heads == 0)
		c->kv_heads = c->heads;
	if (c->head_dim == 0)
		c->head_dim = c->t.head_dim > 0 ? c->t.head_dim :
		    c->hidden / c->heads;
	if (c->v_dim == 0)
		c->v_dim = c->head_dim;
	if (c->kv_heads > c->heads || c->heads % c->kv_heads != 0)
		return peft_seterr(err, "%zu attention heads do not divide "
		    "into %zu key-value heads", c->heads, c->kv_heads);
	if (c->head_dim == 0 || c->head_dim > 1 << 14)
		return peft_seterr(err, "head_dim %zu is not in [1, 16384]",
		    c->head_dim);
	if (!(c->t.attn_cap >= 0) || !(c->t.final_cap >= 0) ||
	    !(c->t.qkv_clip >= 0) || !(c->t.alibi >= 0))
		return peft_seterr(err, "a cap, a clip or an ALiBi is below "
		    "0");
	if (c->t.attn_cap > 0 && c->t.alibi > 0)
		return peft_seterr(err, "ALiBi with capped scores is not "
		    "honoured");
	if (c->t.tied && c->t.bias & PEFT_BIT(PEFT_AT_HEAD))
		return peft_seterr(err, "tie_word_embeddings with a head that "
		    "has a bias is not honoured");
	if (!(c->t.eps > 0))
		return peft_seterr(err, "the epsilon of norms is not above 0");
	if (c->t.embed_sqrt)
		c->t.embed_scale = __builtin_sqrt((double)c->hidden);
	if (c->t.attn_scale == 0)
		c->t.attn_scale = 1 / __builtin_sqrt((double)c->head_dim);
	if (c->experts > 0 && (c->top_k == 0 || c->top_k > c->experts))
		return peft_seterr(err, "%zu of %zu experts are to be chosen",
		    c->top_k, c->experts);
	if (c->experts > 1 << 12)
		return peft_seterr(err, "%zu experts", c->experts);
	if (c->expert_inter == 0)
		c->expert_inter = c->inter;
	return 0;
}

/* Who has use_sliding_window has it off where nothing is said. */
static bool
has_switch(const struct peft_family *f)
{
	const struct peft_key *k = f->keys;

	while (k->name != NULL && strcmp(k->name, "use_sliding_window") != 0)
		k++;
	return k->name != NULL;
}

static void
defaults(struct peft_config *c)
{
	struct peft_traits *t = &c->t;

	*t = c->family->traits;
	c->max_position = c->family->positions > 0 ? c->family->positions :
	    2048;
	c->bos = -1;
	c->use_window = !has_switch(c->family);
	c->window = t->window;
	c->window_period = t->window_period;
	c->norope_period = t->norope_period;
	c->sparse_step = 1;
	t->theta = t->theta > 0 ? t->theta : 10000;
	t->partial = t->partial > 0 ? t->partial : 1;
	t->eps = t->eps > 0 ? t->eps : t->norm >= PEFT_LAYER ? 1e-5 : 1e-6;
}

/* What 0 means in a table row, once everything is read. */
static void
ones(struct peft_traits *t)
{
	double *one[] = { &t->embed_scale, &t->residual_scale,
	    &t->logit_scale, &t->router_scale };
	size_t i;

	for (i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		if (*one[i] == 0)
			*one[i] = 1;
}

static int
read_family(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const char *type = NULL;
	char names[400];

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_json_str(j, "model_type", &type, err) == -1)
		return -1;
	if (type == NULL)
		return peft_seterr(err, "key \"model_type\" is missing");
	if ((c->family = peft_family_find(type)) != NULL)
		return 0;
	peft_family_names(names, sizeof(names));
	return peft_seterr(err, "model_type \"%s\" is not known (known: %s)",
	    type, names);
}

static int
read_config(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	int64_t bos = -1, pad = -1;

	if (read_family(c, j, err) == -1)
		return -1;
	defaults(c);
	if (peft_config_keys(c, j, err) == -1)
		return -1;
	if (c->family->finish != NULL && c->family->finish(c, j, err) == -1)
		return -1;
	if (check_sizes(c, true, err) == -1 || derive(c, err) == -1 ||
	    peft_json_int(j, "bos_token_id", 0, (int64_t)c->vocab - 1, &bos,
	    err) == -1 || peft_json_int(j, "pad_token_id", INT32_MIN,
	    INT32_MAX, &pad, err) == -1)
		return -1;
	c->bos = (int32_t)bos;
	c->pad = pad < 0 ? -1 : (int32_t)pad;
	ones(&c->t);
	if (peft_config_own_head(c, j, err) == -1)
		return -1;
	if (peft_config_layers(c, j, err) == -1 ||
	    peft_config_rope(c, j, err) == -1)
		return -1;
	return read_eos(j, c, err);
}

/* Any at all?  Without, the weights are of no model to be run, or of one that
 * has the sizes that are transformers' defaults. */
static bool
has_sizes(const struct peft_config *c)
{
	return c->hidden > 0 || c->layers > 0 || c->heads > 0;
}

int
peft_config_sane(const struct peft_side *config, struct peft_err *err)
{
	struct peft_config c = { .family = NULL };
	const char *type = NULL;
	int r = 0;
	cJSON *j;

	if ((j = peft_json(config->data, config->len, err)) == NULL)
		return peft_errprefix(err, "config.json");
	if (cJSON_IsObject(j) && peft_json_str(j, "model_type", &type,
	    err) == 1 && (c.family = peft_family_find(type)) != NULL &&
	    (peft_config_sizes(&c, j, err) == -1 ||
	    (has_sizes(&c) && check_sizes(&c, false, err) == -1)))
		r = peft_errprefix(err, "config.json");
	cJSON_Delete(j);
	return r;
}

int
peft_config_parse(struct peft_config *c, const struct peft_side *config,
    const struct peft_side *generation, struct peft_err *err)
{
	cJSON *j;
	int r;

	memset(c, 0, sizeof(*c));
	if ((j = peft_json(config->data, config->len, err)) == NULL)
		return peft_errprefix(err, "config.json");
	r = read_config(c, j, err);
	cJSON_Delete(j);
	if (r == -1)
		return peft_errprefix(err, "config.json");
	if (generation == NULL)
		return 0;
	if ((j = peft_json(generation->data, generation->len, err)) == NULL)
		return peft_errprefix(err, "generation_config.json");
	r = read_eos(j, c, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "generation_config.json") : 0;
}

int
peft_config_read(struct peft_config *c, const struct peft_source *src,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, "config.json");

	if (side == NULL)
		return peft_seterr(err, "%s: no config.json: not a model",
		    peft_source_label(src));
	if (peft_config_parse(c, side,
	    peft_source_side(src, "generation_config.json"), err) == -1)
		return peft_errprefix(err, "%s", peft_source_label(src));
	return 0;
}

bool
peft_config_is_eos(const struct peft_config *c, int32_t id)
{
	size_t i;

	for (i = 0; i < c->neos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}
