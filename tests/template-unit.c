/* SPDX-License-Identifier: Apache-2.0 */
/* A chat template against transformers: template-unit TEMPLATE CONFIG <
 * golden/text/NAME.jsonl; TEMPLATE is a .jinja, or a tokenizer_config.json
 * with a chat_template; CONFIG a tokenizer_config.json.  Or template-unit <
 * golden/jinja.jsonl, whose lines have templates of their own. */

#include <stdio.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "text/template.h"

static void
add_token(cJSON *vars, const cJSON *config, const char *name)
{
	const cJSON *v = peft_json_get(config, name);

	if (cJSON_IsObject(v))
		v = peft_json_get(v, "content");
	if (cJSON_IsString(v))
		cJSON_AddStringToObject(vars, name, v->valuestring);
}

static int
check(const struct peft_template *t, const cJSON *config, const cJSON *j,
    int n)
{
	const cJSON *e, *want = peft_json_get(j, "rendered");
	cJSON *vars = cJSON_CreateObject();
	struct peft_buf out = { 0 };
	struct peft_err err = { 0 };
	int good, r;

	add_token(vars, config, "bos_token");
	add_token(vars, config, "eos_token");
	cJSON_AddNullToObject(vars, "tools");
	cJSON_AddNullToObject(vars, "documents");
	cJSON_AddFalseToObject(vars, "add_generation_prompt");
	cJSON_AddItemToObject(vars, "messages",
	    cJSON_Duplicate(peft_json_get(j, "messages"), true));
	cJSON_ArrayForEach(e, peft_json_get(j, "options"))
		cJSON_AddItemToObject(vars, e->string,
		    cJSON_Duplicate(e, true));
	r = peft_template_render(t, vars, &out, NULL, NULL, NULL, &err);
	if (want == NULL)
		good = r == -1;
	else
		good = r == 0 && strcmp(want->valuestring, out.data == NULL ?
		    "" : out.data) == 0;
	printf("%sok %d - rendered\n", good ? "" : "not ", n);
	if (!good)
		printf("# %s\n# got:  %s\n# want: %s\n", err.msg,
		    out.data == NULL ? "" : out.data, want == NULL ?
		    "an error" : want->valuestring);
	peft_buf_free(&out);
	cJSON_Delete(vars);
	return good;
}

/* A line's own template, which may be one that transformers cannot compile. */
static int
check_own(const cJSON *j, int n)
{
	const cJSON *own = peft_json_get(j, "template");
	struct peft_err err = { 0 };
	struct peft_template *t = peft_template_open(own->valuestring,
	    strlen(own->valuestring), &err);
	int good = t == NULL && peft_json_get(j, "error") != NULL;

	if (t != NULL)
		good = check(t, NULL, j, n);
	else
		printf("%sok %d - refused\n", good ? "" : "not ", n);
	if (!good)
		printf("# %s\n# %s\n", own->valuestring, err.msg);
	peft_template_close(t);
	return good;
}

static int
check_all(const struct peft_template *t, const cJSON *config)
{
	struct peft_err err = { 0 };
	struct peft_in *in = peft_in_open(NULL, &err);
	int n = 0, bad = 0;
	char *line;
	size_t len;
	cJSON *j;

	while (in != NULL && peft_in_line(in, &line, &len, &err) == 1) {
		if (strstr(line, "\"messages\"") == NULL ||
		    (j = peft_json(line, len, &err)) == NULL)
			continue;
		n++;
		bad += !(t != NULL ? check(t, config, j, n) :
		    check_own(j, n));
		cJSON_Delete(j);
	}
	printf("1..%d\n", n);
	peft_in_close(in);
	return bad != 0 || n == 0;
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 }, c = { 0 };
	struct peft_template *t = NULL;
	const cJSON *text;
	cJSON *config;
	int r;

	if (argc == 1)
		return check_all(NULL, NULL);
	if (argc != 3 || peft_in_slurp(argv[1], 1 << 24, &b, &err) == -1 ||
	    peft_in_slurp(argv[2], 1 << 24, &c, &err) == -1 ||
	    (config = peft_json(c.data, c.len, &err)) == NULL) {
		printf("Bail out! %s\n", err.msg);
		return 1;
	}
	text = peft_json_get(config, "chat_template");
	if (strcmp(argv[1], argv[2]) == 0 && cJSON_IsString(text))
		t = peft_template_open(text->valuestring,
		    strlen(text->valuestring), &err);
	else if (strcmp(argv[1], argv[2]) != 0)
		t = peft_template_open(b.data, b.len, &err);
	if (t == NULL) {
		printf("Bail out! %s\n", err.msg);
		return 1;
	}
	r = check_all(t, config);
	peft_template_close(t);
	cJSON_Delete(config);
	peft_buf_free(&b);
	peft_buf_free(&c);
	return r;
}
