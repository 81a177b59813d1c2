/* SPDX-License-Identifier: Apache-2.0 */
/* tiktoken's files. */

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "tensor/tiktoken.h"

enum { MAXRANK = 1 << 22 };

static const char *const gpt2_special[] = { "<|endoftext|>", NULL };
static const size_t gpt2_id[] = { 50256 };
static const char *const cl100k_special[] = { "<|endoftext|>",
	"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
	"<|endofprompt|>", NULL };
static const size_t cl100k_id[] = { 100257, 100258, 100259, 100260, 100276 };
static const char *const o200k_special[] = { "<|endoftext|>",
	"<|endofprompt|>", NULL };
static const size_t o200k_id[] = { 199999, 200018 };
static const char *const llama3_special[] = { "<|begin_of_text|>",
	"<|end_of_text|>", "<|reserved_special_token_0|>",
	"<|reserved_special_token_1|>", "<|finetune_right_pad_id|>",
	"<|reserved_special_token_2|>", "<|start_header_id|>",
	"<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
	NULL };
static const char *const qwen_special[] = { "<|endoftext|>",
	"<|im_start|>", "<|im_end|>", NULL };

static const struct peft_tiktoken kinds[] = {
	{ "cl100k_base", "llama-bpe", NULL, "<|endoftext|>", cl100k_special,
	    cl100k_id, NULL, 0, 0 },
	{ "o200k_base", "gpt-4o", NULL, "<|endoftext|>", o200k_special,
	    o200k_id, NULL, 0, 0 },
	{ "p50k_base", "gpt-2", NULL, "<|endoftext|>", gpt2_special, gpt2_id,
	    NULL, 0, 0 },
	{ "r50k_base", "gpt-2", NULL, "<|endoftext|>", gpt2_special, gpt2_id,
	    NULL, 0, 0 },
	{ "llama3", "llama-bpe", "<|begin_of_text|>", "<|end_of_text|>",
	    llama3_special, NULL, "reserved_special_token", 3, 245 },
	{ "qwen", "qwen2", NULL, "<|endoftext|>", qwen_special, NULL,
	    "extra", 0, 205 },
};

/* By model_type. */
static const struct {
	const char	*model_type, *name;
} models[] = { { "llama", "llama3" }, { "qwen", "qwen" } };

const struct peft_tiktoken *
peft_tiktoken_of_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == len &&
		    memcmp(kinds[i].name, name, len) == 0)
			return &kinds[i];
	return NULL;
}

const struct peft_tiktoken *
peft_tiktoken_of_model(const char *model_type)
{
	size_t i;

	for (i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (strcmp(models[i].model_type, model_type) == 0)
			return peft_tiktoken_of_name(models[i].name,
			    strlen(models[i].name));
	return NULL;
}

void
peft_ranks_visible(struct peft_buf *b, unsigned char byte)
{
	char utf8[4];
	unsigned c = byte;

	if (byte <= 32)
		c = 256 + byte;
	else if (byte >= 127 && byte <= 160)
		c = 256 + 33 + byte - 127;
	else if (byte == 173)
		c = 256 + 33 + 34;
	peft_buf_put(b, utf8, peft_utf8_put(utf8, c));
}

/* A line without its end: what it says, the token appended to text.  raw: for
 * its bytes. */
static int
read_line(const char *s, size_t n, struct peft_buf *text, struct peft_buf *raw,
    size_t *rank)
{
	const char *space = memchr(s, ' ', n);
	const char *p, *end = s + n;
	size_t i;
	int r;

	if (space == NULL || space == s || space + 1 == end)
		return -1;
	for (*rank = 0, p = space + 1; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -1;
		*rank = *rank * 10 + (size_t)(*p - '0');
		if (*rank >= MAXRANK)
			return -1;
	}
	peft_buf_clear(raw);
	r = peft_base64_get(raw, s, (size_t)(space - s));
	for (i = 0; r == 0 && i < raw->len; i++)
		peft_ranks_visible(text, (unsigned char)raw->data[i]);
	text->failed |= raw->failed;
	return r;
}

/* Offsets into text while it grows; see point(). */
struct line {
	size_t	rank, begin, len;
};

struct lines {
	struct line	*at;
	size_t		 n, cap;
	struct peft_buf	 raw;		/* a token's bytes */
};

static int
read_lines(struct peft_ranks *r, const char *s, size_t len, struct lines *l,
    struct peft_err *err)
{
	const char *end = s + len, *eol;
	struct line *grown;
	size_t n, line = 0;

	for (; s < end; s = eol + 1) {
		eol = memchr(s, '\n', (size_t)(end - s));
		eol = eol == NULL ? end : eol;
		line++;
		n = (size_t)(eol - s);
		n -= n > 0 && s[n - 1] == '\r';
		if (n == 0)
			continue;
		grown = peft_grow(l->at, l->n, &l->cap, sizeof(*grown), err);
		if (grown == NULL)
			return -1;
		l->at = grown;
		grown += l->n++;
		grown->begin = r->text.len;
		if (read_line(s, n, &r->text, &l->raw, &grown->rank) == -1)
			return peft_seterr(err, "line %zu is not a token in "
			    "base64 and its rank", line);
		grown->len = r->text.len - grown->begin;
	}
	if (r->text.failed)
		return peft_seterr(err, "no memory");
	return l->n > 0 ? 0 : peft_seterr(err, "no tokens");
}

/* Pieces by rank; ids of special tokens may lie between them. */
static int
point(struct peft_ranks *r, const struct lines *l, struct peft_err *err)
{
	struct peft_pieces *p = &r->pieces;
	size_t i, most = 0;

	for (i = 0; i < l->n; i++)
		most = l->at[i].rank > most ? l->at[i].rank : most;
	/* no more memory than the file gives reason for */
	if (most >= l->n + 1024)
		return peft_seterr(err, "rank %zu is beyond all %zu tokens",
		    most, l->n);
	if ((p->at = peft_calloc(most + 1, sizeof(*p->at), err)) == NULL)
		return -1;
	p->n = most + 1;
	for (i = 0; i < l->n; i++) {
		struct peft_piece *e = &p->at[l->at[i].rank];

		if (e->type != 0)
			return peft_seterr(err, "rank %zu is there twice",
			    l->at[i].rank);
		*e = (struct peft_piece){ r->text.data + l->at[i].begin,
		    l->at[i].len, -(float)l->at[i].rank, PEFT_P_NORMAL };
	}
	return 0;
}

int
peft_ranks_read(struct peft_ranks *r, const char *s, size_t len,
    struct peft_err *err)
{
	struct lines l = { 0 };
	int status = -1;

	if (read_lines(r, s, len, &l, err) == 0)
		status = point(r, &l, err);
	peft_buf_free(&l.raw);
	free(l.at);
	return status == 0 ? 0 : peft_errprefix(err, "%s", r->pieces.what);
}

void
peft_ranks_free(struct peft_ranks *r)
{
	free(r->pieces.at);
	peft_buf_free(&r->text);
}
