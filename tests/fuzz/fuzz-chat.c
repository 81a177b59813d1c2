/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as people write them, by a small tokenizer and each of a few
 * templates: what is encoded is a token record that can be written and read,
 * and lint has an opinion on anything.
 */

#include "data/fix.h"
#include "data/lint.h"
#include "input.h"

/* A few characters are tokens; <unk> stands for the others. */
static const char tokenizer[] =
    "{\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"
    "{\"id\":1,\"content\":\"<s>\",\"special\":true},"
    "{\"id\":2,\"content\":\"</s>\",\"special\":true}],"
    "\"normalizer\":null,\"pre_tokenizer\":null,\"post_processor\":null,"
    "\"decoder\":null,\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\","
    "\"fuse_unk\":true,\"vocab\":{\"<unk>\":0,\"<s>\":1,\"</s>\":2,"
    "\"a\":3,\"b\":4,\" \":5,\"ab\":6,\"\\n\":7},\"merges\":[\"a b\"]}}";
static const char config[] = "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\","
    "\"unk_token\":\"<unk>\"}";

static const char *const templates[] = {
	"{% for m in messages %}{{ m.role }}\n{{ m.content }}</s>\n"
	    "{% endfor %}{% if add_generation_prompt %}assistant\n{% endif %}",
	"{{ bos_token }}{% for m in messages %}"
	    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
	    "{{ eos_token }}{% endgeneration %}{% else %}"
	    "{{ m.content | trim }}{% endif %}{% endfor %}",
	/* forgets what was said: masks cannot be told by place */
	"{{ messages | length }}{% for m in messages %}"
	    "{{ m.content if loop.last else '' }}{{ m.tool_calls | tojson "
	    "if m.tool_calls }}{% endfor %}{{ tools | tojson if tools }}",
	NULL
};

static void
check(const struct peft_codec *c, const struct peft_record *r)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_record again;
	cJSON *j;

	peft_record_put(&b, r);
	j = peft_json(b.data, b.len, &err);
	FUZZ_CLAIM(j != NULL);
	FUZZ_CLAIM(peft_record_parse(j, peft_tokenizer_size(c->tok), &again,
	    &err) == 0);
	FUZZ_CLAIM(again.n == r->n && again.nchoices == r->nchoices);
	FUZZ_CLAIM(r->nchoices > 0 || again.supervised == r->supervised);
	FUZZ_CLAIM(memcmp(again.ids, r->ids, r->n * sizeof(*r->ids)) == 0);
	peft_record_free(&again);
	cJSON_Delete(j);
	peft_buf_free(&b);
}

static void
encode(const struct peft_codec *c, const cJSON *j, struct peft_encopt o,
    struct peft_lint *lint)
{
	struct peft_place place = { "fuzz", 1 };
	struct peft_look look;
	struct peft_buf text = { 0 };
	struct peft_err err = { 0 };
	struct peft_record r;
	int s = peft_encode_record(c, j, &o, &r, &err);

	if (s == 0 && !o.prompt_only)
		check(c, &r);
	if (lint != NULL) {
		peft_lint_look(lint, j, s == 0 ? &r : NULL, &look);
		FUZZ_CLAIM(peft_lint_add(lint, &look, &place, &err) == 0);
	}
	if (peft_render_record(c, j, &o, &text, &err) == -1)
		FUZZ_CLAIM(s == -1);
	peft_buf_free(&text);
	if (s == 0)
		peft_record_free(&r);
}

/* A record of each turn, if they can be told. */
static void
turns(const struct peft_codec *c, const cJSON *j, struct peft_encopt o)
{
	struct peft_err err = { 0 };
	size_t n;

	if (!cJSON_IsObject(j) || peft_encode_turns(j, &o, &n, &err) != 1)
		return;
	for (o.turn = 1; o.turn <= n; o.turn++)
		encode(c, j, o, NULL);
}

/* What was mended has nothing to mend. */
static void
fix(const cJSON *j)
{
	struct peft_err err = { 0 };
	cJSON *own, *again;
	unsigned what;

	if (peft_fix_record(j, &own, &what, &err) == -1)
		return;
	FUZZ_CLAIM((own != NULL) == (what != 0));
	if (own != NULL) {
		FUZZ_CLAIM(peft_fix_record(own, &again, &what, &err) == 0);
		FUZZ_CLAIM(again == NULL && what == 0);
	}
	cJSON_Delete(own);
}

static void
encode_all(const char *tmpl, const cJSON *j)
{
	struct peft_codec c = { .bos = NULL };
	struct peft_encopt o = { .prompt_only = true };
	struct peft_lint lint = { .codec = &c, .max_length = 8 };
	struct peft_err err = { 0 };
	int s;

	c.tok = peft_tokenizer_open(tokenizer, strlen(tokenizer), config,
	    strlen(config), &err);
	c.tmpl = peft_template_open(tmpl, strlen(tmpl), &err);
	FUZZ_CLAIM(c.tok != NULL && c.tmpl != NULL);
	c.bos = strdup("<s>");
	c.eos = strdup("</s>");
	encode(&c, j, o, NULL);
	for (s = PEFT_SUP_LAST; s <= PEFT_SUP_COMPLETION; s++) {
		o = (struct peft_encopt){ .supervise = s, .as_chat = s % 2 };
		encode(&c, j, o, &lint);
		turns(&c, j, o);
	}
	peft_lint_free(&lint);
	peft_codec_close(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peft_err err = { 0 };
	cJSON *j = peft_json((const char *)data, size, &err);
	size_t i;

	if (j == NULL)
		return 0;
	fix(j);
	for (i = 0; templates[i] != NULL; i++)
		encode_all(templates[i], j);
	cJSON_Delete(j);
	return 0;
}
