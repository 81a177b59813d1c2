/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: pre_tokenizer. */

#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-stage.h"

static struct peft_pre_stage *
add(struct peft_tokenizer *t, struct peft_err *err)
{
	if (t->npre == PEFT_MAXSTAGE) {
		peft_stage_full("pre-tokenisation", err);
		return NULL;
	}
	return &t->pre[t->npre++];
}

int
peft_pre_visible(struct peft_tokenizer *t, struct peft_err *err)
{
	struct peft_pre_stage *p = add(t, err);

	t->to_bytes = false;
	if (p == NULL)
		return -1;
	p->rewrite.run = peft_rewrite_visible;
	return 0;
}

/* What comes behind a ByteLevel sees its characters, not the bytes. */
static struct peft_pre_stage *
next(struct peft_tokenizer *t, struct peft_err *err)
{
	return t->to_bytes && peft_pre_visible(t, err) == -1 ? NULL :
	    add(t, err);
}

static int
add_rewrite(struct peft_tokenizer *t, const struct peft_rewrite *r,
    struct peft_err *err)
{
	struct peft_pre_stage *p = next(t, err);

	if (p == NULL)
		return -1;
	p->rewrite = *r;
	return 0;
}

static int
add_scan(struct peft_tokenizer *t, peft_scan *scan, struct peft_err *err)
{
	struct peft_pre_stage *p = next(t, err);

	if (p == NULL)
		return -1;
	p->scan = scan;
	return 0;
}

static int
add_finder(struct peft_tokenizer *t, const struct peft_finder *f,
    struct peft_err *err)
{
	struct peft_pre_stage *p = next(t, err);

	if (p == NULL)
		return -1;
	p->finder = *f;
	return 0;
}

static int
byte_level(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_rewrite space = {
		.run = peft_rewrite_prepend, .to = " ", .unless_there = true
	};
	bool prefix = true, regex = true;

	if (peft_json_bool(j, "add_prefix_space", &prefix, err) == -1 ||
	    peft_json_bool(j, "use_regex", &regex, err) == -1)
		return -1;
	if ((prefix && add_rewrite(t, &space, err) == -1) ||
	    (regex && add_scan(t, peft_scan_gpt2, err) == -1) ||
	    (t->to_bytes && peft_pre_visible(t, err) == -1))
		return -1;
	t->to_bytes = true;
	return 0;
}

static int
read_behavior(const cJSON *j, enum peft_behavior *behavior,
    struct peft_err *err)
{
	const char *name = NULL;
	int k;

	if (peft_json_str(j, "behavior", &name, err) == -1)
		return -1;
	if (name == NULL)
		return 0;
	if ((k = peft_behavior_of(name)) == -1)
		return peft_seterr(err, "pre_tokenizer: the behavior \"%.40s\" "
		    "is not known here", name);
	*behavior = (enum peft_behavior)k;
	return 0;
}

static int
split(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_finder f = { .find = peft_find_pattern };
	const cJSON *pattern = peft_json_get(j, "pattern");
	const char *regex = NULL, *string = NULL;
	peft_scan *scan;

	if (read_behavior(j, &f.behavior, err) == -1 ||
	    peft_json_bool(j, "invert", &f.invert, err) == -1 ||
	    peft_json_str(pattern, "Regex", &regex, err) == -1 ||
	    peft_json_str(pattern, "String", &string, err) == -1)
		return -1;
	scan = peft_scan_of_split(regex, string, f.behavior, f.invert);
	if (scan != NULL)
		return add_scan(t, scan, err);
	if (peft_stage_pattern(j, &f.pattern, err) == -1)
		return peft_errprefix(err, "pre_tokenizer Split");
	if (add_finder(t, &f, err) == 0)
		return 0;
	peft_pattern_close(f.pattern);
	return -1;
}

static int
digits(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool single = false;

	if (peft_json_bool(j, "individual_digits", &single, err) == -1)
		return -1;
	return add_scan(t, single ? peft_scan_digits : peft_scan_numbers,
	    err);
}

/* Of a single character: its code point. */
static int
read_char(const cJSON *j, const char *key, unsigned *cp, struct peft_err *err)
{
	const char *s = NULL;

	if (peft_json_str(j, key, &s, err) == -1)
		return -1;
	if (s == NULL)
		return 0;
	if (*s == '\0' || peft_utf8_len(s, strlen(s)) != strlen(s))
		return peft_seterr(err, "%s '%.40s' is not one character", key,
		    s);
	*cp = peft_utf8_get(s, strlen(s));
	return 0;
}

/* Spaces become U+2581, one is put before the text, words begin with it. */
static int
metaspace_stages(struct peft_tokenizer *t, const char *to, const char *scheme,
    bool cut, struct peft_err *err)
{
	struct peft_rewrite spaces = { .run = peft_rewrite_replace,
	    .to = to };
	struct peft_rewrite prefix = { .run = peft_rewrite_prepend,
	    .to = to, .unless_there = true,
	    .at_start_only = strcmp(scheme, "first") == 0 };
	struct peft_finder words = { .find = peft_find_char,
	    .behavior = PEFT_S_NEXT, .cp = peft_utf8_get(to, strlen(to)) };

	if ((spaces.pattern = peft_pattern_string(" ", err)) == NULL)
		return -1;
	if (add_rewrite(t, &spaces, err) == -1) {
		peft_pattern_close(spaces.pattern);
		return -1;
	}
	if (strcmp(scheme, "never") != 0 &&
	    add_rewrite(t, &prefix, err) == -1)
		return -1;
	if (!cut)
		return 0;
	return words.cp == 0x2581 ? add_scan(t, peft_scan_metaspace,
	    err) : add_finder(t, &words, err);
}

static int
metaspace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	const char *scheme = NULL, *to = "\u2581";
	bool legacy = true, cut = true;
	unsigned cp;

	if (peft_json_str(j, "prepend_scheme", &scheme, err) == -1 ||
	    read_char(j, "replacement", &cp, err) == -1 ||
	    peft_json_str(j, "replacement", &to, err) == -1 ||
	    peft_json_bool(j, "add_prefix_space", &legacy, err) == -1 ||
	    peft_json_bool(j, "split", &cut, err) == -1)
		return -1;
	if (scheme == NULL)
		scheme = legacy ? "always" : "never";
	if (strcmp(scheme, "first") != 0 && strcmp(scheme, "always") != 0 &&
	    strcmp(scheme, "never") != 0)
		return peft_seterr(err, "pre_tokenizer Metaspace: "
		    "prepend_scheme %.40s is not known here", scheme);
	return metaspace_stages(t, to, scheme, cut, err);
}

static int
punctuation(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_finder f = { .find = peft_find_punctuation };

	return read_behavior(j, &f.behavior, err) == -1 ? -1 :
	    add_finder(t, &f, err);
}

static int
whitespace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_finder words = { .find = peft_find_word,
	    .behavior = PEFT_S_REMOVED, .invert = true };

	(void)j;
	return add_finder(t, &words, err);
}

static const struct peft_finder spaces = { .find = peft_find_space,
    .behavior = PEFT_S_REMOVED };

static int
whitespace_split(struct peft_tokenizer *t, const cJSON *j,
    struct peft_err *err)
{
	(void)j;
	return add_finder(t, &spaces, err);
}

static int
bert(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_finder marks = {
	    .find = peft_find_punctuation, .behavior = PEFT_S_ISOLATED };

	(void)j;
	return add_finder(t, &spaces, err) == -1 ? -1 :
	    add_finder(t, &marks, err);
}

static int
scripts(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_finder runs = { .find = peft_find_script,
	    .behavior = PEFT_S_REMOVED, .invert = true };

	(void)j;
	return add_finder(t, &runs, err);
}

static int
delimiter(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_finder f = { .find = peft_find_char,
	    .behavior = PEFT_S_REMOVED };

	if (peft_json_get(j, "delimiter") == NULL)
		return peft_seterr(err, "pre_tokenizer CharDelimiterSplit "
		    "without a delimiter");
	return read_char(j, "delimiter", &f.cp, err) == -1 ? -1 :
	    add_finder(t, &f, err);
}

static int
fixed_length(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_finder f = { .find = peft_find_length,
	    .behavior = PEFT_S_ISOLATED };
	int64_t length = 5;

	if (peft_json_int(j, "length", 1, UINT32_MAX, &length, err) == -1)
		return -1;
	f.length = (size_t)length;
	return add_finder(t, &f, err);
}

static const struct peft_stage pre_tokenizers[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    byte_level },
	{ "Split", "pattern behavior invert", split },
	{ "Digits", "individual_digits", digits },
	{ "Metaspace", "replacement prepend_scheme split add_prefix_space "
	    "str_rep", metaspace },
	{ "Punctuation", "behavior", punctuation },
	{ "Whitespace", "", whitespace },
	{ "WhitespaceSplit", "", whitespace_split },
	{ "BertPreTokenizer", "", bert },
	{ "UnicodeScripts", "", scripts },
	{ "CharDelimiterSplit", "delimiter", delimiter },
	{ "FixedLength", "length", fixed_length },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_front(struct peft_tokenizer *t, struct peft_err *err)
{
	return peft_stage_read(t, "pre_tokenizer", "pretokenizers",
	    pre_tokenizers, err);
}
