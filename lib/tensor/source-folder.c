/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are Hugging Face folders. */

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/in.h"
#include "base/json.h"
#include "tensor/source-impl.h"

static char *
join(const char *dir, const char *name, struct peft_err *err)
{
	struct peft_buf b = { 0 };

	peft_buf_printf(&b, "%s/%s", dir, name);
	if (b.failed)
		peft_seterr(err, "%s: no memory", dir);
	return b.data;
}

static bool
exists(const char *dir, const char *name)
{
	struct peft_err err;
	char *path = join(dir, name, &err);
	bool there = path != NULL && access(path, F_OK) == 0;

	free(path);
	return there;
}

static int
slurp(const char *dir, const char *name, struct peft_buf *b,
    struct peft_err *err)
{
	char *path = join(dir, name, err);
	int r = path == NULL || peft_in_regular(path, err) == -1 ? -1 :
	    peft_in_slurp(path, PEFT_MAXSIDE, b, err);

	free(path);
	if (r == -1)
		peft_buf_free(b);
	return r;
}

/* The one file of tiktoken's: 1 with its name, 0 there is none, -1 several. */
static int
find_ranks(const char *dir, char *name, size_t size, struct peft_err *err)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	const char *dot;
	int found = 0;

	if (d == NULL)
		return 0;		/* which is told by who reads it */
	while (found != -1 && (e = readdir(d)) != NULL) {
		dot = strrchr(e->d_name, '.');
		if (dot == NULL || strcmp(dot, ".tiktoken") != 0)
			continue;
		if (found == 1)
			found = peft_seterr(err, "%s: which is the tokenizer, "
			    "%s or %s?", dir, name, e->d_name);
		else if (strlen(e->d_name) < size) {
			strcpy(name, e->d_name);
			found = 1;
		}
	}
	closedir(d);
	return found;
}

/* Without a tokenizer.json, the first of these that is there. */
static int
read_tokenizer(struct peft_source *s, const char *dir, struct peft_err *err)
{
	static const char *const names[] = { "tokenizer.model",
	    "spiece.model", "sentencepiece.bpe.model", NULL };
	char name[NAME_MAX + 1];
	struct peft_buf b = { 0 };
	size_t i;
	int r;

	for (i = 0; names[i] != NULL && !exists(dir, names[i]); i++)
		;
	if (names[i] != NULL)
		strcpy(name, names[i]);
	else if ((r = find_ranks(dir, name, sizeof(name), err)) != 1)
		return r;
	if (slurp(dir, name, &b, err) == -1)
		return -1;
	r = peft_tokenizer_of(&s->sides, name, &b, err);
	peft_buf_free(&b);
	return r == -1 ? peft_errprefix(err, "%s", dir) : 0;
}

/* The adapters library calls what a fusion's folder has by names of its own. */
static const char fusion_config[] = "adapter_fusion_config.json";

static int
read_side(struct peft_source *s, const char *dir, const char *file,
    const char *name, struct peft_err *err)
{
	char *path = join(dir, file, err);
	int r = path == NULL || peft_in_regular(path, err) == -1 ? -1 :
	    peft_sides_read(&s->sides, name, path, err);

	free(path);
	return r;
}

static int
read_sides(struct peft_source *s, const char *dir, struct peft_err *err)
{
	size_t i;

	for (i = 0; peft_side_names[i] != NULL; i++)
		if (exists(dir, peft_side_names[i]) && read_side(s, dir,
		    peft_side_names[i], peft_side_names[i], err) == -1)
			return -1;
	if (peft_sides_find(&s->sides, "adapter_config.json") == NULL &&
	    exists(dir, fusion_config) && read_side(s, dir, fusion_config,
	    "adapter_config.json", err) == -1)
		return -1;
	return peft_sides_find(&s->sides, "tokenizer.json") != NULL ? 0 :
	    read_tokenizer(s, dir, err);
}

static int
open_in(struct peft_source *s, const char *dir, const char *name,
    struct peft_err *err)
{
	char *path = join(dir, name, err);
	int r = path == NULL ? -1 : peft_source_open_file(s, path, err);

	free(path);
	return r;
}

static bool
plain_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL;
}

/* Open each shard once, in the order of first mention. */
static int
open_shards(struct peft_source *s, const char *dir, const char *index,
    const cJSON *map, struct peft_err *err)
{
	struct peft_map opened = { 0 };
	const cJSON *e;
	int r = 0;

	cJSON_ArrayForEach(e, map) {
		if (!cJSON_IsString(e) || !plain_name(e->valuestring)) {
			r = peft_seterr(err, "%s: weight_map: %s is in no "
			    "file of this folder", index, e->string);
			break;
		}
		r = peft_map_add(&opened, e->valuestring,
		    strlen(e->valuestring), 0, err);
		if (r == 1)
			r = open_in(s, dir, e->valuestring, err);
		if (r == -1)
			break;
	}
	peft_map_free(&opened);
	return r;
}

/* The index and the shards must tell of the same tensors, each in the shard
 * that the index names. */
static int
check_index(const struct peft_source *s, const cJSON *map,
    struct peft_err *err)
{
	const cJSON *e;
	size_t i, n = 0;

	cJSON_ArrayForEach(e, map) {
		const size_t *k = peft_map_find(&s->raw_index, e->string,
		    strlen(e->string));
		const char *label, *slash;

		if (k == NULL)
			return peft_seterr(err, "weight_map: %s is not in %s",
			    e->string, e->valuestring);
		label = s->files[s->raws[*k].file].label;
		slash = strrchr(label, '/');
		if (strcmp(slash + 1, e->valuestring) != 0)
			return peft_seterr(err, "weight_map: %s is in %s, not "
			    "in %s", e->string, slash + 1, e->valuestring);
		n++;
	}
	for (i = 0; n != s->nraws && i < s->nraws; i++)
		if (peft_json_get(map, s->raws[i].name) == NULL)
			return peft_seterr(err, "tensor %s is in a shard and "
			    "not in the index", s->raws[i].name);
	return 0;
}

static int
open_index(struct peft_source *s, const char *dir, const char *name,
    struct peft_err *err)
{
	char *path = join(dir, name, err);
	struct peft_buf b = { 0 };
	const cJSON *map;
	cJSON *j = NULL;
	int r = -1;

	if (path == NULL)
		return -1;
	if (slurp(dir, name, &b, err) == 0) {
		if ((j = peft_json(b.data == NULL ? "" : b.data, b.len,
		    err)) == NULL)
			peft_errprefix(err, "%s", path);
		else if (!cJSON_IsObject(map = peft_json_get(j, "weight_map")))
			peft_seterr(err, "%s: no weight_map", path);
		else if (map->child == NULL)
			peft_seterr(err, "%s: weight_map names no tensor",
			    path);
		else if ((r = open_shards(s, dir, path, map,
		    err)) == 0 &&
		    (r = check_index(s, map, err)) == -1)
			peft_errprefix(err, "%s", path);
	}
	cJSON_Delete(j);
	peft_buf_free(&b);
	free(path);
	return r;
}

/* Old GPTQ and AWQ folders tell of it in a file of its own. */
static int
read_quant(struct peft_source *s, const char *dir, struct peft_err *err)
{
	static const struct { const char *name; enum peft_quantmethod m; }
	files[] = { { "quantize_config.json", PEFT_QM_GPTQ },
	    { "quant_config.json", PEFT_QM_AWQ } };
	struct peft_buf b = { 0 };
	size_t i;
	int r;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!exists(dir, files[i].name))
			continue;
		if (slurp(dir, files[i].name, &b, err) == -1)
			return -1;
		r = peft_quantcfg_read_alone(&s->quant, b.data == NULL ? "" :
		    b.data, b.len, files[i].m, err);
		peft_buf_free(&b);
		return r == -1 ? peft_errprefix(err, "%s/%s", dir,
		    files[i].name) : 0;
	}
	return 0;
}

/* The adapters library's; beside the adapter there may be a head for classes.
 * (One for text is the model's own.) */
static int
open_hub(struct peft_source *s, const char *dir, struct peft_err *err)
{
	static const char head[] = "model_head.safetensors";
	const struct peft_side *side = peft_sides_find(&s->sides,
	    "head_config.json");
	const char *class = "";
	cJSON *j;
	int r;

	if (open_in(s, dir, "adapter.safetensors", err) == -1)
		return -1;
	if (side == NULL)
		return 0;
	if ((j = peft_json(side->data, side->len, err)) == NULL)
		return peft_errprefix(err, "%s/head_config.json", dir);
	r = peft_json_str(j, "model_class", &class, err);
	if (r != -1 && strstr(class, "Classification") != NULL)
		r = !exists(dir, head) ? peft_source_refuse_pickles(dir, err) :
		    open_in(s, dir, head, err);
	cJSON_Delete(j);
	return r == -1 ? -1 : 0;
}

/* The weight files a folder may hold, the first that is there wins. */
int
peft_source_open_folder(struct peft_source *s, const char *dir,
    struct peft_err *err)
{
	s->kind = PEFT_FOLDER;
	if (read_sides(s, dir, err) == -1 || read_quant(s, dir, err) == -1)
		return -1;
	if (exists(dir, "model.safetensors"))
		return open_in(s, dir, "model.safetensors", err);
	if (exists(dir, "model.safetensors.index.json"))
		return open_index(s, dir, "model.safetensors.index.json", err);
	if (exists(dir, "adapter_model.safetensors"))
		return open_in(s, dir, "adapter_model.safetensors", err);
	if (exists(dir, "adapter.safetensors"))
		return open_hub(s, dir, err);
	if (exists(dir, "model_adapter_fusion.safetensors"))
		return open_in(s, dir, "model_adapter_fusion.safetensors",
		    err);
	if (exists(dir, "adapters.safetensors"))	/* mlx-lm's */
		return open_in(s, dir, "adapters.safetensors", err);
	if (peft_source_refuse_pickles(dir, err) == -1)
		return -1;
	/* side files alone will do for a tokenizer */
	if (s->sides.n > 0)
		return 0;
	return peft_seterr(err, "%s: no model.safetensors, "
	    "model.safetensors.index.json or adapter_model.safetensors", dir);
}
