/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of mlx-lm (tuner/lora.py, dora.py, utils.py): a folder with
 * adapters.safetensors and an adapter_config.json of its own.  A lies [in, r]
 * and B [r, out]; one rank and one scale for all, which is not divided by the
 * rank; keys are paths within a layer for the last num_layers layers, or whole
 * paths.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/layout-impl.h"

/* Of a model whose head is its embedding, a LoRA on that is one on the head as
 * well there, which it is not in PEFT. */
static bool
is_shared(const struct peft_sites *sites, const struct peft_site *s)
{
	size_t i;

	for (i = 0; s->kind == PEFT_EMBEDDING && i < sites->n; i++)
		if (sites->at[i].kind == PEFT_HEAD &&
		    sites->at[i].weight == SIZE_MAX)
			return true;
	return false;
}

static int
fits(const struct peft_foreign *f, const struct peft_sites *sites,
    struct peft_err *err)
{
	size_t i, k;

	for (i = 0; i < sites->n; i++)
		for (k = 0; is_shared(sites, &sites->at[i]) && k < f->n; k++)
			if (strcmp(f->pairs[k].stem, sites->at[i].path) == 0)
				return peft_setfail(err, PEFT_CHECK, "%s is "
				    "the head of this model, too, which mlx-lm "
				    "adapts with it and PEFT does not: fuse "
				    "it there (mlx_lm.fuse)",
				    f->pairs[k].stem);
	return 0;
}

/* Its models call the part that has the layers "model", whatever it is called
 * in transformers. */
static int
stem(const struct peft_sites *sites, const struct peft_site *s, int k,
    struct peft_buf *b, struct peft_err *err)
{
	const char *dot = strchr(s->path, '.');

	(void)err;
	if (k > 1 || is_shared(sites, s) || (k == 1 && dot == NULL))
		return 0;
	if (k == 0 && (dot == NULL || strncmp(s->path, "model.", 6) == 0 ||
	    s->kind == PEFT_HEAD))
		peft_buf_puts(b, s->path);
	else
		peft_buf_printf(b, "model%s", dot);
	return 1;
}

/* alpha / rank is to be the scale again. */
static double
alpha_of(double scale, double rank)
{
	double alpha = scale * rank;

	if (alpha / rank < scale)
		alpha = nextafter(alpha, HUGE_VAL);
	else if (alpha / rank > scale)
		alpha = nextafter(alpha, -HUGE_VAL);
	return alpha;
}

static int
read_config(struct peft_foreign *f, const cJSON *j, struct peft_err *err)
{
	const cJSON *p = peft_json_get(j, "lora_parameters");
	const char *type = "lora";
	double scale = 0;
	int64_t rank = 0;
	int r;

	if (peft_json_str(j, "fine_tune_type", &type, err) == -1)
		return -1;
	if (strcmp(type, "lora") != 0 && strcmp(type, "dora") != 0)
		return peft_seterr(err, "fine_tune_type \"%s\" is no LoRA: "
		    "fuse it into its model there (mlx_lm.fuse)", type);
	if (peft_json_int(p, "rank", 1, 1 << 20, &rank, err) == -1 ||
	    (r = peft_json_real(p, "scale", &scale, err)) == -1 ||
	    peft_json_real(p, "dropout", &f->dropout, err) == -1)
		return peft_errprefix(err, "lora_parameters");
	if (rank == 0 || r == 0)
		return peft_seterr(err, "lora_parameters has no %s", rank ==
		    0 ? "rank" : "scale");
	return peft_foreign_uniform(f, rank, alpha_of(scale, (double)rank),
	    err);
}

static int
settings(struct peft_foreign *f, struct peft_err *err)
{
	cJSON *j = peft_foreign_config(f, err);
	int r = j == NULL ? -1 : read_config(f, j, err);

	cJSON_Delete(j);
	return r;
}

/* The path within the layer, NULL: it is in none. */
static const char *
within(const struct peft_site *s)
{
	struct peft_buf b = { 0 };
	const char *found = NULL;

	if (s->layer < 0)
		return NULL;
	peft_buf_printf(&b, ".%d.", s->layer);
	if (!b.failed && (found = strstr(s->path, b.data)) != NULL)
		found += b.len;
	peft_buf_free(&b);
	return found;
}

/* The first layer from which on all have the module; -1: it has gaps. */
static int
first_layer(const struct peft_layout_out *o, const char *key, int layers)
{
	int from = layers, n = 0;
	size_t i;

	for (i = 0; i < o->n; i++) {
		const struct peft_site *s = o->pairs[i].module->site;
		const char *own = within(s);

		if (own == NULL || strcmp(own, key) != 0)
			continue;
		from = s->layer < from ? s->layer : from;
		n++;
	}
	return n == layers - from ? from : -1;
}

/* How many of the last layers have the same modules; 0: none, whole paths
 * name them. */
static int
last_layers(const struct peft_layout_out *o)
{
	int layers = (int)o->sites->config->layers, from = -1, here;
	size_t i;

	for (i = 0; i < o->n; i++) {
		const char *key = within(o->pairs[i].module->site);

		if (key == NULL)
			continue;
		here = first_layer(o, key, layers);
		if (here == -1 || (from != -1 && here != from))
			return 0;
		from = here;
	}
	return from == -1 ? 0 : layers - from;
}

static void
add_key(cJSON *keys, const char *key)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, keys)
		if (strcmp(e->valuestring, key) == 0)
			return;
	cJSON_AddItemToArray(keys, cJSON_CreateString(key));
}

static cJSON *
config(const struct peft_layout_out *o, struct peft_err *err)
{
	cJSON *j = cJSON_CreateObject(), *p, *keys;
	int last = last_layers(o);
	struct peft_buf b = { 0 };
	size_t i;

	cJSON_AddStringToObject(j, "fine_tune_type", o->dora ? "dora" :
	    "lora");
	cJSON_AddNumberToObject(j, "num_layers", last > 0 ? last :
	    (double)o->sites->config->layers);
	p = cJSON_AddObjectToObject(j, "lora_parameters");
	cJSON_AddNumberToObject(p, "rank", (double)o->rank);
	cJSON_AddNumberToObject(p, "scale", o->alpha / (double)o->rank);
	cJSON_AddNumberToObject(p, "dropout", o->dropout);
	keys = cJSON_AddArrayToObject(p, "keys");
	for (i = 0; i < o->n; i++) {
		const struct peft_site *s = o->pairs[i].module->site;
		const char *key = last > 0 ? within(s) : NULL;

		peft_buf_clear(&b);
		if (key == NULL && peft_layout_stem(&peft_layout_mlx,
		    o->sites, s, &b, err) == 0)
			key = b.data;
		if (key == NULL) {
			cJSON_Delete(j);
			j = NULL;
			break;
		}
		add_key(keys, key);
	}
	peft_buf_free(&b);
	return j;
}

const struct peft_layout peft_layout_mlx = {
	.name = "mlx", .about = "mlx-lm",
	.tails = { ".lora_a", ".lora_b", ".m", NULL },
	.file = "adapters.safetensors", .turned = true, .embeds = true,
	.stem = stem, .settings = settings, .fits = fits,
	.config = config, .uniform = true,
};
