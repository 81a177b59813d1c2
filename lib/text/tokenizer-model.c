/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: the model's options. */

#include <string.h>

#include "text/tokenizer-stage.h"

/* The token for what is unknown; where there is none it is lost. */
static int
read_unk(struct peft_tokenizer *t, const cJSON *model, struct peft_err *err)
{
	const char *unk = NULL;

	if (peft_json_str(model, "unk_token", &unk, err) == -1)
		return -1;
	if (unk != NULL)
		t->unk = peft_lookup_find(&t->vocab, unk, strlen(unk));
	if (unk != NULL && t->unk < 0 && t->model == PEFT_M_BPE)
		return peft_seterr(err, "model.unk_token '%.100s' is not in "
		    "the vocabulary", unk);
	return 0;
}

static int
read_affix(const cJSON *model, const char *key, const char **affix,
    struct peft_err *err)
{
	*affix = NULL;
	if (peft_json_str(model, key, affix, err) == -1)
		return -1;
	if (*affix != NULL && **affix == '\0')
		*affix = NULL;
	if (*affix != NULL && strlen(*affix) > PEFT_MAXAFFIX)
		return peft_seterr(err, "model.%s has more than %d bytes", key,
		    PEFT_MAXAFFIX);
	return 0;
}

static int
read_bpe(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	double dropout = 0;

	t->model = PEFT_M_BPE;
	if (!t->has_merges)
		return peft_seterr(err, "model.merges is missing or not a "
		    "list");
	if (peft_json_real(j, "dropout", &dropout, err) == -1 ||
	    peft_json_bool(j, "byte_fallback", &t->byte_fallback,
	    err) == -1 ||
	    peft_json_bool(j, "fuse_unk", &t->fuse_unk, err) == -1 ||
	    peft_json_bool(j, "ignore_merges", &t->ignore_merges,
	    err) == -1 ||
	    read_affix(j, "continuing_subword_prefix", &t->affix[0],
	    err) == -1 ||
	    read_affix(j, "end_of_word_suffix", &t->affix[1], err) == -1)
		return -1;
	if (dropout != 0)
		return peft_seterr(err, "model.dropout is not honoured here");
	return read_unk(t, j, err);
}

static int
read_unigram(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	int64_t unk = -1;

	t->model = PEFT_M_UNIGRAM;
	if (t->score == NULL)
		return peft_seterr(err, "model.vocab is not a list of tokens "
		    "and scores");
	if (peft_json_bool(j, "byte_fallback", &t->byte_fallback, err) == -1 ||
	    peft_json_int(j, "unk_id", 0, (int64_t)t->nvocab - 1, &unk,
	    err) == -1)
		return -1;
	t->unk = (int32_t)unk;
	return 0;
}

static int
read_wordpiece(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	int64_t most = 100;

	t->model = PEFT_M_WORDPIECE;
	if (read_affix(j, "continuing_subword_prefix", &t->affix[0],
	    err) == -1 || peft_json_int(j, "max_input_chars_per_word", 0,
	    INT64_C(1) << 53, &most, err) == -1)
		return -1;
	t->longest_word = (size_t)most;
	return read_unk(t, j, err);
}

static int
read_wordlevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	t->model = PEFT_M_WORDLEVEL;
	return read_unk(t, j, err);
}

static const struct peft_stage models[] = {
	{ "BPE", "vocab merges unk_token fuse_unk byte_fallback ignore_merges "
	    "dropout continuing_subword_prefix end_of_word_suffix", read_bpe },
	{ "Unigram", "vocab unk_id byte_fallback", read_unigram },
	{ "WordPiece", "vocab unk_token continuing_subword_prefix "
	    "max_input_chars_per_word", read_wordpiece },
	{ "WordLevel", "vocab unk_token", read_wordlevel },
	{ NULL, NULL, NULL }
};

/* Old files leave out the type. */
static const char *
guess(const struct peft_tokenizer *t, const cJSON *model)
{
	return t->has_merges ? "BPE" : t->score != NULL ? "Unigram" :
	    peft_json_get(model, "max_input_chars_per_word") != NULL ?
	    "WordPiece" : "WordLevel";
}

int
peft_tokenizer_model(struct peft_tokenizer *t, struct peft_err *err)
{
	const cJSON *model = peft_json_get(t->json, "model");
	const char *type = NULL;

	if (!cJSON_IsObject(model))
		return peft_seterr(err, "model is missing or not an object");
	if (!t->has_vocab)
		return peft_seterr(err, "model.vocab is missing or not an "
		    "object");
	if (peft_json_str(model, "type", &type, err) == -1)
		return -1;
	return peft_stage_one(t, model, "model", models, type != NULL ? type :
	    guess(t, model), err);
}
