/* SPDX-License-Identifier: Apache-2.0 */
/* What stages make of each character, against Hugging Face's as hashes:
 * unicode-unit < golden/tok/unicode.sums. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "text/tokenizer-impl.h"

static struct peft_tokenizer *
tokenizer_with(const cJSON *stage)
{
	struct peft_buf b = { 0 };
	struct peft_err err = { 0 };
	struct peft_tokenizer *t;

	peft_buf_printf(&b, "{\"%s\":", stage->string);
	peft_json_print(&b, stage, 0, false);
	peft_buf_puts(&b, ",\"model\":{\"type\":\"WordLevel\",\"vocab\":"
	    "{\"<unk>\":0},\"unk_token\":\"<unk>\"}}");
	t = peft_tokenizer_open(b.data, b.len, NULL, 0, &err);
	if (t == NULL)
		printf("# %s\n", err.msg);
	peft_buf_free(&b);
	return t;
}

static void
normalised(const struct peft_tokenizer *t, const char *s, size_t n,
    struct peft_buf *out)
{
	struct peft_mapped m[2] = { { .limit = 4096 }, { .limit = 4096 } };
	struct peft_view v = { s, n, NULL, 0 };
	struct peft_err err;
	size_t i, k = 0;
	int r;

	for (i = 0; i < t->nnorm && v.n > 0; i++, k ^= r == 1) {
		r = t->norm[i].run(&t->norm[i], &v, &m[k], &err);
		if (r == -1)
			abort();
		if (r == 1)
			v = peft_mapped_view(&m[k]);
	}
	peft_buf_put(out, v.s, v.n);
	peft_mapped_free(&m[0]);
	peft_mapped_free(&m[1]);
}

/* Where the pieces of "a" + character + "b" begin and end. */
static void
pieces(const struct peft_tokenizer *t, const char *s, size_t n,
    struct peft_buf *out)
{
	struct peft_tokens tokens = { 0 };
	struct peft_err err;
	char text[8] = "a";
	size_t i;

	memcpy(text + 1, s, n);
	text[1 + n] = 'b';
	if (peft_tokenizer_encode(t, text, n + 2, 0, &tokens, &err) == -1)
		abort();
	peft_tokens_to_chars(&tokens, text, n + 2);
	for (i = 0; i < tokens.n; i++)
		peft_buf_printf(out, "%s%u-%u", i == 0 ? "" : " ",
		    tokens.at[i].begin, tokens.at[i].end);
	peft_tokens_free(&tokens);
}

static void
sum(const cJSON *stage, char hex[PEFT_SHA256_HEX])
{
	struct peft_tokenizer *t = tokenizer_with(stage);
	bool normal = strcmp(stage->string, "normalizer") == 0;
	struct peft_buf b = { 0 };
	struct peft_sha256 h;
	char utf8[4];
	unsigned cp;
	size_t n;

	peft_sha256_init(&h);
	for (cp = 1; t != NULL && cp < 0xe0200; cp++) {
		if (cp == 0xd800)
			cp = 0xe000;
		if (cp == 0x40000)
			cp = 0xe0000;
		n = peft_utf8_put(utf8, cp);
		peft_buf_clear(&b);
		(normal ? normalised : pieces)(t, utf8, n, &b);
		peft_buf_putc(&b, '\n');
		peft_sha256_add(&h, b.data, b.len);
	}
	peft_sha256_hex(&h, hex);
	peft_buf_free(&b);
	peft_tokenizer_close(t);
}

int
main(void)
{
	struct peft_err err = { 0 };
	struct peft_in *in = peft_in_open(NULL, &err);
	char hex[PEFT_SHA256_HEX], *line;
	int n = 0, bad = 0, same;
	struct peft_buf b = { 0 };
	const char *want;
	size_t len;
	cJSON *j;

	while (in != NULL && peft_in_line(in, &line, &len, &err) == 1) {
		if ((j = peft_json(line, len, &err)) == NULL ||
		    peft_json_str(j, "sum", &want, &err) != 1)
			break;
		sum(j->child, hex);
		same = strcmp(hex, want) == 0;
		bad += !same;
		peft_buf_clear(&b);
		peft_json_print(&b, j->child, 0, false);
		printf("%sok %d - %s\n", same ? "" : "not ", ++n, b.data);
		cJSON_Delete(j);
	}
	if (err.msg[0] != '\0')
		printf("Bail out! %s\n", err.msg);
	printf("1..%d\n", n);
	peft_buf_free(&b);
	peft_in_close(in);
	return bad != 0 || n == 0 || err.msg[0] != '\0';
}
