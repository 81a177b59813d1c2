/* SPDX-License-Identifier: Apache-2.0 */
/* The config of an adapter that is to be made: options, a file, defaults. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "data/encode.h"
#include "peft/begin.h"
#include "train/job-impl.h"

/* Options on the command line over a file's keys over the defaults. */
static int
merge_config(struct peft_trainjob *job, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const cJSON *e;
	cJSON *file = NULL;

	if (job->config_path != NULL) {
		if (peft_in_slurp(job->config_path, 1 << 20, &b, err) == -1)
			return -1;
		file = peft_json(b.data == NULL ? "" : b.data, b.len, err);
		peft_buf_free(&b);
		if (file != NULL && !cJSON_IsObject(file))
			peft_seterr(err, "not an object");
		if (!cJSON_IsObject(file) ||
		    peft_hub_unpack(&file, err) == -1) {
			cJSON_Delete(file);
			return peft_errprefix(err, "%s", job->config_path);
		}
		cJSON_ArrayForEach(e, file)
			if (peft_json_get(job->config, e->string) == NULL)
				cJSON_AddItemToObject(job->config, e->string,
				    cJSON_Duplicate(e, true));
		cJSON_Delete(file);
	}
	return 0;
}

/* Is the key one of the first n? */
static bool
is_among(const cJSON *config, size_t n, const char *key)
{
	const cJSON *e;

	for (e = config->child; n-- > 0 && e != NULL; e = e->next)
		if (strcmp(e->string, key) == 0)
			return true;
	return false;
}

/* --rank and the like, by the names that the method's config has for them; its
 * first n keys are --set's. */
static int
set_knobs(struct peft_trainjob *job, const char *type, size_t n,
    struct peft_err *err)
{
	static const char *const options[PEFT_NKNOB] = {
		[PEFT_KNOB_RANK] = "--rank", [PEFT_KNOB_ALPHA] = "--alpha",
		[PEFT_KNOB_DROPOUT] = "--dropout",
	};
	const char *key;
	int k;

	for (k = 0; k < PEFT_NKNOB; k++) {
		if (isnan(job->knobs[k]))
			continue;
		if ((key = peft_method_knob(type, k)) == NULL)
			return peft_setfail(err, PEFT_USAGE, "%s: %s has none",
			    options[k], type);
		if (is_among(job->config, n, key))
			return peft_job_twice(options[k], key, err);
		cJSON_DeleteItemFromObjectCaseSensitive(job->config, key);
		cJSON_AddNumberToObject(job->config, key, job->knobs[k]);
	}
	return 0;
}

/* --loftq says how it begins. */
static int
set_loftq(struct peft_trainjob *job, const char *type, struct peft_err *err)
{
	const cJSON *start = peft_json_get(job->config, "init_lora_weights");

	if (job->loftq == NULL)
		return 0;
	if (strcmp(type, "LORA") != 0)
		return peft_setfail(err, PEFT_USAGE, "--loftq is for lora, not "
		    "for %s", type);
	if (start != NULL && (!cJSON_IsString(start) ||
	    strcmp(start->valuestring, "loftq") != 0))
		return peft_setfail(err, PEFT_USAGE, "--loftq: the config's "
		    "init_lora_weights says otherwise");
	peft_json_set(job->config, "init_lora_weights",
	    cJSON_CreateString("loftq"));
	return 0;
}

/* --init-records is for what begins from some of them, and is 256. */
static int
set_begin(struct peft_trainjob *job, struct peft_err *err)
{
	if (job->begin > 0 && !peft_begin_counts(job->config))
		return peft_setfail(err, PEFT_USAGE, "--init-records is for "
		    "init_lora_weights=corda and lora_ga: this adapter begins "
		    "from %s", peft_begin_wants_data(job->config) ?
		    "something else" : "no records");
	job->begin = job->begin > 0 ? job->begin : 256;
	return 0;
}

/* Where this program's defaults are others than PEFT's classes have. */
static void
set_defaults(cJSON *config, const char *type)
{
	bool lora = strcmp(type, "LORA") == 0;

	if (lora && peft_json_get(config, "r") == NULL)
		cJSON_AddNumberToObject(config, "r", 8);
	if (lora && peft_json_get(config, "lora_alpha") == NULL)
		cJSON_AddNumberToObject(config, "lora_alpha", 2 *
		    peft_json_get(config, "r")->valuedouble);
	if (peft_method_is_for_all(type) &&
	    peft_json_get(config, "target_modules") == NULL)
		cJSON_AddStringToObject(config, "target_modules",
		    "all-linear");
	if (peft_method_is_virtual(type) && strcmp(type, "CPT") != 0 &&
	    peft_json_get(config, "num_virtual_tokens") == NULL)
		cJSON_AddNumberToObject(config, "num_virtual_tokens", 20);
}

/* What a fusion is of, as the adapters library names it. */
static int
add_members(struct peft_trainjob *job, struct peft_err *err)
{
	cJSON *list = cJSON_CreateArray();
	struct peft_buf all = { 0 };
	const char *path;
	char *name;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < job->nfrozen; i++) {
		r = peft_split_name(job->frozen[i].path, &name, &path, err);
		if (r == -1)
			break;
		peft_buf_printf(&all, "%s%s", i > 0 ? "," : "", name);
		cJSON_AddItemToArray(list, cJSON_CreateString(name));
		free(name);
	}
	peft_json_set(job->config, "adapter_names", list);
	if (r == 0 && !all.failed && all.len > 0 &&
	    peft_json_get(job->config, "name") == NULL)
		cJSON_AddStringToObject(job->config, "name", all.data);
	peft_buf_free(&all);
	return r;
}

/* A prompt that begins as a text: the ids are made here, where there is a
 * tokenizer. */
static int
add_text(struct peft_trainjob *job, const struct peft_source *source,
    struct peft_err *err)
{
	cJSON *config = job->config, *list;
	struct peft_tokens ids = { 0 };
	struct peft_codec codec;
	const char *text = NULL;
	size_t i;
	int r;

	if (peft_json_str(config, "prompt_tuning_init_text", &text,
	    err) == -1)
		return -1;
	if (text == NULL)
		return 0;
	if (peft_codec_open(&codec, source, job->common.threads, err) == -1)
		return -1;
	r = peft_tokenizer_encode(codec.tok, text, strlen(text),
	    PEFT_TOK_SPECIAL, &ids, err);
	list = cJSON_AddArrayToObject(config, PEFT_INIT_IDS);
	for (i = 0; r == 0 && i < ids.n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateNumber(ids.at[i].id));
	if (peft_json_get(config, "tokenizer_name_or_path") == NULL)
		cJSON_AddStringToObject(config, "tokenizer_name_or_path",
		    job->model);
	peft_tokens_free(&ids);
	peft_codec_close(&codec);
	return r;
}

int
peft_job_config(struct peft_trainjob *job, const struct peft_source *source,
    struct peft_err *err)
{
	size_t set = (size_t)cJSON_GetArraySize(job->config), own;
	const char *type = "LORA";
	char names[800];

	if (peft_job_set_options(job, err) == -1)
		return -1;
	own = (size_t)cJSON_GetArraySize(job->config);
	if (merge_config(job, err) == -1 ||
	    peft_json_str(job->config, "peft_type", &type, err) == -1)
		return -1;
	if (job->method != NULL &&
	    (type = peft_method_type(job->method)) == NULL) {
		peft_method_names(names, sizeof(names));
		return peft_setfail(err, PEFT_USAGE, "--method: '%s' is none "
		    "of %s", job->method, names);
	}
	if (job->method != NULL)
		cJSON_DeleteItemFromObjectCaseSensitive(job->config,
		    "peft_type");
	if (peft_json_get(job->config, "peft_type") == NULL)
		cJSON_AddStringToObject(job->config, "peft_type", type);
	if (set_loftq(job, type, err) == -1 ||
	    peft_job_keys(job, type, own, err) == -1 ||
	    set_knobs(job, type, set, err) == -1 || set_begin(job, err) == -1)
		return -1;
	if (job->method != NULL)
		peft_method_preset(job->method, job->config);
	set_defaults(job->config, type);
	if (strcmp(type, "AH_FUSION") == 0 && add_members(job, err) == -1)
		return -1;
	return add_text(job, source, err);
}
