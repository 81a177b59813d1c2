/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer against Hugging Face's: tokenizer-unit TOKENIZER.json
 * [TOKENIZER_CONFIG.json] < golden/text/NAME.jsonl.  Or of a model, as programs
 * open it: tokenizer-unit MODEL. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
#include "data/encode.h"
#include "text/tokenizer.h"

static int
same_ids(const struct peft_tokens *t, const cJSON *want)
{
	const cJSON *e;
	size_t i = 0;

	if ((size_t)cJSON_GetArraySize(want) != t->n)
		return 0;
	cJSON_ArrayForEach(e, want)
		if ((double)t->at[i++].id != e->valuedouble)
			return 0;
	return 1;
}

static int
same_offsets(const struct peft_tokens *t, const cJSON *want)
{
	const cJSON *e;
	size_t i = 0;

	if ((size_t)cJSON_GetArraySize(want) != t->n)
		return 0;
	cJSON_ArrayForEach(e, want) {
		if ((double)t->at[i].begin != e->child->valuedouble ||
		    (double)t->at[i].end != e->child->next->valuedouble)
			return 0;
		i++;
	}
	return 1;
}

struct count {
	int	n, ids, special, offsets, decoded;
};

static void
say(int *count, const char *what, const char *text, const char *why)
{
	if (++*count < 4)
		printf("# %s: %.200s %s\n", what, text, why);
}

static int
same_decoded(const struct peft_tokenizer *tok, const struct peft_tokens *t,
    bool clean, char *want, struct peft_err *err)
{
	int32_t *ids = calloc(t->n + 1, sizeof(*ids));
	struct peft_buf out = { 0 };
	size_t i, n = peft_json_nuls(want, strlen(want));
	int same;

	for (i = 0; i < t->n; i++)
		ids[i] = t->at[i].id;
	same = peft_tokenizer_decode(tok, ids, t->n, clean, &out, err) == 0 &&
	    out.len == n && (n == 0 || memcmp(out.data, want, n) == 0);
	free(ids);
	peft_buf_free(&out);
	return same;
}

static void
check(const struct peft_tokenizer *tok, const cJSON *j, struct count *c)
{
	const cJSON *text = peft_json_get(j, "text");
	const cJSON *chat = peft_json_get(j, "rendered"), *decoded;
	struct peft_tokens t = { 0 }, u = { 0 };
	struct peft_err err = { 0 };
	char *s;
	size_t n;

	if (text == NULL && chat == NULL)
		return;
	s = text != NULL ? text->valuestring : chat->valuestring;
	n = peft_json_nuls(s, strlen(s));
	c->n++;
	if (peft_tokenizer_encode(tok, s, n, 0, &t, &err) == -1 ||
	    !same_ids(&t, peft_json_get(j, "ids")))
		say(&c->ids, "ids", s, err.msg);
	if (text != NULL) {
		if (peft_tokenizer_encode(tok, s, n, PEFT_TOK_SPECIAL, &u,
		    &err) == -1 || !same_ids(&u, peft_json_get(j,
		    "ids_special")))
			say(&c->special, "special ids", s, err.msg);
		decoded = peft_json_get(j, "decoded");
		if (decoded != NULL && !same_decoded(tok, &t, false,
		    decoded->valuestring, &err))
			say(&c->decoded, "decoded", s, err.msg);
		decoded = peft_json_get(j, "decoded_clean");
		if (decoded != NULL && !same_decoded(tok, &u, true,
		    decoded->valuestring, &err))
			say(&c->decoded, "decoded without special tokens", s,
			    err.msg);
		peft_tokens_to_chars(&t, s, n);
		if (peft_json_get(j, "offsets") != NULL && !same_offsets(&t, peft_json_get(j, "offsets")))
			say(&c->offsets, "offsets", s, "");
	}
	peft_tokens_free(&t);
	peft_tokens_free(&u);
}

static void
ok(int n, int bad, int of, const char *what)
{
	printf("%sok %d - %s: %d of %d differ\n", bad ? "not " : "", n, what,
	    bad, of);
}

/* Of a model's codec only the tokenizer is taken; the source may go. */
static struct peft_tokenizer *
of_model(const char *path, struct peft_err *err)
{
	struct peft_source *s = peft_source_open_sides(path, err);
	struct peft_codec c = { 0 };
	struct peft_tokenizer *t = NULL;

	if (s != NULL && peft_codec_open(&c, s, 2, err) == 0) {
		t = c.tok;
		c.tok = NULL;
		peft_codec_close(&c);
	}
	peft_source_close(s);
	return t;
}

static struct peft_tokenizer *
of_files(const char *path, const char *config_path, struct peft_err *err)
{
	struct peft_buf b = { 0 }, config = { 0 };
	struct peft_tokenizer *t = NULL;

	if (peft_in_slurp(path, 1 << 28, &b, err) == 0 &&
	    (config_path == NULL || peft_in_slurp(config_path, 1 << 24,
	    &config, err) == 0))
		t = peft_tokenizer_open(b.data, b.len, config.data,
		    config.len, err);
	peft_buf_free(&b);
	peft_buf_free(&config);
	return t;
}

static bool
is_json(const char *path)
{
	size_t n = strlen(path);

	return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_tokenizer *tok = NULL;
	struct count c = { 0 };
	struct peft_in *in = NULL;
	char *line;
	size_t len;
	cJSON *j;

	if (argc == 2 || argc == 3)
		tok = !is_json(argv[1]) ? of_model(argv[1], &err) :
		    of_files(argv[1], argc == 3 ? argv[2] : NULL, &err);
	if (tok == NULL || (in = peft_in_open(NULL, &err)) == NULL) {
		printf("Bail out! %s\n", err.msg);
		peft_tokenizer_close(tok);
		return 1;
	}
	printf("1..5\n");
	while (peft_in_line(in, &line, &len, &err) == 1) {
		if ((j = peft_json_said(line, len, &err)) == NULL) {
			c.ids++;
			printf("# not read: %s\n", err.msg);
			continue;
		}
		check(tok, j, &c);
		cJSON_Delete(j);
	}
	ok(1, c.ids, c.n, "ids");
	ok(2, c.special, c.n, "ids with special tokens");
	ok(3, c.offsets, c.n, "offsets");
	ok(4, c.decoded, c.n, "decoded text");
	printf("%sok 5 - there were records\n", c.n > 0 ? "" : "not ");
	peft_in_close(in);
	peft_tokenizer_close(tok);
	return c.ids + c.special + c.offsets + c.decoded != 0 || c.n == 0;
}
