/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: normalizer and pre_tokenizer, stages before the model. */

#include <string.h>

#include "text/tokenizer-stage.h"

#define METASPACE "\u2581"

static struct peft_rewrite *
add_norm(struct peft_tokenizer *t, struct peft_err *err)
{
	if (t->nnorm == PEFT_MAXSTAGE) {
		peft_stage_full("normalisation", err);
		return NULL;
	}
	return &t->norm[t->nnorm++];
}

static int
norm_prepend(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite *r = add_norm(t, err);

	if (r == NULL)
		return -1;
	r->run = peft_rewrite_prepend;
	return peft_stage_str(j, "prepend", &r->to, err);
}

static int
norm_replace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite *r = add_norm(t, err);

	if (r == NULL)
		return -1;
	r->run = peft_rewrite_replace;
	return peft_stage_replace(j, &r->from, &r->to, err);
}

static int
norm_nfc(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	struct peft_rewrite *r = add_norm(t, err);

	(void)j;
	if (r == NULL)
		return -1;
	r->run = peft_rewrite_nfc;
	return 0;
}

static const struct peft_stage normalisers[] = {
	{ "Prepend", "prepend", norm_prepend },
	{ "Replace", "pattern content", norm_replace },
	{ "NFC", "", norm_nfc },
	{ NULL, NULL, NULL }
};

int
peft_pre_visible(struct peft_tokenizer *t, struct peft_err *err)
{
	static const struct peft_rewrite visible = {
		.run = peft_rewrite_visible
	};

	t->to_bytes = false;
	return peft_pre_add(t, NULL, &visible, err);
}

/* What comes behind a ByteLevel sees its characters, not the bytes. */
int
peft_pre_add(struct peft_tokenizer *t, peft_scan *scan,
    const struct peft_rewrite *rewrite, struct peft_err *err)
{
	struct peft_pre_stage *p;

	if (t->to_bytes && peft_pre_visible(t, err) == -1)
		return -1;
	if (t->npre == PEFT_MAXSTAGE)
		return peft_stage_full("pre-tokenisation", err);
	p = &t->pre[t->npre++];
	p->scan = scan;
	if (rewrite != NULL)
		p->rewrite = *rewrite;
	return 0;
}

static int
pre_bytelevel(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_rewrite space = {
		.run = peft_rewrite_prepend, .to = " ", .unless_there = true
	};
	bool prefix = true, regex = true;

	if (peft_json_bool(j, "add_prefix_space", &prefix, err) == -1 ||
	    peft_json_bool(j, "use_regex", &regex, err) == -1)
		return -1;
	if ((prefix && peft_pre_add(t, NULL, &space, err) == -1) ||
	    (regex && peft_pre_add(t, peft_scan_gpt2, NULL, err) == -1) ||
	    (t->to_bytes && peft_pre_visible(t, err) == -1))
		return -1;
	t->to_bytes = true;
	return 0;
}

static int
pre_split(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	const cJSON *pattern = peft_json_get(j, "pattern");
	const char *behavior = "", *regex = NULL, *string = NULL;
	bool invert = false;
	peft_scan *scan = NULL;

	if (peft_json_str(j, "behavior", &behavior, err) == -1 ||
	    peft_json_bool(j, "invert", &invert, err) == -1 ||
	    peft_json_str(pattern, "Regex", &regex, err) == -1 ||
	    peft_json_str(pattern, "String", &string, err) == -1)
		return -1;
	if (regex != NULL && strcmp(behavior, "Isolated") == 0 && !invert)
		scan = peft_scan_of_regex(regex);
	if (string != NULL && strcmp(string, " ") == 0 &&
	    strcmp(behavior, "MergedWithPrevious") == 0 && !invert)
		scan = peft_scan_spaces;
	if (scan == NULL)
		return peft_seterr(err, "pre_tokenizer Split by '%.200s', "
		    "%.40s%s, is not known here", regex != NULL ? regex :
		    string != NULL ? string : "?", behavior, invert ?
		    " inverted" : "");
	return peft_pre_add(t, scan, NULL, err);
}

static int
pre_digits(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	bool single = false;

	if (peft_json_bool(j, "individual_digits", &single, err) == -1)
		return -1;
	return peft_pre_add(t, single ? peft_scan_digits : peft_scan_numbers, NULL,
	    err);
}

/* Spaces become U+2581, one is put before the text, words begin with it. */
static int
pre_metaspace(struct peft_tokenizer *t, const cJSON *j, struct peft_err *err)
{
	static const struct peft_rewrite spaces = {
		.run = peft_rewrite_replace, .from = " ", .to = METASPACE
	};
	struct peft_rewrite prefix = { .run = peft_rewrite_prepend,
	    .to = METASPACE, .unless_there = true };
	const char *scheme = NULL, *replacement = METASPACE;
	bool legacy = true, split = true;

	if (peft_json_str(j, "prepend_scheme", &scheme, err) == -1 ||
	    peft_json_str(j, "replacement", &replacement, err) == -1 ||
	    peft_json_bool(j, "add_prefix_space", &legacy, err) == -1 ||
	    peft_json_bool(j, "split", &split, err) == -1)
		return -1;
	if (strcmp(replacement, METASPACE) != 0)
		return peft_seterr(err, "pre_tokenizer Metaspace with "
		    "'%.40s' for a space is not known here", replacement);
	if (scheme == NULL)
		scheme = legacy ? "always" : "never";
	prefix.at_start_only = strcmp(scheme, "first") == 0;
	if (!prefix.at_start_only && strcmp(scheme, "always") != 0 &&
	    strcmp(scheme, "never") != 0)
		return peft_seterr(err, "pre_tokenizer Metaspace: "
		    "prepend_scheme %.40s is not known here", scheme);
	if (peft_pre_add(t, NULL, &spaces, err) == -1 ||
	    (strcmp(scheme, "never") != 0 && peft_pre_add(t, NULL, &prefix,
	    err) == -1))
		return -1;
	return split ? peft_pre_add(t, peft_scan_metaspace, NULL, err) : 0;
}

static const struct peft_stage pre_tokenizers[] = {
	{ "ByteLevel", "add_prefix_space trim_offsets use_regex",
	    pre_bytelevel },
	{ "Split", "pattern behavior invert", pre_split },
	{ "Digits", "individual_digits", pre_digits },
	{ "Metaspace", "replacement prepend_scheme split add_prefix_space "
	    "str_rep", pre_metaspace },
	{ NULL, NULL, NULL }
};

int
peft_tokenizer_front(struct peft_tokenizer *t, struct peft_err *err)
{
	if (peft_stage_read(t, "normalizer", "normalizers", normalisers,
	    err) == -1)
		return -1;
	return peft_stage_read(t, "pre_tokenizer", "pretokenizers",
	    pre_tokenizers, err);
}
