/* SPDX-License-Identifier: Apache-2.0 */
/* SentencePiece's pieces from GGUF's metadata. */

#include <stdlib.h>
#include <string.h>

#include "tensor/ggufpieces.h"
#include "tensor/pieces.h"

/* The list of a key, which must have n elements of a type. */
static int
list(const struct peft_gguf *g, const char *key, uint32_t elem, uint64_t n,
    const struct peft_gguf_kv **kv, struct peft_err *err)
{
	*kv = peft_gguf_find(g, key);
	if (*kv == NULL || (*kv)->type != PEFT_GGUF_ARRAY ||
	    (*kv)->elem != elem || (*kv)->count != n)
		return peft_seterr(err, "%s is missing, or does not fit %llu "
		    "tokens", key, (unsigned long long)n);
	return 0;
}

static int
read_tokens(const struct peft_gguf *g, struct peft_pieces *p,
    struct peft_err *err)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g,
	    "tokenizer.ggml.tokens"), *scores, *types;
	const uint8_t *at;
	size_t i;

	if (kv == NULL || kv->type != PEFT_GGUF_ARRAY ||
	    kv->elem != PEFT_GGUF_STRING || kv->count == 0)
		return peft_seterr(err, "tokenizer.ggml.tokens is missing or "
		    "no list of strings");
	if (list(g, "tokenizer.ggml.scores", PEFT_GGUF_F32, kv->count, &scores,
	    err) == -1 || list(g, "tokenizer.ggml.token_type", PEFT_GGUF_I32,
	    kv->count, &types, err) == -1)
		return -1;
	p->n = (size_t)kv->count;
	if ((p->at = peft_calloc(p->n, sizeof(*p->at), err)) == NULL)
		return -1;
	for (i = 0, at = kv->value; i < p->n; i++) {
		struct peft_piece *e = &p->at[i];

		peft_gguf_next_string(&at, &e->s, &e->len);
		memcpy(&e->score, scores->value + 4 * i, sizeof(e->score));
		e->type = (int)peft_gguf_int_at(types, i);
		p->byte_fallback |= e->type == PEFT_P_BYTE;
	}
	return 0;
}

static bool
flag(const struct peft_gguf *g, const char *key, bool usual)
{
	const struct peft_gguf_kv *kv = peft_gguf_find(g, key);

	return kv != NULL && kv->type == PEFT_GGUF_BOOL ? kv->value[0] != 0 :
	    usual;
}

static int
read_options(const struct peft_gguf *g, bool t5, struct peft_pieces *p,
    struct peft_err *err)
{
	const struct peft_gguf_kv *map = peft_gguf_find(g,
	    "tokenizer.ggml.precompiled_charsmap");

	const struct {
		const char	*key;
		size_t		 usual, *id;	/* as llama.cpp has it */
	} keys[] = {
		{ "tokenizer.ggml.bos_token_id", t5 ? PEFT_NOPIECE : 1, &p->bos },
		{ "tokenizer.ggml.eos_token_id", t5 ? 1 : 2, &p->eos },
		{ "tokenizer.ggml.unknown_token_id", t5 ? 2 : 0, &p->unk },
		{ "tokenizer.ggml.padding_token_id", t5 ? 0 : PEFT_NOPIECE, &p->pad },
	};
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (peft_gguf_token(g, keys[i].key, keys[i].usual, p->n,
		    keys[i].id, err) == -1)
			return -1;
	p->bos_first = p->bos != PEFT_NOPIECE &&
	    flag(g, "tokenizer.ggml.add_bos_token", !t5);
	p->eos_last = p->eos != PEFT_NOPIECE &&
	    flag(g, "tokenizer.ggml.add_eos_token", t5);
	p->prefix = flag(g, "tokenizer.ggml.add_space_prefix", !t5);
	p->trim = t5 && flag(g, "tokenizer.ggml.remove_extra_whitespaces",
	    false);
	if (t5 && map != NULL && map->type == PEFT_GGUF_ARRAY &&
	    (map->elem == PEFT_GGUF_I8 || map->elem == PEFT_GGUF_U8) &&
	    map->count > 0) {
		p->charsmap = map->value;
		p->ncharsmap = (size_t)map->count;
	}
	return 0;
}

int
peft_gguf_pieces(const struct peft_gguf *g, bool t5, struct peft_sides *sides,
    struct peft_err *err)
{
	struct peft_pieces p = { .what = "tokenizer.ggml.tokens",
	    .unigram = t5, .are_text = true };
	struct peft_tokjson t = { 0 };
	struct peft_buf b = { 0 };
	int r = -1;

	if (read_tokens(g, &p, err) == 0 && read_options(g, t5, &p,
	    err) == 0 && peft_pieces_tokenizer(&p, &t, err) == 0 &&
	    peft_sides_tell(sides, &t, err) == 0) {
		peft_pieces_config(&p, &b);
		r = peft_sides_add(sides, "tokenizer_config.json", &b, err);
	}
	peft_tokjson_free(&t);
	peft_buf_free(&b);
	free(p.at);
	return r;
}
