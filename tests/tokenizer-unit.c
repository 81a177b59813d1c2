/* SPDX-License-Identifier: Apache-2.0 */
/* A tokenizer against Hugging Face's: tokenizer-unit TOKENIZER.json <
 * golden/text/NAME.jsonl. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "base/json.h"
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
check(const struct peft_tokenizer *tok, const cJSON *j, struct count *c)
{
	const cJSON *text = peft_json_get(j, "text");
	const cJSON *chat = peft_json_get(j, "rendered");
	struct peft_tokens t = { 0 }, u = { 0 };
	struct peft_err err = { 0 };
	struct peft_buf out = { 0 };
	const char *s, *want;
	int32_t *ids;
	size_t i, n;

	if (text == NULL && chat == NULL)
		return;
	s = text != NULL ? text->valuestring : chat->valuestring;
	n = strlen(s);
	c->n++;
	if (peft_tokenizer_encode(tok, s, n, 0, &t, &err) == -1 ||
	    !same_ids(&t, peft_json_get(j, "ids"))) {
		c->ids++;
		if (c->ids < 4)
			printf("# ids differ: %.200s %s\n", s, err.msg);
	} else if (text != NULL) {
		if (peft_tokenizer_encode(tok, s, n, PEFT_TOK_SPECIAL, &u,
		    &err) == -1 || !same_ids(&u, peft_json_get(j,
		    "ids_special")))
			c->special++;
		ids = calloc(t.n + 1, sizeof(*ids));
		for (i = 0; i < t.n; i++)
			ids[i] = t.at[i].id;
		want = peft_json_get(j, "decoded")->valuestring;
		if (peft_tokenizer_decode(tok, ids, t.n, false, &out,
		    &err) == -1 || strcmp(out.data == NULL ? "" : out.data,
		    want) != 0) {
			c->decoded++;
			if (c->decoded < 4)
				printf("# decoded: '%.100s' want '%.100s'\n",
				    out.data, want);
		}
		peft_tokens_to_chars(&t, s, n);
		if (!same_offsets(&t, peft_json_get(j, "offsets"))) {
			c->offsets++;
			if (c->offsets < 4)
				printf("# offsets differ: %.200s\n", s);
		}
		free(ids);
	}
	peft_tokens_free(&t);
	peft_tokens_free(&u);
	peft_buf_free(&out);
}

static void
ok(int n, int bad, int of, const char *what)
{
	printf("%sok %d - %s: %d of %d differ\n", bad ? "not " : "", n, what,
	    bad, of);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_buf b = { 0 };
	struct peft_tokenizer *tok;
	struct count c = { 0 };
	struct peft_in *in;
	char *line;
	size_t len;
	cJSON *j;

	if (argc != 2 || peft_in_slurp(argv[1], 1 << 28, &b, &err) == -1 ||
	    (tok = peft_tokenizer_open(b.data, b.len, NULL, 0, &err)) == NULL ||
	    (in = peft_in_open(NULL, &err)) == NULL) {
		printf("Bail out! %s\n", err.msg);
		return 1;
	}
	while (peft_in_line(in, &line, &len, &err) == 1) {
		if ((j = peft_json(line, len, &err)) == NULL) {
			printf("# not read: %s\n", err.msg);
			continue;
		}
		check(tok, j, &c);
		cJSON_Delete(j);
	}
	printf("1..5\n");
	ok(1, c.ids, c.n, "ids");
	ok(2, c.special, c.n, "ids with special tokens");
	ok(3, c.offsets, c.n, "offsets");
	ok(4, c.decoded, c.n, "decoded text");
	printf("%sok 5 - there were records\n", c.n > 0 ? "" : "not ");
	peft_in_close(in);
	peft_tokenizer_close(tok);
	peft_buf_free(&b);
	return c.ids + c.special + c.offsets + c.decoded != 0 || c.n == 0;
}
