/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of an adapter's config that were asked for and would do nothing. */

#include <string.h>

#include "train/job-impl.h"

/* Keys that only another one gives a meaning; word: what that must say, NULL:
 * anything but off.  files: PEFT writes them only with cause, so that a file
 * is held to it, too. */
static const struct {
	const char	*type, *key, *needs, *word;
	bool		 files;
} rows[] = {
	{ "LORA", "eva_config", "init_lora_weights", "eva", true },
	{ "LORA", "corda_config", "init_lora_weights", "corda", true },
	{ "LORA", "lora_ga_config", "init_lora_weights", "lora_ga", true },
	{ "LORA", "loftq_config", "init_lora_weights", "loftq", true },
	{ "LORA", "qalora_group_size", "use_qalora", NULL, false },
	{ "LORA", "megatron_core", "megatron_config", NULL, false },
	{ "OFT", "eps", "coft", NULL, false },
	{ "LOKR", "rank_dropout_scale", "rank_dropout", NULL, false },
	{ "PREFIX_TUNING", "encoder_hidden_size", "prefix_projection", NULL,
	    false },
	{ "PROMPT_TUNING", "prompt_tuning_init_text", "prompt_tuning_init",
	    "TEXT", false },
	{ "MULTITASK_PROMPT_TUNING", "prompt_tuning_init_text",
	    "prompt_tuning_init", "TEXT", false },
};
enum { NROW = sizeof(rows) / sizeof(rows[0]) };

/* A number, too: none of a size, or of a probability. */
static bool
is_off(const cJSON *v)
{
	return v == NULL || peft_config_is_off(v) ||
	    (cJSON_IsNumber(v) && v->valuedouble == 0);
}

static int
check_row(size_t i, const cJSON *config, struct peft_err *err)
{
	const cJSON *v = peft_json_get(config, rows[i].needs);
	const char *word = rows[i].word;

	if (word == NULL ? !is_off(v) : cJSON_IsString(v) &&
	    strcmp(v->valuestring, word) == 0)
		return 0;
	return peft_setfail(err, PEFT_USAGE, "%s does nothing without %s%s%s",
	    rows[i].key, rows[i].needs, word != NULL ? "=" : "",
	    word != NULL ? word : "");
}

static int
no_key(const char *key, const char *type, struct peft_err *err)
{
	static const char *const options[][2] = {
		{ "use_rslora", "--rslora" }, { "target_modules", "--target" }
	};
	size_t i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i][0], key) == 0)
			return peft_setfail(err, PEFT_USAGE, "%s: %s has none",
			    options[i][1], type);
	return peft_setfail(err, PEFT_USAGE, "--set %s: %s has no such key",
	    key, type);
}

int
peft_job_keys(const struct peft_trainjob *job, const char *type, size_t own,
    struct peft_err *err)
{
	const cJSON *e;
	size_t n = 0, i;

	cJSON_ArrayForEach(e, job->config) {
		bool said = n++ < own;

		if (said && !peft_method_takes(type, e->string))
			return no_key(e->string, type, err);
		for (i = 0; i < NROW; i++)
			if ((said || rows[i].files) && !is_off(e) &&
			    strcmp(rows[i].type, type) == 0 &&
			    strcmp(rows[i].key, e->string) == 0 &&
			    check_row(i, job->config, err) == -1)
				return -1;
	}
	return 0;
}
