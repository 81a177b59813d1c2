/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layouts of diffusers' pytorch_lora_weights.safetensors, of which the
 * text encoders are language models: the component and the path, and tails of
 * three ages.  Settings are PEFT's, in __metadata__ (lora_adapter_metadata)
 * with the component before each key; without them the scale is 1.
 */

#include <math.h>
#include <string.h>

#include "peft/layout-impl.h"
#include "peft/target.h"

static const char *const components[] = { "text_encoder", "text_encoder_2",
    "text_encoder_3", "transformer", NULL };

static int
stem(const struct peft_sites *sites, const struct peft_site *s, int k,
    struct peft_buf *b, struct peft_err *err)
{
	const char *component = components[k / 2], *path = s->path, *dot;

	(void)sites;
	(void)err;
	if (component == NULL)
		return 0;
	dot = strchr(path, '.');
	if (k % 2 == 1 && dot != NULL)
		path = dot + 1;
	peft_buf_printf(b, "%s.%s", component, path);
	return 1;
}

/* PEFT's names end so, too. */
static bool
is(const struct peft_source *s)
{
	const char *name;
	size_t i, n;

	if (peft_source_side(s, "adapter_config.json") != NULL ||
	    peft_source_count(s) == 0)
		return false;
	name = peft_source_at(s, 0)->name;
	for (i = 0; components[i] != NULL; i++) {
		n = strlen(components[i]);
		if (strncmp(name, components[i], n) == 0 && name[n] == '.')
			return true;
	}
	return strncmp(name, "unet.", 5) == 0;
}

static const cJSON *
said(const cJSON *j, const char *stem, const char *key)
{
	struct peft_buf b = { 0 };
	const char *dot = strchr(stem, '.');
	const cJSON *v = NULL;

	peft_buf_put(&b, stem, dot == NULL ? 0 : (size_t)(dot - stem));
	peft_buf_printf(&b, ".%s", key);
	if (!b.failed)
		v = peft_json_get(j, b.data);
	peft_buf_free(&b);
	return v;
}

static int
alpha_of(const struct peft_foreign *f, struct peft_pair *p, const cJSON *j,
    struct peft_err *err)
{
	const cJSON *v = said(j, p->stem, "lora_alpha");
	const char *dot = strchr(p->stem, '.');

	p->alpha = (double)p->rank;
	if (p->at[PEFT_HALF_ALPHA] != SIZE_MAX)
		return peft_foreign_scalar(f, p->at[PEFT_HALF_ALPHA],
		    &p->alpha, err);
	if (v != NULL && !cJSON_IsNumber(v))
		return peft_seterr(err, "lora_adapter_metadata: lora_alpha is "
		    "no number");
	if (v != NULL)
		p->alpha = v->valuedouble;
	if (dot != NULL && peft_pattern_value(said(j, p->stem,
	    "alpha_pattern"), dot + 1, p->alpha, &p->alpha, err) == -1)
		return -1;
	if (cJSON_IsTrue(said(j, p->stem, "use_rslora")))
		p->alpha *= sqrt((double)p->rank);
	return 0;
}

static int
settings(struct peft_foreign *f, struct peft_err *err)
{
	const char *text = peft_source_meta(f->source,
	    "lora_adapter_metadata");
	cJSON *j = text == NULL ? NULL : peft_json(text, strlen(text), err);
	size_t i;
	int r = text != NULL && j == NULL ? peft_errprefix(err,
	    "lora_adapter_metadata") : 0;

	for (i = 0; r == 0 && i < f->n; i++) {
		if (strncmp(f->pairs[i].stem, "unet.", 5) == 0)
			r = peft_setfail(err, PEFT_CHECK, "%s is a part of an "
			    "image model (unet.), which is none of this "
			    "model's", f->pairs[i].stem);
		else
			r = alpha_of(f, &f->pairs[i], j, err);
	}
	cJSON_Delete(j);
	return r;
}

static void
add_patterns(const struct peft_layout_out *o, cJSON *j)
{
	cJSON *ranks = cJSON_AddObjectToObject(j, "text_encoder.rank_pattern");
	cJSON *alphas = cJSON_AddObjectToObject(j,
	    "text_encoder.alpha_pattern");
	size_t i;

	for (i = 1; i < o->n; i++) {
		const struct peft_module *m = o->pairs[i].module;

		peft_lora_pattern(ranks, alphas, m->site->path, m->rank,
		    o->pairs[0].module->rank, o->pairs[i].alpha,
		    o->pairs[0].alpha);
	}
}

static void
metadata(const struct peft_layout_out *o, struct peft_buf *b,
    const char **meta, size_t n)
{
	cJSON *j = cJSON_CreateObject(), *list;
	size_t i;

	cJSON_AddNumberToObject(j, "text_encoder.r",
	    (double)o->pairs[0].module->rank);
	cJSON_AddNumberToObject(j, "text_encoder.lora_alpha",
	    o->pairs[0].alpha);
	cJSON_AddBoolToObject(j, "text_encoder.use_dora", o->dora);
	list = cJSON_AddArrayToObject(j, "text_encoder.target_modules");
	for (i = 0; i < o->n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(
		    o->pairs[i].module->site->path));
	add_patterns(o, j);
	peft_json_print(b, j, 2, true);
	cJSON_Delete(j);
	meta[n++] = "lora_adapter_metadata";
	meta[n++] = b->failed ? "" : b->data;
	meta[n] = NULL;
}

const struct peft_layout peft_layout_diffusers = {
	.name = "diffusers", .about = "diffusers, of its text encoders",
	.tails = { ".lora_A.weight", ".lora_B.weight",
	    ".lora_magnitude_vector", ".alpha" },
	.is = is, .stem = stem, .settings = settings, .metadata = metadata,
	.alpha_elsewhere = true,
};

const struct peft_layout peft_layout_diffusers_up = {
	.name = "diffusers",
	.tails = { ".lora.down.weight", ".lora.up.weight", NULL, ".alpha" },
	.is = is, .stem = stem, .settings = settings,
};

const struct peft_layout peft_layout_diffusers_linear = {
	.name = "diffusers",
	.tails = { ".lora_linear_layer.down.weight",
	    ".lora_linear_layer.up.weight", NULL, ".alpha" },
	.is = is, .stem = stem, .settings = settings,
};
