/* SPDX-License-Identifier: Apache-2.0 */
/* What an adapter adds: the norm and the ranks of scale * B A, by module and
 * by layer.  Of methods that are not factors, the norm of their tensors. */

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/inspect-impl.h"
#include "math/cpu.h"
#include "math/lowrank.h"
#include "peft/layout.h"
#include "peft/target.h"
#include "quant/quant.h"

/* Sums over the modules of a layer. */
struct layer {
	int	number;		/* -1: outside the layers */
	double	square, effective;
	size_t	modules;
};

struct ranks {
	struct peft_source	*s;
	struct peft_cpu		*cpu;
	const cJSON		*config;
	cJSON			*modules;
	struct layer		*layers;
	size_t			 nlayers, cap;
};

/* ".layers.12." or the like ("_layers_12_"): the first component that is a
 * number; -1. */
static int
layer_of(const char *name)
{
	const char *p;
	char *end;
	long n;

	for (p = strpbrk(name, "._"); p != NULL; p = strpbrk(p + 1, "._")) {
		if (!isdigit((unsigned char)p[1]))
			continue;
		n = strtol(p + 1, &end, 10);
		if (*end == *p && n < 1 << 20)
			return (int)n;
	}
	return -1;
}

static struct layer *
find_layer(struct ranks *k, const char *name, struct peft_err *err)
{
	int number = layer_of(name);
	struct layer *grown;
	size_t i;

	for (i = 0; i < k->nlayers; i++)
		if (k->layers[i].number == number)
			return &k->layers[i];
	grown = peft_grow(k->layers, k->nlayers, &k->cap, sizeof(*grown), err);
	if (grown == NULL)
		return NULL;
	k->layers = grown;
	k->layers[k->nlayers] = (struct layer){ .number = number };
	return &k->layers[k->nlayers++];
}

/* alpha / r, or alpha / sqrt r, with the values that patterns give it. */
static int
scale_of(const cJSON *config, const char *path, size_t r, double *scale,
    struct peft_err *err)
{
	double alpha = 8;
	bool rslora = false;

	if (peft_json_real(config, "lora_alpha", &alpha, err) == -1 ||
	    peft_json_bool(config, "use_rslora", &rslora, err) == -1 ||
	    peft_pattern_value(peft_json_get(config, "alpha_pattern"), path,
	    alpha, &alpha, err) == -1)
		return -1;
	*scale = rslora ? alpha / sqrt((double)r) : alpha / (double)r;
	return 0;
}

static float *
values_of(struct ranks *k, size_t i, struct peft_err *err)
{
	struct peft_weight w;
	float *x;

	if (peft_source_load(k->s, i, &w, err) == -1 ||
	    (x = peft_calloc(w.nelem + 1, sizeof(*x), err)) == NULL)
		return NULL;
	peft_decode(&w, 0, w.nelem, x);
	return x;
}

static bool
all_finite(const float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

/* Norm and ranks of scale * b a; zeros if something is not finite. */
static int
spectrum(struct ranks *k, size_t ia, size_t ib, double scale,
    struct peft_spectrum *p, bool *finite, struct peft_err *err)
{
	const struct peft_weight *wa = peft_source_at(k->s, ia);
	const struct peft_weight *wb = peft_source_at(k->s, ib);
	size_t r = wa->rows, j;
	float *a = values_of(k, ia, err), *b = NULL;
	double *s = NULL;
	int status = -1;

	*p = (struct peft_spectrum){ 0 };
	*finite = true;
	if (a != NULL && (b = values_of(k, ib, err)) != NULL &&
	    (s = peft_calloc(r, sizeof(*s), err)) != NULL) {
		*finite = all_finite(a, wa->nelem) && all_finite(b, wb->nelem);
		status = !*finite ? 0 : peft_singular_product(k->cpu, b,
		    wb->rows, a, wa->cols, r, s, err);
		for (j = 0; status == 0 && j < r; j++)
			s[j] *= fabs(scale);
		if (status == 0 && *finite)
			*p = peft_spectrum_of(s, r);
	}
	free(a);
	free(b);
	free(s);
	return status;
}

static int
add_module(struct ranks *k, const char *path, size_t ia, size_t ib,
    size_t r, double scale, struct peft_err *err)
{
	struct peft_spectrum p;
	struct layer *l;
	bool finite;
	cJSON *m;

	if (spectrum(k, ia, ib, scale, &p, &finite, err) == -1 ||
	    (l = find_layer(k, path, err)) == NULL)
		return -1;
	l->square += finite ? p.norm * p.norm : NAN;
	l->effective += finite ? p.effective_rank : NAN;
	l->modules++;
	m = cJSON_CreateObject();
	cJSON_AddStringToObject(m, "name", path);
	cJSON_AddNumberToObject(m, "rank", (double)r);
	peft_inspect_real(m, "scale", scale);
	peft_inspect_real(m, "norm", finite ? p.norm : NAN);
	peft_inspect_real(m, "largest", finite ? p.largest : NAN);
	peft_inspect_real(m, "effective_rank", finite ? p.effective_rank :
	    NAN);
	peft_inspect_real(m, "stable_rank", finite ? p.stable_rank : NAN);
	cJSON_AddItemToArray(k->modules, m);
	return 0;
}

/* A tensor of another kind. */
static int
add_tensor(struct ranks *k, size_t i, struct peft_err *err)
{
	const struct peft_weight *w = peft_source_at(k->s, i);
	float *x;
	struct layer *l;
	size_t j;

	if (!peft_can_decode(w->dtype))
		return 0;
	if ((l = find_layer(k, w->name, err)) == NULL ||
	    (x = values_of(k, i, err)) == NULL)
		return -1;
	for (j = 0; j < w->nelem; j++)
		l->square += (double)x[j] * (double)x[j];
	free(x);
	return 0;
}

/* In another tool's layout, where it says itself what belongs together.  Of
 * halves that lie the other way round, the product is turned: the same
 * singular values. */
static int
add_foreign(struct ranks *k, const struct peft_layout *layout,
    struct peft_err *err)
{
	struct peft_foreign f;
	size_t i;
	int r = peft_foreign_open(&f, layout, k->s, err);

	if (r == -1)
		return peft_errprefix(err, "%s", peft_source_label(k->s));
	for (i = 0; r == 0 && i < f.n; i++) {
		const struct peft_pair *p = &f.pairs[i];

		r = add_module(k, p->stem, p->at[f.turned], p->at[!f.turned],
		    p->rank, p->alpha / (double)p->rank, err);
	}
	peft_foreign_close(&f);
	return r;
}

/* If tensor i is an A with its B: 1, the module's path and the B. */
static int
is_factor(const struct ranks *k, size_t i, struct peft_buf *path, size_t *ib)
{
	static const char prefix[] = "base_model.model.";
	static const char *const kinds[][2] = {
		{ ".lora_A.weight", ".lora_B.weight" },
		{ ".lora_embedding_A", ".lora_embedding_B" } };
	const struct peft_weight *a = peft_source_at(k->s, i), *b;
	size_t n = strlen(a->name), t, cut;
	struct peft_buf name = { 0 };

	for (t = 0; t < 2; t++) {
		cut = strlen(kinds[t][0]);
		if (n <= cut || strcmp(a->name + n - cut, kinds[t][0]) != 0)
			continue;
		peft_buf_put(&name, a->name, n - cut);
		peft_buf_puts(&name, kinds[t][1]);
		*ib = name.failed ? SIZE_MAX : peft_source_find(k->s,
		    name.data);
		peft_buf_free(&name);
		b = *ib == SIZE_MAX ? NULL : peft_source_at(k->s, *ib);
		if (b == NULL || a->ndim != 2 || b->ndim != 2 ||
		    b->cols != a->rows || a->nelem == 0 || b->nelem == 0 ||
		    !peft_can_decode(a->dtype) || !peft_can_decode(b->dtype))
			return 0;
		t = strncmp(a->name, prefix, sizeof(prefix) - 1) == 0 ?
		    sizeof(prefix) - 1 : 0;
		peft_buf_put(path, a->name + t, n - cut - t);
		return !path->failed;
	}
	return 0;
}

static int
add_all(struct ranks *k, bool *factors, struct peft_err *err)
{
	size_t n = peft_source_count(k->s), i, ib;
	const struct peft_layout *layout = peft_layout_of(k->s);
	struct peft_buf path = { 0 };
	double scale;
	int r = 0;

	if (layout != NULL && peft_layout_is_lora(layout)) {
		*factors = true;
		return add_foreign(k, layout, err);
	}
	for (i = 0; r == 0 && i < n; i++) {
		peft_buf_clear(&path);
		if (is_factor(k, i, &path, &ib) == 1) {
			size_t rank = peft_source_at(k->s, i)->rows;

			*factors = true;
			r = scale_of(k->config, path.data, rank, &scale, err);
			if (r == 0)
				r = add_module(k, path.data, i, ib, rank,
				    scale, err);
		}
	}
	peft_buf_free(&path);
	for (i = 0; r == 0 && !*factors && i < n; i++)
		r = add_tensor(k, i, err);
	return r;
}

static int
by_number(const void *a, const void *b)
{
	const struct layer *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void
add_layers(cJSON *j, struct ranks *k, bool factors)
{
	cJSON *list = cJSON_AddArrayToObject(j, "layers"), *e;
	double all = 0;
	size_t i;

	if (k->nlayers > 0)
		qsort(k->layers, k->nlayers, sizeof(*k->layers), by_number);
	for (i = 0; i < k->nlayers; i++) {
		const struct layer *l = &k->layers[i];

		e = cJSON_CreateObject();
		if (l->number >= 0)
			cJSON_AddNumberToObject(e, "layer", l->number);
		else
			cJSON_AddStringToObject(e, "name", "outside");
		peft_inspect_real(e, "norm", sqrt(l->square));
		if (factors)
			peft_inspect_real(e, "effective_rank", l->effective /
			    (double)l->modules);
		cJSON_AddItemToArray(list, e);
		all += l->square;
	}
	peft_inspect_real(j, factors ? "delta_norm" : "tensor_norm",
	    sqrt(all));
}

/* Without LAPACK the report says why there is no more. */
int
peft_inspect_adapter(cJSON *j, struct peft_source *s, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(s,
	    "adapter_config.json");
	struct peft_err why = { 0 };
	struct ranks k = { .s = s, .cpu = peft_cpu_open(1, &why) };
	cJSON *config = NULL;
	bool factors = false;
	int r = 0;

	if (k.cpu == NULL) {
		cJSON_AddStringToObject(j, "layers", why.msg);
		return 0;
	}
	if (side != NULL && (config = peft_json(side->data,
	    side->len, err)) == NULL)
		r = peft_errprefix(err, "adapter_config.json");
	k.config = config;
	k.modules = cJSON_CreateArray();
	if (r == 0)
		r = add_all(&k, &factors, err);
	if (r == 0)
		add_layers(j, &k, factors);
	if (r == 0 && factors)
		cJSON_AddItemToObject(j, "modules", k.modules);
	else
		cJSON_Delete(k.modules);
	cJSON_Delete(config);
	free(k.layers);
	peft_cpu_close(k.cpu);
	return r;
}
