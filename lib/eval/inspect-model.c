/* SPDX-License-Identifier: Apache-2.0 */
/* What the side files and the headers of a model or an adapter tell. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/inspect-impl.h"
#include "model/config.h"
#include "peft/adapter.h"

/* A side file's JSON; 0 if there is none. */
static int
side_json(const struct peft_source *s, const char *file, cJSON **out,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(s, file);

	*out = NULL;
	if (side == NULL)
		return 0;
	if ((*out = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "%s: %s", peft_source_label(s),
		    file);
	return 1;
}

/* Some keys, if they are there. */
static void
copy_keys(cJSON *to, const cJSON *from, const char *const *keys)
{
	const cJSON *v;

	for (; *keys != NULL; keys++)
		if ((v = peft_json_get(from, *keys)) != NULL &&
		    !cJSON_IsNull(v))
			cJSON_AddItemToObject(to, *keys, cJSON_Duplicate(v,
			    true));
}

/* An object of some keys, unless it would be empty. */
static void
add_group(cJSON *j, const char *name, const cJSON *from,
    const char *const *keys)
{
	cJSON *group = cJSON_CreateObject();

	copy_keys(group, from, keys);
	if (group->child != NULL)
		cJSON_AddItemToObject(j, name, group);
	else
		cJSON_Delete(group);
}

static double
number(const cJSON *c, const char *key, double absent)
{
	const cJSON *v = peft_json_get(c, key);

	return cJSON_IsNumber(v) ? v->valuedouble : absent;
}

/* Heads of queries, of keys and values, and their size, as the family's code
 * has them; and sizes that its config.json has other names for. */
static void
add_sizes(cJSON *j, const struct peft_config *c)
{
	const struct { const char *key; size_t n; } sizes[] = {
		{ "hidden_size", c->hidden },
		{ "num_hidden_layers", c->layers },
		{ "num_attention_heads", c->heads },
		{ "num_key_value_heads", c->kv_heads },
		{ "intermediate_size", c->inter },
		{ "max_position_embeddings", c->max_position } };
	cJSON *h;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (peft_json_get(j, sizes[i].key) == NULL && sizes[i].n > 0)
			cJSON_AddNumberToObject(j, sizes[i].key,
			    (double)sizes[i].n);
	h = cJSON_AddObjectToObject(j, "heads");
	cJSON_AddNumberToObject(h, "query", (double)c->heads);
	cJSON_AddNumberToObject(h, "key_value", (double)c->kv_heads);
	cJSON_AddNumberToObject(h, "dim", (double)c->head_dim);
	if (c->v_dim != c->head_dim)
		cJSON_AddNumberToObject(h, "value_dim", (double)c->v_dim);
	if (!c->t.norope && c->rope_dim != c->head_dim)
		cJSON_AddNumberToObject(h, "rope_dim", (double)c->rope_dim);
}

/* The same of a family whose code is not here, with the defaults that
 * transformers gives them. */
static void
add_heads(cJSON *j, const cJSON *c)
{
	double q = number(c, "num_attention_heads", number(c, "n_head", 0));
	double hidden = number(c, "hidden_size", number(c, "n_embd", 0));
	cJSON *h;

	if (q < 1)
		return;
	h = cJSON_AddObjectToObject(j, "heads");
	cJSON_AddNumberToObject(h, "query", q);
	cJSON_AddNumberToObject(h, "key_value", number(c,
	    "num_key_value_heads", q));
	cJSON_AddNumberToObject(h, "dim", number(c, "head_dim", hidden / q));
}

int
peft_inspect_config(cJSON *j, const struct peft_source *s,
    struct peft_err *err)
{
	static const char *const model[] = { "model_type", "hidden_size",
	    "num_hidden_layers", "num_attention_heads",
	    "num_key_value_heads", "intermediate_size", "vocab_size",
	    "max_position_embeddings", "tie_word_embeddings", NULL };
	static const char *const rope[] = { "rope_theta", "rope_parameters",
	    "rope_scaling", "partial_rotary_factor", "rotary_pct",
	    "rope_local_base_freq", "sliding_window", NULL };
	static const char *const adapter[] = { "peft_type", "r",
	    "lora_alpha", "use_rslora", "use_dora", "target_modules",
	    "base_model_name_or_path", "name", "mh_adapter",
	    "output_adapter", "reduction_factor", "non_linearity",
	    "is_parallel", "phm_layer", NULL };
	struct peft_config known;
	struct peft_err none;
	cJSON *c;
	int r;

	if ((r = side_json(s, "config.json", &c, err)) == 1) {
		copy_keys(j, c, model);
		add_group(j, "rope", c, rope);
		if (peft_config_read(&known, s, &none) == 0)
			add_sizes(j, &known);
		else
			add_heads(j, c);
		cJSON_Delete(c);
	}
	if (r != -1 && (r = side_json(s, "adapter_config.json", &c,
	    err)) == 1) {
		if ((r = peft_hub_unpack(&c, err)) == 0)
			copy_keys(j, c, adapter);
		cJSON_Delete(c);
	}
	return r == -1 ? -1 : 0;
}

/* The template that records are made with; older folders have it within
 * tokenizer_config.json. */
static int
add_template(cJSON *j, const struct peft_source *s, struct peft_err *err)
{
	const struct peft_side *tmpl = peft_source_side(s,
	    "chat_template.jinja");
	char hex[7 + PEFT_SHA256_HEX] = "sha256:";
	const cJSON *within;
	cJSON *c = NULL;

	if (tmpl != NULL)
		peft_sha256_of(tmpl->data, tmpl->len, hex + 7);
	else if (side_json(s, "tokenizer_config.json", &c, err) == -1)
		return -1;
	within = peft_json_get(c, "chat_template");
	if (cJSON_IsString(within))
		peft_sha256_of(within->valuestring,
		    strlen(within->valuestring), hex + 7);
	if (tmpl != NULL || cJSON_IsString(within))
		cJSON_AddStringToObject(j, "chat_template", hex);
	else
		cJSON_AddNullToObject(j, "chat_template");
	cJSON_Delete(c);
	return 0;
}

/* The tokenizer's kind and size, and the hashes that records carry; null for
 * a model without. */
int
peft_inspect_tokenizer(cJSON *j, const struct peft_source *s,
    struct peft_err *err)
{
	const struct peft_side *tok = peft_source_side(s, "tokenizer.json");
	const struct peft_side *sides;
	size_t nsides;
	const char *why = peft_source_meta(s, "peft.no_tokenizer");
	char hex[7 + PEFT_SHA256_HEX] = "sha256:";
	const cJSON *model, *type;
	cJSON *c, *t;
	int r = peft_source_sides(s, &sides, &nsides, err);

	if (r == 0)
		r = side_json(s, "tokenizer.json", &c, err);
	if (r == -1)
		return -1;
	if (r == 1) {
		model = peft_json_get(c, "model");
		type = peft_json_get(model, "type");
		t = cJSON_AddObjectToObject(j, "tokenizer");
		cJSON_AddStringToObject(t, "type", cJSON_IsString(type) ?
		    type->valuestring : "?");
		cJSON_AddNumberToObject(t, "vocabulary", cJSON_GetArraySize(
		    peft_json_get(model, "vocab")));
		cJSON_AddNumberToObject(t, "added", cJSON_GetArraySize(
		    peft_json_get(c, "added_tokens")));
		peft_sha256_of(tok->data, tok->len, hex + 7);
		cJSON_AddStringToObject(t, "hash", hex);
		cJSON_Delete(c);
	} else if (why != NULL)
		cJSON_AddStringToObject(j, "tokenizer", why);
	else if (!peft_source_is_adapter(s))
		cJSON_AddNullToObject(j, "tokenizer");
	if (peft_source_is_adapter(s) && peft_source_side(s,
	    "chat_template.jinja") == NULL)
		return 0;
	return add_template(j, s, err);
}

/* Bytes of a weight with its scales; of groups about, for some files have
 * zero points and orders besides. */
static double
bytes_of(const struct peft_weight *w)
{
	const struct peft_scales *s = &w->scales;
	double each = s->qabsmax != NULL || s->nested_blocksize > 0 ||
	    s->exponents != NULL ? 1 : s->group > 0 && s->bits < 8 ? 2 : 4;

	return (double)w->nbytes + each * (double)s->nabsmax +
	    4 * (double)s->nnested;
}

int
peft_inspect_bits(cJSON *j, const struct peft_source *s, struct peft_err *err)
{
	double bits = 0, values = 0, all = 0, nall = 0;
	size_t i;
	cJSON *c;

	for (i = 0; i < peft_source_count(s); i++) {
		const struct peft_weight *w = peft_source_at(s, i);
		bool quant = peft_dtypes[w->dtype].block > 1 ||
		    w->scales.nabsmax > 0;

		all += 8 * bytes_of(w);
		nall += (double)w->nelem;
		bits += quant ? 8 * bytes_of(w) : 0;
		values += quant ? (double)w->nelem : 0;
	}
	if (nall > 0)
		peft_inspect_real(j, "bits_per_value", all / nall);
	if (values > 0)
		peft_inspect_real(j, "bits_per_quantized_value",
		    bits / values);
	if (side_json(s, "config.json", &c, err) == -1)
		return -1;
	if (peft_json_get(c, "quantization_config") != NULL)
		cJSON_AddItemToObject(j, "quantization_config",
		    cJSON_Duplicate(peft_json_get(c, "quantization_config"),
		    true));
	cJSON_Delete(c);
	return 0;
}
