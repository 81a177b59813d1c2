/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: normalizer. */

#include <string.h>

#include "text/charsmap.h"
#include "text/tokenizer-stage.h"

static int
add(struct peft_tokenizer *t, const struct peft_rewrite *r,
    struct peft_err *err)
{
	if (t->nnorm == PEFT_MAXSTAGE)
		return peft_stage_full("normalisation", err);
	t->norm[t->nnorm++] = *r;
	return 0;
}

static int
add_each(struct peft_tokenizer *t, size_t (*each)(unsigned, unsigned[3]),
    struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_each, .each = each };

	return add(t, &r, err);
}

static int
add_form(struct peft_tokenizer *t, bool compat, bool compose,
    struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_form, .compat = compat,
	    .compose = compose };

	return add(t, &r, err);
}

static int
nfc(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_form(t, false, true, err);
}

static int
nfd(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_form(t, false, false, err);
}

static int
nfkc(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_form(t, true, true, err);
}

static int
nfkd(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_form(t, true, false, err);
}

static int
lowercase(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_each(t, peft_each_lower, err);
}

static int
strip_accents(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_each(t, peft_each_bare, err);
}

static int
nmt(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	(void)j;
	return add_each(t, peft_each_nmt, err);
}

static int
byte_level(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_visible };

	(void)j;
	return add(t, &r, err);
}

static int
strip(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_strip, .left = true,
	    .right = true };

	if (peft_json_bool(j, "strip_left", &r.left, err) == -1 ||
	    peft_json_bool(j, "strip_right", &r.right, err) == -1)
		return -1;
	return add(t, &r, err);
}

static int
prepend(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_prepend };

	if (peft_stage_str(j, "prepend", &r.to, err) == -1)
		return -1;
	return add(t, &r, err);
}

static int
replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_replace };

	if (peft_stage_replace(j, &r.pattern, &r.to, err) == -1)
		return -1;
	if (add(t, &r, err) == 0)
		return 0;
	peft_pattern_close(r.pattern);
	return -1;
}

static int
precompiled(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite r = { .run = peft_rewrite_charsmap };
	const char *map = NULL;
	bool longest = false;

	/* "longest_match" is ours, for maps that come from SentencePiece
	 * itself; Hugging Face's reader passes it over */
	if (peft_json_str(j, "precompiled_charsmap", &map, err) == -1 ||
	    peft_json_bool(j, "longest_match", &longest, err) == -1)
		return -1;
	if (longest)
		r.run = peft_rewrite_longest;
	/* SentencePiece's "identity" has none */
	if (map == NULL || *map == '\0')
		return 0;
	if ((r.charsmap = peft_charsmap_base64(map, err)) == NULL)
		return -1;
	if (add(t, &r, err) == 0)
		return 0;
	peft_charsmap_close(r.charsmap);
	return -1;
}

static int
bert(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool clean = true, han = true, lower = true, bare;

	if (peft_json_bool(j, "clean_text", &clean, err) == -1 ||
	    peft_json_bool(j, "handle_chinese_chars", &han, err) == -1 ||
	    peft_json_bool(j, "lowercase", &lower, err) == -1)
		return -1;
	bare = lower;
	if (peft_json_bool(j, "strip_accents", &bare, err) == -1)
		return -1;
	return (clean && add_each(t, peft_each_bert_clean, err) == -1) ||
	    (han && add_each(t, peft_each_bert_han, err) == -1) ||
	    (bare && (add_form(t, false, false, err) == -1 ||
	    add_each(t, peft_each_bert_bare, err) == -1)) ||
	    (lower && add_each(t, peft_each_lower, err) == -1) ? -1 : 0;
}

static const struct peft_stage normalisers[] = {
	{ "NFC", "", nfc },
	{ "NFD", "", nfd },
	{ "NFKC", "", nfkc },
	{ "NFKD", "", nfkd },
	{ "Lowercase", "", lowercase },
	{ "StripAccents", "", strip_accents },
	{ "Nmt", "", nmt },
	{ "ByteLevel", "", byte_level },
	{ "Strip", "strip_left strip_right", strip },
	{ "Prepend", "prepend", prepend },
	{ "Replace", "pattern content", replace },
	{ "Precompiled", "precompiled_charsmap longest_match", precompiled },
	{ "BertNormalizer", "clean_text handle_chinese_chars strip_accents "
	    "lowercase", bert },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_norm(struct peft_tokenizer *t, struct peft_err *err)
{
	return peft_stage_read(t, "normalizer", "normalizers", normalisers,
	    err);
}
