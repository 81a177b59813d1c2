/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the adapter's config from the command line. */

#include <stdlib.h>
#include <string.h>

#include "base/opt.h"
#include "train/job-impl.h"

/* "q_proj,v_proj" is a list, "all-linear" and regexes are strings. */
static void
set_target(cJSON *config, const char *arg)
{
	char *copy, *name, *rest;
	cJSON *list;

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

int
peft_job_twice(const char *option, const char *key, struct peft_err *err)
{
	return peft_setfail(err, PEFT_USAGE, "%s and --set %s are the same: "
	    "one of them", option, key);
}

int
peft_job_set_options(struct peft_trainjob *job, struct peft_err *err)
{
	const struct {
		bool		 given;
		const char	*option, *key;
	} all[] = {
		{ job->method != NULL, "--method", "peft_type" },
		{ job->target != NULL, "--target", "target_modules" },
		{ job->rslora, "--rslora", "use_rslora" },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].given && peft_json_get(job->config, all[i].key) !=
		    NULL)
			return peft_job_twice(all[i].option, all[i].key, err);
	if (job->target != NULL)
		set_target(job->config, job->target);
	if (job->rslora)
		cJSON_AddTrueToObject(job->config, "use_rslora");
	return 0;
}
