/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model in any container, as peft-quantize converts it.  What is written
 * can be read; where the type can hold every value, the values are the same.
 */

#include "quant/convert.h"
#include "weights.h"

static const struct target {
	const char	*name;
	enum peft_dtype	 dtype;
	bool		 nested, exact;
} targets[] = {
	{ "kept.safetensors", PEFT_NDTYPE, false, false },
	{ "f32.safetensors", PEFT_F32, false, true },
	{ "nf4.safetensors", PEFT_NF4, true, false },
	{ "folder/", PEFT_FP4, false, false },
	{ "kept.gguf", PEFT_NDTYPE, false, false },
	{ "f32.gguf", PEFT_F32, false, true },
	{ "q8_0.gguf", PEFT_Q8_0, false, false },
	{ "q5_1.gguf", PEFT_Q5_1, false, false },
	{ "q2_k.gguf", PEFT_Q2_K, false, false },
	{ "q3_k.gguf", PEFT_Q3_K, false, false },
	{ "q5_k.gguf", PEFT_Q5_K, false, false },
	{ "q6_k.gguf", PEFT_Q6_K, false, false },
	{ "iq4_xs.gguf", PEFT_IQ4_XS, false, false },
	{ "mxfp4.gguf", PEFT_MXFP4, false, false },
	{ "tq1_0.gguf", PEFT_TQ1_0, false, false },
};

/* A digest of the names and values, whatever the type. */
static uint64_t
values(const struct peft_weight *w)
{
	enum { PIECE = 4 * PEFT_MAXBLOCK };
	char hex[PEFT_SHA256_HEX];
	struct peft_sha256 h;
	float x[PIECE];
	size_t at, n;

	peft_sha256_init(&h);
	peft_sha256_add(&h, w->name, strlen(w->name));
	peft_sha256_add(&h, w->shape, (size_t)w->ndim * sizeof(*w->shape));
	for (at = 0; at < w->nelem; at += n) {
		n = w->nelem - at < PIECE ? w->nelem - at : PIECE;
		peft_decode(w, at, n, x);
		peft_sha256_add(&h, x, n * sizeof(*x));
	}
	peft_sha256_hex(&h, hex);
	return strtoull(hex + 48, NULL, 16);
}

static int
put_all(struct peft_source *src, struct peft_sink *sink, uint64_t *sum,
    struct peft_err *err)
{
	struct peft_weight w;
	int r;

	while ((r = peft_source_next(src, &w, err)) == 1) {
		struct peft_rows rows = peft_rows_of(&w);

		*sum += values(&w);
		if (peft_sink_put(sink, &rows, err) == -1)
			return -1;
	}
	return r;
}

static void
read_back(const char *path, size_t count, uint64_t sum, bool exact)
{
	struct peft_err err = { 0 };
	struct peft_source *s = peft_source_open(path, &err);
	struct peft_weight w;
	int r;

	FUZZ_CLAIM(s != NULL && peft_source_count(s) == count);
	while ((r = peft_source_next(s, &w, &err)) == 1)
		sum -= values(&w);
	FUZZ_CLAIM(r == 0);
	FUZZ_CLAIM(!exact || sum == 0);
	peft_source_close(s);
}

static void
convert(const char *from, const char *folder, const struct target *t)
{
	char path[512];
	struct peft_convertopt c = { .dtype = t->dtype, .blocksize = 64,
	    .nested = t->nested, .gguf = strstr(t->name, ".gguf") != NULL };
	struct peft_sinkopt o = { .path = path, .kind = "model",
	    .shard = 512 };
	struct peft_err err = { 0 };
	struct peft_source *src = peft_source_open(from, &err);
	struct peft_spec *specs = NULL;
	struct peft_sink *sink = NULL;
	const struct peft_side *sides;
	uint64_t sum = 0;
	size_t n = 0, nsides;
	int r;

	snprintf(path, sizeof(path), "%s/%s", folder, t->name);
	if (src != NULL && peft_source_count(src) > 0)
		specs = peft_convert_plan(src, &c, &n, &err);
	if (specs != NULL)
		sink = peft_source_sides(src, &sides, &nsides, &err) == -1 ?
		    NULL : peft_sink_open(&o, specs, n, sides, nsides, &err);
	if (sink != NULL) {
		r = put_all(src, sink, &sum, &err);
		if (r == -1)
			peft_sink_abort(sink);
		else
			r = peft_sink_commit(sink, &err);
		FUZZ_CLAIM(r == 0 || err.msg[0] != '\0');
		FUZZ_CLAIM(r == 0 || access(path, F_OK) == -1);
		if (r == 0)
			read_back(path, n, sum, t->exact);
	}
	free(specs);
	peft_source_close(src);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_path file = fuzz_file(data, size);
	struct fuzz_folder folder;
	struct peft_err err = { 0 };
	struct peft_source *src = peft_source_open(file.path, &err);
	size_t i;

	peft_source_close(src);
	if (src != NULL) {
		folder = fuzz_folder();
		for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
			convert(file.path, folder.path, &targets[i]);
		fuzz_remove(&folder);
	}
	fuzz_close(&file);
	return 0;
}
