/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests/merge.t needs besides the programs:
 *
 * merge-tool compare A B [PREFIX]	largest difference of the weights of A
 *		from those of B called PREFIX + name, relative to the largest
 * merge-tool hash MODEL		the base hash
 * merge-tool stamp ADAPTER OUT BASE [ORIGIN]	a copy that says which base it
 *		is for, and what that was made from
 * merge-tool fresh MODEL CONFIG OUT	a new adapter from a config's text
 * merge-tool types MODEL		name and type of each weight
 * merge-tool look MODEL ADAPTER MERGED	what --verify says of MERGED
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge/merge-impl.h"
#include "peft/adapter.h"
#include "quant/quant.h"
#include "quant/sink.h"

static void
need(int good, const struct peft_err *err)
{
	if (good)
		return;
	fprintf(stderr, "merge-tool: %s\n", err->msg);
	exit(2);
}

static struct peft_source *
source(const char *path)
{
	struct peft_err err = { 0 };
	struct peft_source *s = peft_source_open(path, &err);

	need(s != NULL, &err);
	return s;
}

static float *
values(struct peft_source *s, size_t i, struct peft_weight *w)
{
	struct peft_err err = { 0 };
	float *v;

	need(peft_source_load(s, i, w, &err) == 0, &err);
	v = malloc((w->nelem + 1) * sizeof(*v));
	peft_decode(w, 0, w->nelem, v);
	return v;
}

static int
compare(const char *pa, const char *pb, const char *prefix)
{
	struct peft_source *a = source(pa), *b = source(pb);
	double most = 0, top, d;
	size_t i, k, e, n = 0;

	for (i = 0; i < peft_source_count(a); i++) {
		struct peft_weight wa, wb;
		float *x, *y;
		char name[512];

		snprintf(name, sizeof(name), "%s%s", prefix,
		    peft_source_at(a, i)->name);
		if ((k = peft_source_find(b, name)) == SIZE_MAX)
			continue;
		x = values(a, i, &wa);
		y = values(b, k, &wb);
		if (wa.nelem != wb.nelem) {
			puts("sizes differ");
			exit(1);
		}
		for (top = 1e-30, e = 0; e < wb.nelem; e++)
			top = fmax(top, fabs((double)y[e]));
		for (e = 0; e < wb.nelem; e++) {
			d = fabs((double)x[e] - (double)y[e]) / top;
			most = isnan(d) ? INFINITY : fmax(most, d);
		}
		free(x);
		free(y);
		n++;
	}
	printf("%zu weights, %.3g\n", n, most);
	peft_source_close(a);
	peft_source_close(b);
	return 0;
}

static int
stamp(const char *path, const char *out, const char *base,
    const char *origin)
{
	const char *meta[] = { "peft.base", base, origin == NULL ? NULL :
	    "peft.origin", origin, NULL };
	struct peft_sinkopt o = { .path = out, .kind = "adapter",
	    .meta = meta };
	struct peft_err err = { 0 };
	struct peft_source *s = source(path);
	size_t n = peft_source_count(s), i;
	struct peft_spec *specs = calloc(n + 1, sizeof(*specs));
	struct peft_sink *sink;

	for (i = 0; i < n; i++)
		specs[i] = peft_spec_of(peft_source_at(s, i));
	sink = peft_sink_open(&o, specs, n, peft_source_side(s,
	    "adapter_config.json"), 1, &err);
	need(sink != NULL, &err);
	for (i = 0; i < n; i++) {
		struct peft_weight w;
		struct peft_rows rows;

		need(peft_source_load(s, i, &w, &err) == 0, &err);
		rows = peft_rows_of(&w);
		need(peft_sink_put(sink, &rows, &err) == 0, &err);
	}
	need(peft_sink_commit(sink, &err) == 0, &err);
	peft_source_close(s);
	free(specs);
	return 0;
}

static int
fresh(const char *model, const char *config, const char *out)
{
	struct peft_err err = { 0 };
	struct peft_source *s = source(model);
	struct peft_config c;
	struct peft_sites sites;
	struct peft_adapter *a;
	cJSON *j = peft_json(config, strlen(config), &err);

	need(j != NULL && peft_config_read(&c, s, &err) == 0 &&
	    peft_sites_open(&sites, &c, s, &err) == 0, &err);
	need((a = peft_adapter_new(j, &sites, 1, &err)) != NULL, &err);
	need(peft_adapter_save(a, out, true, NULL, &err) == 0, &err);
	peft_adapter_close(a);
	peft_sites_close(&sites);
	cJSON_Delete(j);
	peft_source_close(s);
	return 0;
}

static int
hash(const char *path)
{
	struct peft_err err = { 0 };
	struct peft_source *s = source(path);
	char hex[7 + PEFT_SHA256_HEX];

	need(peft_source_hash(s, 1, hex, &err) == 0, &err);
	peft_source_close(s);
	return puts(hex) < 0;
}

static int
types(const char *path)
{
	struct peft_source *s = source(path);
	size_t i;

	for (i = 0; i < peft_source_count(s); i++)
		printf("%s %s\n", peft_source_at(s, i)->name,
		    peft_dtypes[peft_source_at(s, i)->dtype].name);
	peft_source_close(s);
	return 0;
}

static int
look(const char *model, const char *adapter, const char *merged)
{
	struct peft_mergeopt o = { .model = model, .type = PEFT_NDTYPE,
	    .threads = 1 };
	struct peft_err err = { 0 };
	struct peft_merge *m = peft_merge_open(&o, &err);
	struct peft_verdict v;
	int r;

	need(m != NULL && peft_merge_add(m, adapter, 1, &err) == 0, &err);
	peft_merge_verify(m, NULL, &v);
	r = peft_merge_look(m, merged, &err);
	if (r == -1)
		puts(err.msg);
	peft_merge_close(m);
	return r == -1 ? (int)err.status : 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "compare") == 0 && argc >= 4)
		return compare(argv[2], argv[3], argc > 4 ? argv[4] : "");
	if (strcmp(what, "stamp") == 0 && argc >= 5)
		return stamp(argv[2], argv[3], argv[4], argv[5]);
	if (strcmp(what, "fresh") == 0 && argc == 5)
		return fresh(argv[2], argv[3], argv[4]);
	if (strcmp(what, "look") == 0 && argc == 5)
		return look(argv[2], argv[3], argv[4]);
	if (strcmp(what, "hash") == 0)
		return hash(argv[2]);
	if (strcmp(what, "types") == 0)
		return types(argv[2]);
	return 1;
}
