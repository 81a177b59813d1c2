/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters as they lie on disk (a bundle of config and tensors), over a model
 * that is nothing but its modules.  What can be opened can be merged and
 * saved, and what was saved has the same values.
 */

#include "input.h"
#include "peft/adapter.h"
#include "sites.h"

static bool
config_is_small(const struct peft_source *s)
{
	const struct peft_side *side = peft_source_side(s,
	    "adapter_config.json");
	struct peft_err err = { 0 };
	cJSON *j = side == NULL ? NULL : peft_json(side->data, side->len,
	    &err);
	bool small = !fuzz_too_large(j);

	cJSON_Delete(j);
	return small;
}

static struct peft_adapter *
open_adapter(const char *path, struct peft_site *at,
    struct peft_source **source)
{
	struct peft_sites sites = { .at = at, .n = NSITE };
	struct peft_err err = { 0 };
	struct peft_adapter *a = NULL;

	memcpy(at, fuzz_sites, sizeof(fuzz_sites));
	*source = peft_source_open(path, &err);
	if (*source != NULL && config_is_small(*source))
		a = peft_adapter_open(*source, &sites, &err);
	return a;
}

static int
zeros(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	(void)first;
	(void)err;
	memset(dst, 0, n * *(size_t *)ctx * sizeof(*dst));
	return 0;
}

/* Every leaf that it changes, row by row over a base of zeros. */
static void
merge(struct peft_adapter *a)
{
	struct peft_rows rows, base;
	struct peft_err err = { 0 };
	float row[64];
	char name[256];
	size_t i, k, cols, n;

	base = (struct peft_rows){ .get = zeros, .ctx = &cols };
	for (i = 0; peft_adapter_target(a, i, name, sizeof(name)) == 1; i++) {
		bool bias = strstr(name, ".bias") != NULL;

		FUZZ_CLAIM(peft_adapter_touches(a, name));
		for (k = 0; k < NSITE && strncmp(name, fuzz_sites[k].path,
		    strlen(fuzz_sites[k].path)) != 0; k++)
			;
		FUZZ_CLAIM(k < NSITE);
		cols = bias || fuzz_sites[k].kind == PEFT_EMBEDDING ?
		    fuzz_sites[k].out : fuzz_sites[k].in;
		n = bias ? 1 : fuzz_sites[k].kind == PEFT_EMBEDDING ?
		    fuzz_sites[k].in : fuzz_sites[k].out;
		FUZZ_CLAIM(peft_adapter_merge(a, name, &base, 0.5F, &rows,
		    &err) == 1);
		for (k = 0; k < n; k++)
			(void)!rows.get(rows.ctx, k, 1, row, &err);
		peft_rows_free(&rows);
	}
}

static void
save(struct peft_adapter *a, const char *folder)
{
	struct peft_site at[NSITE];
	char path[512];
	struct peft_err err = { 0 };
	struct peft_source *source;
	struct peft_adapter *b;
	struct peft_param *p, *q;
	size_t n, m, i;

	snprintf(path, sizeof(path), "%s/a.safetensors", folder);
	FUZZ_CLAIM(peft_adapter_save(a, path, false, NULL, &err) == 0);
	b = open_adapter(path, at, &source);
	FUZZ_CLAIM(b != NULL);
	p = peft_adapter_params(a, &n);
	q = peft_adapter_params(b, &m);
	FUZZ_CLAIM(n == m && peft_adapter_nsites(a) == peft_adapter_nsites(b));
	for (i = 0; i < n; i++)
		FUZZ_CLAIM(strcmp(p[i].name, q[i].name) == 0 &&
		    p[i].n == q[i].n && memcmp(p[i].value, q[i].value,
		    p[i].n * sizeof(float)) == 0);
	peft_adapter_close(b);
	peft_source_close(source);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	struct peft_site at[NSITE];
	struct peft_source *source;
	struct peft_adapter *a = open_adapter(file.path, at, &source);
	struct fuzz_folder folder;

	if (a != NULL) {
		folder = fuzz_folder();
		merge(a);
		save(a, folder.path);
		fuzz_remove(&folder);
	}
	peft_adapter_close(a);
	peft_source_close(source);
	fuzz_close(&file);
	return 0;
}
