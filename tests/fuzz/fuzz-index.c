/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.safetensors.index.json in a folder of two shards, beside a file that
 * is none of its own: what is taken has each tensor once, from the shard
 * that the index names.
 */

#include "weights.h"

static void
put(const char *folder, const char *name, const void *data, size_t size)
{
	char path[512];
	FILE *fp;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FUZZ_CLAIM((fp = fopen(path, "we")) != NULL);
	FUZZ_CLAIM(fwrite(data, 1, size, fp) == size && fclose(fp) == 0);
}

/* A shard of two tensors of one byte. */
static void
put_shard(const char *folder, const char *name, const char *a, const char *b)
{
	char text[256];
	int n = snprintf(text + 8, sizeof(text) - 8, "{\"%s\":{\"dtype\":"
	    "\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"%s\":{\"dtype\":"
	    "\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}xy", a, b);

	memset(text, 0, 8);
	text[0] = (char)(n - 2);
	put(folder, name, text, (size_t)n + 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_folder home = fuzz_folder();
	struct peft_err err = { 0 };
	char model[512], index[] = "model.safetensors.index.json";
	uint64_t sum;
	size_t count;

	snprintf(model, sizeof(model), "%s/model", home.path);
	FUZZ_CLAIM(mkdir(model, 0700) == 0);
	put(model, index, data, size);
	put_shard(model, "1.safetensors", "a", "b");
	put_shard(model, "2.safetensors", "c", "d");
	put_shard(home.path, "other.safetensors", "a", "b");
	if (fuzz_stream(model, &sum, &count)) {
		struct peft_source *s = peft_source_open(model, &err);

		FUZZ_CLAIM(count == 2 || count == 4);
		FUZZ_CLAIM(peft_source_find(s, "a") == SIZE_MAX ||
		    peft_source_find(s, "b") != SIZE_MAX);
		peft_source_close(s);
		fuzz_load(model, sum, count);
	}
	fuzz_remove(&home);
	return 0;
}
