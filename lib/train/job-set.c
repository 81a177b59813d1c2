/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the adapter's config from the command line. */

#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "train/job.h"

/* "q_proj,v_proj" is a list, "all-linear" and regexes are strings. */
void
peft_job_set_target(struct peft_trainjob *job, const char *arg)
{
	cJSON *config = job->config;
	char *copy, *name, *rest;
	cJSON *list;

	cJSON_DeleteItemFromObjectCaseSensitive(config, "target_modules");
	if (strcmp(arg, "all-linear") == 0 || strpbrk(arg, "*+?()[]|^$\\") !=
	    NULL) {
		cJSON_AddStringToObject(config, "target_modules", arg);
		return;
	}
	list = cJSON_AddArrayToObject(config, "target_modules");
	if ((copy = rest = strdup(arg)) == NULL)
		peft_die(PEFT_INPUT, "no memory");
	while ((name = strsep(&rest, ",")) != NULL)
		cJSON_AddItemToArray(list, cJSON_CreateString(name));
	free(copy);
}

/* KEY=JSON; what is no JSON is a string. */
void
peft_job_set_key(struct peft_trainjob *job, const char *arg)
{
	const char *eq = strchr(arg, '=');
	char *key;

	if (eq == NULL || eq == arg)
		peft_die(PEFT_USAGE, "--set: '%s' is not KEY=JSON", arg);
	if ((key = strndup(arg, (size_t)(eq - arg))) == NULL)
		peft_die(PEFT_INPUT, "no memory");
	peft_json_set(job->config, key, peft_json_word(eq + 1));
	free(key);
}
