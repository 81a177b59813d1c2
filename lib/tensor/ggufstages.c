/* SPDX-License-Identifier: Apache-2.0 */
/* How tokenizer.json makes a text ready, if it does as SentencePiece. */

#include <string.h>

#include "base/base64.h"
#include "tensor/ggufpieces.h"
#include "tensor/pieces.h"

/* What is known of tokenizer.json's stages, as it is written there. */
enum meaning { SPACES, PREFIX, TRIM };

static const struct {
	const char	*json;
	enum meaning	 meaning;
} stages[] = {
	{ "null", SPACES },
	{ "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
	    "\"content\":\"\u2581\"}", SPACES },
	{ "{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}", PREFIX },
	{ "{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}",
	    TRIM },
	{ "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},"
	    "\"content\":\" \"}", TRIM },
	{ "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},"
	    "\"content\":\"\u2581\"}", TRIM },
	{ "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\\\\A +\"},"
	    "\"content\":\"\"}", TRIM },
	{ "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"\u2581+\\\\z\"},"
	    "\"content\":\"\"}", TRIM },
	/* Gemma's, which finds no space any more */
	{ "{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},"
	    "\"behavior\":\"MergedWithPrevious\",\"invert\":false}", SPACES },
};

static bool
is_type(const cJSON *j, const char *type)
{
	const cJSON *t = peft_json_get(j, "type");

	return cJSON_IsString(t) && strcmp(t->valuestring, type) == 0;
}

static bool
is_string(const cJSON *j, const char *key, const char *s)
{
	const cJSON *v = peft_json_get(j, key);

	return cJSON_IsString(v) && strcmp(v->valuestring, s) == 0;
}

/* Words are cut before each U+2581: only Unigram's are without it within. */
static bool
metaspace(const cJSON *j, struct peft_pieces *p)
{
	const cJSON *split = peft_json_get(j, "split");

	if (!is_type(j, "Metaspace") || !is_string(j, "replacement", "\u2581"))
		return false;
	p->prefix |= !is_string(j, "prepend_scheme", "never") &&
	    !cJSON_IsFalse(peft_json_get(j, "add_prefix_space"));
	return p->unigram || cJSON_IsFalse(split);
}

static bool
known_stage(const cJSON *j, struct peft_pieces *p)
{
	struct peft_buf b = { 0 };
	size_t i, n = sizeof(stages) / sizeof(stages[0]);

	if (metaspace(j, p))
		return true;
	if (j == NULL)
		return true;
	peft_json_print(&b, j, 0, false);
	for (i = 0; i < n; i++)
		if (!b.failed && strcmp(b.data, stages[i].json) == 0)
			break;
	peft_buf_free(&b);
	if (i == n)
		return false;
	p->prefix |= stages[i].meaning == PREFIX;
	p->trim |= stages[i].meaning == TRIM;
	return true;
}

/* The expression that cuts symbols out of the text: is it one? */
static const char *
symbols_of(const cJSON *j)
{
	const cJSON *regex = peft_json_get(peft_json_get(j, "pattern"),
	    "Regex");

	return is_type(j, "Split") && is_string(j, "behavior", "Isolated") &&
	    !cJSON_IsTrue(peft_json_get(j, "invert")) &&
	    cJSON_IsString(regex) ? regex->valuestring : NULL;
}

static int
mark_symbol(struct peft_vocab_table *t, const struct peft_buf *b)
{
	size_t i;

	for (i = 0; b->data != NULL && i < t->n; i++)
		if (t->text[i] != NULL && strcmp(t->text[i], b->data) == 0) {
			t->type[i] = PEFT_P_USER;
			return 0;
		}
	return -1;
}

/* Symbols as peft_pieces_tokenizer() writes them, "one|two\\.", are tokens:
 * mark them in the table. */
static int
mark_symbols(struct peft_vocab_table *t, const char *s, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int r = 0;

	for (;; s++) {
		if (*s == '\\' && s[1] != '\0')
			peft_buf_putc(&b, *++s);
		else if (*s != '|' && *s != '\0' &&
		    strchr("\\^$.?*+()[]{}", *s) == NULL)
			peft_buf_putc(&b, *s);
		else {
			if ((*s != '|' && *s != '\0') ||
			    (r = mark_symbol(t, &b)) == -1)
				r = peft_seterr(err, "tokenizer.json: its "
				    "pre_tokenizer has no name in GGUF here, "
				    "nor does it cut out tokens");
			peft_buf_clear(&b);
			if (r == -1 || *s == '\0')
				break;
		}
	}
	peft_buf_free(&b);
	return r;
}

static int
read_stage(const cJSON *j, struct peft_pieces *p, struct peft_buf *charsmap,
    struct peft_err *err)
{
	const cJSON *map = peft_json_get(j, "precompiled_charsmap"), *e;

	if (is_type(j, "Sequence")) {
		cJSON_ArrayForEach(e, peft_json_get(j, "normalizers"))
			if (read_stage(e, p, charsmap, err) == -1)
				return -1;
		cJSON_ArrayForEach(e, peft_json_get(j, "pretokenizers"))
			if (read_stage(e, p, charsmap, err) == -1)
				return -1;
		return 0;
	}
	if (is_type(j, "WhitespaceSplit") && p->unigram) {
		p->trim = true;
		return 0;
	}
	if (is_type(j, "Precompiled") && p->unigram && charsmap->len == 0) {
		if (map == NULL || cJSON_IsNull(map))
			return 0;
		if (!cJSON_IsString(map) || peft_base64_get(charsmap,
		    map->valuestring, strlen(map->valuestring)) == -1)
			return peft_seterr(err, "tokenizer.json: "
			    "precompiled_charsmap is not base64");
		return 0;
	}
	if (!known_stage(j, p))
		return peft_seterr(err, "tokenizer.json: its normalizer and "
		    "pre_tokenizer have no name in GGUF here");
	return 0;
}

int
peft_gguf_stages(const cJSON *j, struct peft_vocab_table *t,
    struct peft_pieces *p, struct peft_buf *charsmap, struct peft_err *err)
{
	const cJSON *pre = peft_json_get(j, "pre_tokenizer");
	const char *symbols = symbols_of(pre);

	if (symbols != NULL && !known_stage(pre, p)) {
		if (mark_symbols(t, symbols, err) == -1)
			return -1;
		pre = NULL;
	}
	return read_stage(peft_json_get(j, "normalizer"), p, charsmap,
	    err) == -1 ? -1 : read_stage(pre, p, charsmap, err);
}
